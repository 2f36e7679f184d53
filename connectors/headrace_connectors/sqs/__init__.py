"""SQS as a source: a queue is one lane; progress is deleting the message."""
