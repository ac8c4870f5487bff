"""The topics, the records' bytes, and the ports behind which an in-memory and a Kafka bus stand."""
