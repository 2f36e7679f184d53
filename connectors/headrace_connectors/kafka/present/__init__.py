"""Kafka messages in the event shapes of other sources: a handler that was written for those runs as it is."""
