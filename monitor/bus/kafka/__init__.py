"""Implements the bus on Kafka, with the same interface as the one in memory."""
