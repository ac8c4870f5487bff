"""Ingestion of events: duplicates, impossible records, feeds, and their application to assets."""
