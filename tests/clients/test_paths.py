"""pyspark-client writes a table, and DuckDB, Polars and delta-rs read it by its path; databricks-sdk walks through the catalog."""

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb
import polars as pl
import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service import catalog as uc
from databricks.sdk.service.iam import ComplexValue
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from tests.conftest import Server

ROWS = [(1, "one"), (2, "two"), (3, "three")]


@pytest.fixture(scope="module")
def spark(server: Server) -> Iterator[SparkSession]:
    session = SparkSession.builder.remote(server.spark_remote()).create()
    yield session
    session.stop()


@pytest.fixture
def table(spark: SparkSession, sdk: WorkspaceClient, name: str) -> str:
    """A table that pyspark-client made, by SQL and by DataFrames."""
    sdk.catalogs.create(name)
    spark.sql(f"CREATE SCHEMA {name}.s")
    full = f"{name}.s.t"
    spark.sql(f"CREATE TABLE {full} (id BIGINT, name STRING)")
    spark.sql(f"INSERT INTO {full} VALUES (1, 'one'), (9, 'nine')")
    spark.createDataFrame([(2, "zwei"), (3, "three")], "id BIGINT, name STRING").write.mode("append").saveAsTable(full)
    spark.sql(f"UPDATE {full} SET name = 'two' WHERE id = 2")
    spark.sql(f"DELETE FROM {full} WHERE id = 9")
    return full


@pytest.fixture
def path(sdk: WorkspaceClient, table: str) -> Path:
    return Path(unquote(urlsplit(sdk.tables.get(table).storage_location or "").path))


def test_pyspark_client(spark: SparkSession, table: str) -> None:
    rows = spark.table(table).where(f.col("id") < 10).orderBy("id").collect()
    assert [tuple(row) for row in rows] == ROWS
    spark.sql(f"DROP TABLE {table}")
    assert not spark.catalog.tableExists(table)


def test_polars(path: Path) -> None:
    found = pl.scan_delta(str(path)).sort("id").collect()
    assert (found.rows(), found.schema) == (ROWS, {"id": pl.Int64, "name": pl.String})


def test_duckdb(path: Path) -> None:
    rows = DeltaTable(path).to_pyarrow_table()
    assert duckdb.sql("SELECT id, name FROM rows ORDER BY id").fetchall() == ROWS
    assert rows.num_rows == 3


def test_duckdbs_own_reader(path: Path) -> None:
    connection = duckdb.connect()
    try:
        connection.execute("INSTALL delta; LOAD delta")
    except duckdb.Error as error:
        pytest.skip(f"DuckDB's extension delta is not on PyPI and could not be downloaded: {str(error).splitlines()[0]}")
    assert connection.execute("SELECT id, name FROM delta_scan(?) ORDER BY id", [str(path)]).fetchall() == ROWS


def test_databricks_sdk(server: Server, sdk: WorkspaceClient, table: str, name: str) -> None:
    user = sdk.users.create(user_name=f"{name}@example.com")
    group = sdk.groups.create(display_name=f"g-{name}", members=[ComplexValue(value=user.id)])
    token = sdk.token_management.create_obo_token(application_id=str(user.user_name), lifetime_seconds=600)
    theirs = WorkspaceClient(host=server.url, token=token.token_value)
    assert theirs.current_user.me().user_name == user.user_name
    with pytest.raises(errors.PermissionDenied):
        theirs.tables.get(table)
    for kind, full, privilege in (
        ("catalog", name, "USE_CATALOG"),
        ("schema", f"{name}.s", "USE_SCHEMA"),
        ("table", table, "SELECT"),
    ):
        change = uc.PermissionsChange(principal=group.display_name, add=[uc.Privilege(privilege)])
        sdk.grants.update(kind, full, changes=[change])
    assert [column.name for column in theirs.tables.get(table).columns or []] == ["id", "name"]
    assert [one.name for one in theirs.tables.list(name, "s")] == ["t"]
    held = sdk.grants.get_effective("table", table, principal=str(group.display_name)).privilege_assignments or []
    assert {one.privilege for one in held[0].privileges or []} >= {uc.Privilege.SELECT}
    volume = sdk.volumes.create(name, "s", "v", uc.VolumeType.MANAGED)
    file = f"/Volumes/{name}/s/v/folder/file.txt"
    sdk.files.upload(file, io.BytesIO(b"content"), overwrite=True)
    assert sdk.files.download(file).contents.read() == b"content"
    assert [entry.path for entry in sdk.files.list_directory_contents(f"/Volumes/{name}/s/v/folder")] == [file]
    sdk.volumes.delete(str(volume.full_name))
    mine = sdk.tokens.create(comment="c", lifetime_seconds=60)
    sdk.tokens.delete(str(mine.token_info.token_id))
    sdk.groups.delete(str(group.id))
    with pytest.raises(errors.PermissionDenied):
        theirs.tables.get(table)
    sdk.users.delete(str(user.id))
