"""Sends REST requests to exchanges within their rate limits: instruments, polls, history, backfill."""
