"""Names in a plan: each becomes a relation, an expression or a value that holds just what its reader may see."""
