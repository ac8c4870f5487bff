"""Turns frames into events on the bus: parse, count, fold trades into bars, limit rejects."""
