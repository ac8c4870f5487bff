"""The dashboard, a live web page for users without Grafana; its files are in the package, it loads nothing else."""
