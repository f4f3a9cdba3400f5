"""The walk through lineage: what is found, in which direction and how far, and what is told to whom."""

import json
from typing import Any

import httpx
import pytest

from boathouse.catalog.privileges import SecurableType
from boathouse.errors import InvalidParameterValue, NotFound
from boathouse.history.api import AssetRef, Entity, LineageRecord, LinkRecord, TableRef
from boathouse.history.graph import Graph, LineageGraph, check
from boathouse.history.links import Node
from boathouse.history.records import TableKind
from boathouse.history.service import HistoryService
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from tests.conftest import Server
from tests.history.conftest import NOW, History, lineage

D = "main.default"


def table(name: str) -> TableRef:
    return TableRef(full_name=f"{D}.{name}")


def link(source: TableRef | AssetRef, target: TableRef | AssetRef) -> LinkRecord:
    return LinkRecord(source=source, target=target, principal_id="1", time_ms=NOW)


@pytest.fixture
def lake(history: History) -> History:
    """raw -> bronze -> features -> model 1 -> endpoint -> scored -> dashboard, and a table `secret` that goes into features too."""
    recorder = history.recorder()
    for name in ("bronze", "features", "secret", "scored", "lonely"):
        history.lake.table(name)
    with history.lake.catalog() as catalog:
        volume = catalog.create_volume("main", "default", "raw")
        catalog.register_model(f"{D}.model")
    folder = volume.storage_location.removeprefix("file://").rstrip("/")
    model, endpoint = AssetRef(kind="MODEL_VERSION", name=f"{D}.model/1"), AssetRef(kind="ENDPOINT", name="e")
    old: TableKind = "TABLE"
    who: dict[str, Any] = {"principal": "admin", "principal_id": "1", "time_ms": NOW}
    for record in (
        lineage(f"{D}.bronze", f"{D}.bronze"),
        lineage("", f"{D}.bronze", sources=(), entity=Entity(type="JOB", id="7", run_id="70")),
        lineage(
            "",
            f"{D}.bronze",
            sources=(TableRef(path=f"{folder}/a", kind="PATH"),),
            entity=Entity(type="JOB", id="7"),
        ),
        # As it was once told of a stream's folder.
        lineage("", f"{D}.bronze", sources=(TableRef(path="/elsewhere/b", kind=old),)),
        lineage(f"{D}.bronze", f"{D}.features", statement_id="s1"),
        lineage(f"{D}.bronze", f"{D}.features", statement_id="s2", time_ms=NOW + 5),
        lineage(f"{D}.secret", f"{D}.features", statement_id="s3"),
        lineage(f"{D}.dropped", f"{D}.secret"),
        LineageRecord(
            sources=(TableRef(full_name=f"{D}.features", version=4),),
            asked=(AssetRef(kind="FUNCTION", name=f"{D}.twice"),),
            statement_id="m",
            entity=Entity(type="MODEL_VERSION", id=f"{D}.model/1", run_id="run1"),
            **who,
        ),
        LineageRecord(sources=(), asked=(model, endpoint), target=table("scored"), statement_id="s4", **who),
        lineage(f"{D}.scored", None, entity=Entity(type="DASHBOARD_V3", id="d1")),
        lineage(f"{D}.scored", None, entity=Entity(type="DASHBOARD", id="d2")),
    ):
        recorder.lineage(record)
    recorder.link(link(model, endpoint))
    recorder.link(link(endpoint, table("scored")))
    recorder.settle()
    return history


def around(lake: History, kind: str, name: str, asker: Principal | None = None, **asked: Any) -> Graph:
    titles = {
        "dashboard": lambda _session, _asker, names: {one: "Sales" for one in names if one == "d1"},
        "endpoint": lambda _session, _asker, names: {one: one for one in names},
    }
    with lake.lake.catalog(asker) as catalog:
        given = {"direction": "both", "depth": 10, "most": 100} | asked
        return LineageGraph(catalog, titles).around(Node(kind, name), **given)


def edges(graph: Graph) -> set[tuple[str, str]]:
    return {(one.source.removeprefix(f"table:{D}."), one.target.removeprefix(f"table:{D}.")) for one in graph.edges.values()}


RAW, MODEL = "path:/Volumes/main/default/raw/a", f"model_version:{D}.model/1"
ABOVE = {(RAW, "bronze"), ("path:/elsewhere/b", "bronze"), ("bronze", "features"), ("secret", "features")}
BELOW = {
    ("features", MODEL),
    (MODEL, "endpoint:e"),
    (MODEL, "scored"),
    ("endpoint:e", "scored"),
    ("scored", "dashboard:d1"),
    ("scored", "dashboard:d2"),
}


