"""Partitions read as a queue is: no order, or that of a group; what fails comes again by itself, after its time."""
