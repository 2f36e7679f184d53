"""The ledger for several machines: one Redis hash a mapping."""
