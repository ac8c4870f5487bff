"""The dashboards in typed Python; ``python -m deploy.grafana.boards`` writes them to ``deploy/grafana/dashboards``."""
