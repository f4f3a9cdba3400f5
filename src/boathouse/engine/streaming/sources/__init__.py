"""The engine's own streaming sources. Their factories take the whole Relation message of a read, a table's too."""
