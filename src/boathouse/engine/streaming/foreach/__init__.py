"""``foreachBatch``: the client's function, in a confined process of its own, with a session that has the query's rights."""
