"""The process in which a notebook or a Python file runs, and all that user code sees there."""
