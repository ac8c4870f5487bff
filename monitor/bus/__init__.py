"""Carries records between the stages: topics, encoding, and one interface to an in-memory and a Kafka bus."""
