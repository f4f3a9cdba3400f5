"""The catalog: catalogs, schemas, tables, volumes and models as securables with owners and grants."""
