"""Sources of a pipeline, read: Python and SQL as declarations of datasets and flows."""
