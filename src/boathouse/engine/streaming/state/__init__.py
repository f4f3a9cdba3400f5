"""Operators that remember rows between batches. What they remember of batch N is a Delta table, ``state/0/N`` in the checkpoint."""
