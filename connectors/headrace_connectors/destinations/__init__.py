"""Where records go that were given up: one file a kind."""
