"""The schema of the metadata database, revision by revision."""
