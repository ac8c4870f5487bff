"""The bus on Kafka, behind the same ports as the one in memory."""
