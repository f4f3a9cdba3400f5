"""MLflow's tables: a database of their own, and how connections to it behave."""

from functools import cache
from typing import Any

from mlflow.store.db.utils import create_sqlalchemy_engine
from sqlalchemy import Engine, event, make_url

from boathouse.db.database import Database
from boathouse.storage.layout import Layout

PG_SCHEMA = "mlflow"


def tables_url(database: Database, layout: Layout) -> str:
    """Where MLflow's tables are: ``mlflow.db`` beside a SQLite file, the schema ``mlflow`` of a PostgreSQL database.

    Both keep MLflow's migrations apart from ours (they use the same ``alembic_version``), and a SQLite file of their own keeps
    the logging of many metrics from waiting for the catalog's write lock, and the other way round.
    """
    if database.is_sqlite:
        return f"sqlite:///{layout.root / 'mlflow.db'}"
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {PG_SCHEMA}")
    url = make_url(database.engine.url).update_query_dict({"options": f"-csearch_path={PG_SCHEMA}"})
    return url.render_as_string(hide_password=False)


@cache
def engine_of(url: str) -> Engine:
    """The one connection pool of a process for MLflow's tables."""
    engine: Engine = create_sqlalchemy_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")
