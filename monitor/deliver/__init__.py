"""Outputs of the process: metrics, pages, the dashboard, signals as lines, logs."""
