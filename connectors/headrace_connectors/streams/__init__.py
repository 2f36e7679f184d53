"""What Kinesis and DynamoDB Streams have in common: options, pages, refusals, the reader of one shard."""
