"""Prometheus metric families, made at scrape time from plain counters."""
