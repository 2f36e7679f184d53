# ruff: noqa: INP001 - a script that the AWS server's image runs once it is ready; it sets credentials and endpoint
"""Creates the queues of configs/compose.yaml; an order goes to the dead-letter queue after three receives."""

import json

import botocore.session

sqs = botocore.session.get_session().create_client("sqs")
dead = sqs.create_queue(QueueName="orders-dlq")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "5", "RedrivePolicy": policy})
sqs.create_queue(QueueName="readings-failed")
