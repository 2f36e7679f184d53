"""Kinesis: a stream's shards, read by polling or by enhanced fan-out."""
