"""The as-of join beside the engine: Polars on a Delta snapshot's files, in a process of its own."""
