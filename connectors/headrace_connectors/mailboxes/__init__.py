"""Where letters lie that are to be replayed: one file a kind of place."""
