"""Structured Streaming as micro-batches: each one is the client's plan with the new rows in the place of its streaming reads."""
