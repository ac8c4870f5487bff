"""Serves the dashboard, a live web page for users without Grafana; all files that it loads are in the package."""
