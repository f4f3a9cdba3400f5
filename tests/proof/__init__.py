"""Somebody else's project, unchanged."""
