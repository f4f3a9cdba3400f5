"""Paths in a plan: who may name which, where they really lie, and as of which version they are read."""
