"""`headrace iam`: the least rights that a config needs in AWS."""
