"""What happened: audit events, queries and lineage, as system tables, over REST and as OpenLineage events."""