def test_all_of_the_way_is_walked_from_either_end_and_from_the_middle(lake: History) -> None:
    middle = around(lake, "table", f"{D}.FEATURES")
    assert edges(middle) == ABOVE | {("dropped", "secret")} | BELOW
    assert middle.nodes["dashboard:d1"].title == "Sales"
    assert middle.nodes[f"table:{D}.dropped"].kind == "GONE"
    assert middle.nodes[RAW].depth == -2
    assert middle.nodes["endpoint:e"].depth == 2
    # Up is up only: what goes into the features besides is not below the raw file.
    assert edges(around(lake, "path", "/Volumes/main/default/raw/a")) == {(RAW, "bronze"), ("bronze", "features")} | BELOW
    folder = edges(around(lake, "path", "/Volumes/main/default/raw"))
    assert folder == {("path:/Volumes/main/default/raw", "bronze"), ("bronze", "features")} | BELOW
    up = edges(around(lake, "dashboard", "d1", direction="upstream"))
    assert up == ABOVE | {("dropped", "secret"), (f"function:{D}.twice", MODEL)} | BELOW - {("scored", "dashboard:d2")}
    assert edges(around(lake, "model_version", f"{D}.model/1", direction="downstream")) == BELOW - {("features", MODEL)}
    assert around(lake, "table", f"{D}.lonely").edges == {}


def test_edges_tell_by_what_how_often_and_when_last(lake: History) -> None:
    graph = around(lake, "table", f"{D}.features")
    written = graph.edges[f"table:{D}.bronze", f"table:{D}.features"]
    assert (written.times, written.last_at) == (2, NOW + 5)
    assert [(one.type, one.id, one.times) for one in written.causes.values()] == [("QUERY", "s2", 2)]
    trained = graph.edges[f"table:{D}.features", MODEL]
    assert trained.table_version == 4
    assert [(one.type, one.id) for one in trained.causes.values()] == [("RUN", "run1")]
    # The job that has made the table before it filled it says no more than that it filled it.
    filled = graph.edges[RAW, f"table:{D}.bronze"]
    assert [(one.type, one.id) for one in filled.causes.values()] == [("JOB", "7")]
    assert "job:7" not in graph.nodes


def test_what_the_bounds_cut_off_is_counted(lake: History) -> None:
    near = around(lake, "table", f"{D}.features", depth=1)
    assert edges(near) == {("bronze", "features"), ("secret", "features"), ("features", MODEL)}
    bounds = {one: (near.nodes[one].more_upstream, near.nodes[one].more_downstream) for one in near.nodes}
    assert bounds == {
        f"table:{D}.features": (0, 0),
        f"table:{D}.bronze": (2, 0),
        f"table:{D}.secret": (1, 0),
        MODEL: (0, 2),
    }
    few = around(lake, "table", f"{D}.features", most=2)
    assert len(few.nodes) == 2
    assert sum(one.more_upstream + one.more_downstream for one in few.nodes.values()) >= 2


def test_who_may_not_know_sees_that_there_is_something_and_nothing_behind_it(lake: History) -> None:
    user = lake.lake.user
    with pytest.raises(NotFound):
        around(lake, "table", f"{D}.features", user)
    lake.lake.enter()
    for name in ("bronze", "features", "scored"):
        lake.lake.grant(SecurableType.TABLE, f"{D}.{name}", "SELECT")
    graph = around(lake, "table", f"{D}.features", user)
    hidden = [one for one in graph.nodes.values() if one.node is None]
    assert {(one.id, one.hidden, one.title) for one in hidden} == {
        (f"hidden:up:table:{D}.features", 1, ""),
        (f"hidden:up:table:{D}.bronze", 2, ""),
        (f"hidden:down:table:{D}.features", 1, ""),
    }
    told = json.dumps([repr(graph.nodes), repr(graph.edges)])
    assert not [word for word in ("secret", "dropped", "elsewhere", "raw", "model", "run1") if word in told]
    assert edges(graph) == {
        ("bronze", "features"),
        (f"hidden:up:table:{D}.features", "features"),
        (f"hidden:up:table:{D}.bronze", "bronze"),
        ("features", f"hidden:down:table:{D}.features"),
    }
    # Of a statement of somebody else only that it was one.
    assert [one.id for one in graph.edges[f"table:{D}.bronze", f"table:{D}.features"].causes.values()] == [""]
    down = around(lake, "table", f"{D}.scored", user, direction="downstream")
    assert edges(down) == {("scored", "dashboard:d1"), ("scored", f"hidden:down:table:{D}.scored")}
    for kind, name in (("path", "/elsewhere/b"), ("dashboard", "d2"), ("model_version", f"{D}.model/1")):
        with pytest.raises(NotFound):
            around(lake, kind, name, user)


