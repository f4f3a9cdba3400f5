"""Writes: rows made to fit their table, and commits that hold, are made again, or are refused."""
