"""The metadata database: SQLite in the lake's root, or PostgreSQL by a URL. One request or task is one transaction."""

from boathouse.db.base import Base
from boathouse.db.database import Database

__all__ = ["Base", "Database"]
