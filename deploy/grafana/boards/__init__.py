"""Defines the dashboards; ``python -m deploy.grafana.boards`` writes them to ``deploy/grafana/dashboards``."""
