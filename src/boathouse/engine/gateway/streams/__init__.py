"""Streaming queries: the commands on them, and the texts and views that read streams."""
