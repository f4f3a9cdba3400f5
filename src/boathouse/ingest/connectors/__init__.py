"""Connectors: rows of databases and HTTP APIs land as Parquet files, from which a pipeline brings them into tables.

Only a process of its own may import ``databases``, ``rest`` and ``replication``: dlt, which they use, has the module name of the
older pipelines module.
"""
