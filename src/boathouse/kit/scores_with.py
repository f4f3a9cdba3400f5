"""How a Python function says which model version it scores rows with: who makes such functions writes it, and the gateway reads it."""

MARK = "boathouse-scores-with:"
"""Before the address of a model version, ``models:/catalog.schema.model/3``, and a semicolon; anywhere in the pickled function."""
