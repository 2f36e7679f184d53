"""Replay: dead letters are read where they lie, chosen, mended, handled again, and settled one by one."""
