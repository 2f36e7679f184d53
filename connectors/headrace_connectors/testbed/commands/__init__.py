"""`headrace testbed …`: one file a word."""
