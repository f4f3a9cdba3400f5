"""Publishing over HTTP with databricks-sdk."""

import datetime as dt
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.catalog import PrimaryKeyConstraint, TableConstraint
from databricks.sdk.service.ml import OnlineStore, PublishSpec, PublishSpecPublishMode
from deltalake import DeltaTable, write_deltalake

from boathouse.features.api import Place, online_reader
from boathouse.features.online import file_of, pack_value
from boathouse.features.source import _values  # pyright: ignore[reportPrivateUsage]
from tests.conftest import Server

START = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)


def weather(hours: int, offset: int = 0) -> pa.Table:
    times = [START + dt.timedelta(hours=offset + hour) for hour in range(hours)]
    origin = pa.field("origin", pa.string(), nullable=False)
    time_hour = pa.field("time_hour", pa.timestamp("us", "UTC"), nullable=False)
    temps = [float(offset + hour) for hour in range(hours)]
    schema = pa.schema([origin, time_hour, pa.field("temp", pa.float64())])
    return pa.table({"origin": ["EWR"] * hours, "time_hour": times, "temp": temps}, schema)


class Lake:
    """A schema with an external feature table and an online store."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.schema = f"f{uuid.uuid4().hex[:8]}"
        self.source, self.online = f"main.{self.schema}.weather", f"main.{self.schema}.weather_online"
        self.store = f"store-{self.schema}"
        self.client = WorkspaceClient(host=server.url, token=server.token)
        self.client.schemas.create(self.schema, "main")
        self.path = folder / "weather"
        write_deltalake(self.path, weather(3))
        body = {
            "catalog_name": "main",
            "schema_name": self.schema,
            "name": "weather",
            "table_type": "EXTERNAL",
            "data_source_format": "DELTA",
            "storage_location": f"file://{self.path}",
            "columns": [],
        }
        with server.client() as admin:
            admin.post("/api/2.1/unity-catalog/tables", json=body).raise_for_status()
        self.client.feature_store.create_online_store(OnlineStore(name=self.store, capacity="CU_1"))

    def declare(self, *columns: str, time: str | None = None) -> None:
        key = PrimaryKeyConstraint("keys", [*columns, *([time] if time else [])], timeseries_columns=[time] if time else None)
        self.client.table_constraints.create(self.source, TableConstraint(primary_key_constraint=key))

    def published(self) -> dict[str, Any]:
        """What a publish answers."""
        spec = {"online_store": self.store, "online_table_name": self.online}
        with self.server.client() as admin:
            answer = admin.post(f"/api/2.0/feature-store/tables/{self.source}/publish", json={"publish_spec": spec})
        return answer.raise_for_status().json()

    def publish(
        self, client: WorkspaceClient | None = None, mode: PublishSpecPublishMode = PublishSpecPublishMode.TRIGGERED
    ) -> None:
        spec = PublishSpec(online_store=self.store, online_table_name=self.online, publish_mode=mode)
        (client or self.client).feature_store.publish_table(self.source, spec)

    def temps(self, *hours: float | None) -> list[float | None]:
        reader = online_reader(Place(str(file_of(self.server.root / "online", self.online))), self.online)
        times = [None if hour is None else int((START.timestamp() + hour * 3600) * 1e6) for hour in hours]
        return [None if row is None else row[0] for row in reader.read([["EWR"]] * len(hours), times, ["temp"])]


@pytest.fixture
def lake(server: Server, tmp_path: Path) -> Lake:
    return Lake(server, tmp_path)


def test_publish_append_rewrite_delete(lake: Lake) -> None:
    lake.declare("origin", time="time_hour")
    lake.publish()
    assert lake.temps(None, 0.5, -1) == [2.0, 0.0, None]
    write_deltalake(lake.path, weather(2, offset=3), mode="append")
    lake.publish()
    assert lake.temps(None, 3) == [4.0, 3.0]
    write_deltalake(lake.path, weather(1), mode="overwrite")
    lake.publish()
    assert lake.temps(None) == [0.0]
    with pytest.raises(BadRequest, match="still holds"):
        lake.client.feature_store.delete_online_store(lake.store)
    lake.client.feature_store.delete_online_table(lake.online)
    lake.client.feature_store.delete_online_store(lake.store)
    with pytest.raises(NotFound):
        lake.client.feature_store.get_online_store(lake.store)


def test_changes_are_published_by_the_change_feed(lake: Lake) -> None:
    lake.declare("origin", time="time_hour")
    lake.publish()
    write_deltalake(lake.path, weather(2, offset=3), mode="append")
    assert lake.published()["synced_by"] == "APPENDED"
    table = DeltaTable(lake.path)
    table.delete("temp = 1")
    whole = lake.published()
    assert (whole["synced_by"], whole["rows"]) == ("SNAPSHOT", 4)
    assert "change data" in whole["reason"].lower()
    table.update_incremental()
    table.alter.set_table_properties({"delta.enableChangeDataFeed": "true"})
    lake.publish()
    table.update({"temp": "40.0"}, predicate="temp = 4")
    table.delete("temp = 3")
    write_deltalake(lake.path, weather(1, offset=9), mode="append")
    told = lake.published()
    assert (told["synced_by"], told["rows"], "reason" in told) == ("CHANGES", 4, False)
    assert lake.temps(None, 4, 3, 0, 1) == [9.0, 40.0, 2.0, 0.0, 0.0]


def test_a_continuous_table_follows_its_source(lake: Lake) -> None:
    lake.declare("origin", time="time_hour")
    lake.publish(mode=PublishSpecPublishMode.CONTINUOUS)
    assert lake.temps(None) == [2.0]
    for change, latest in ((weather(2, offset=3), 4.0), (weather(1, offset=9), 9.0)):
        write_deltalake(lake.path, change, mode="append" if latest == 4.0 else "overwrite")
        deadline = time.monotonic() + 60
        while lake.temps(None) != [latest]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert lake.temps(4) == [None]
    lake.client.feature_store.delete_online_table(lake.online)


def test_keys_have_to_be_declared(lake: Lake) -> None:
    with pytest.raises(BadRequest, match="is no feature table: it has no primary key"):
        lake.publish()
    DeltaTable(lake.path).alter.set_table_properties({"available_at": "known"}, raise_if_not_exists=False)
    lake.declare("origin")
    with pytest.raises(BadRequest, match="names 'known' in its property available_at, which is no column"):
        lake.publish()


def test_wrong_names_and_rights(lake: Lake) -> None:
    lake.declare("origin")
    with pytest.raises(BadRequest, match=r"capacity 'XL' is not valid\. Valid: CU_1"):
        lake.client.feature_store.create_online_store(OnlineStore(name="x", capacity="XL"))
    name = f"{lake.schema}@example.com"
    other = WorkspaceClient(host=lake.server.url, token=lake.server.new_principal(name))
    with pytest.raises(PermissionDenied, match="does not have"):
        lake.publish(other)
    with pytest.raises(PermissionDenied):
        other.feature_store.delete_online_store(lake.store)
    with lake.server.client("") as nobody:
        assert nobody.get("/api/2.0/feature-store/online-stores").status_code == 401


def test_values_are_kept_as_a_batch_has_them() -> None:
    kinds = {
        "sizes": pa.array([[("s", 1), ("m", 2)], None], pa.map_(pa.string(), pa.int64())),
        "deep": pa.array([[{"of": [("a", b"\xff")]}], []], pa.list_(pa.struct([("of", pa.map_(pa.string(), pa.binary()))]))),
        "picture": pa.array([b"\x00\xff", None], pa.binary()),
    }
    table = pa.table({"id": [1, 2], **kinds})
    rows = [msgspec.msgpack.decode(pack_value(each)) for each in zip(*(_values(table[name]) for name in kinds), strict=True)]
    assert rows == [[{"s": 1, "m": 2}, [{"of": {"a": b"\xff"}}], b"\x00\xff"], [None, [], None]]
