"""``delta.tables.DeltaTable`` of delta-spark's Spark Connect client: its messages, told in SQL that is governed like any other."""
