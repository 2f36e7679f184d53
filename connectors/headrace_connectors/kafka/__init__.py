"""Kafka: topics as sources, also in the event shapes of other sources, and as destinations."""