@pytest.mark.parametrize(("kind", "name"), [("table", "t"), ("model_version", f"{D}.model"), ("function", "a.b")])
def test_a_name_that_none_can_have_is_refused(kind: str, name: str) -> None:
    with pytest.raises(InvalidParameterValue, match="name is not valid"):
        check(Node(kind, name))


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"type": "table", "name": "main.default.none"}, 404, "does not exist"),
        ({"type": "tables", "name": "a.b.c"}, 400, "type"),
        ({"type": "table", "name": "a.b.c", "depth": 0}, 400, "depth"),
        ({"type": "table", "name": "a.b.c", "limit": 5000}, 400, "limit"),
        ({"type": "model_version", "name": "a.b.c/x"}, 400, "catalog.schema.model/3"),
        ({"type": "endpoint", "name": "none"}, 404, "endpoint 'none'"),
        ({"type": "path", "name": "/Volumes/main/default"}, 400, "/Volumes/<catalog>"),
    ],
)
def test_wrong_questions(server: Server, asked: dict[str, Any], status: int, said: str) -> None:
    with server.client() as admin:
        answer = admin.get("/api/boathouse/v1/lineage/graph", params=asked)
    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_nobody_asks_without_a_token(server: Server) -> None:
    asked = {"type": "table", "name": "main.default.t"}
    assert httpx.get(f"{server.url}/api/boathouse/v1/lineage/graph", params=asked).status_code == 401


def test_what_is_renamed_takes_its_lineage_along(lake: History) -> None:
    recorder = lake.recorders[0]
    recorder.lineage(lineage(f"{D}.features", f"{D}.scored", ("region", "region"), ("id", "id")))
    recorder.settle()
    with lake.lake.catalog() as catalog:
        catalog.rename(SecurableType.TABLE, f"{D}.features", "inputs")
        catalog.rename(SecurableType.MODEL, f"{D}.model", "price")
        catalog.rename_column(f"{D}.inputs", "region", "area")
    at = now_ms()
    lake.lake.table("features")
    # Seen before the rename and told after it; seen after it, of another table of that name.
    recorder.lineage(lineage(f"{D}.bronze", f"{D}.features", ("id", "id"), statement_id="late", time_ms=NOW + 9))
    recorder.lineage(lineage(f"{D}.lonely", f"{D}.features", time_ms=at + 1))
    recorder.settle()
    model = f"model_version:{D}.price/1"
    graph = around(lake, "table", f"{D}.inputs")
    mine = edges(graph)
    assert {("bronze", "inputs"), ("secret", "inputs"), ("inputs", model), (model, "scored"), ("inputs", "scored")} <= mine
    assert not any("features" in end or MODEL in end for one in mine for end in one)
    assert graph.edges[f"table:{D}.bronze", f"table:{D}.inputs"].times == 3
    assert [(one.type, one.id) for one in graph.edges[f"table:{D}.inputs", model].causes.values()] == [("RUN", "run1")]
    assert edges(around(lake, "table", f"{D}.features")) == {("lonely", "features")}
    with lake.lake.catalog() as catalog:
        found = HistoryService(catalog).column_lineage(f"{D}.scored", "region").upstream_cols
    assert [(one.table_name, one.name) for one in found] == [("inputs", "area")]
    # All that is in a schema goes along, and meets what was there under the new name.
    with lake.lake.catalog() as catalog:
        catalog.rename(SecurableType.SCHEMA, D, "first")
    recorder.lineage(lineage("main.first.bronze", "main.first.inputs", time_ms=now_ms() + 1))
    recorder.settle()
    graph = around(lake, "table", "main.first.inputs")
    assert graph.edges["table:main.first.bronze", "table:main.first.inputs"].times == 4
    assert ("table:main.first.inputs", "model_version:main.first.price/1") in graph.edges
    assert ("path:/Volumes/main/first/raw/a", "table:main.first.bronze") in graph.edges
