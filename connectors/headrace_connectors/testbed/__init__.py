"""Servers for a testbed without Docker and root: Apache Kafka, and Kafka and Redis from PyPI, on loopback alone."""
