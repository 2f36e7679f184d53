"""`headrace schedule …`: one file a word."""
