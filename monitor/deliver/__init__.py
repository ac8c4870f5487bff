"""Delivers the results: metrics, pages, the dashboard, signals as lines, logs."""
