"""Kafka: topics as sources, and in the event shapes of other sources."""
