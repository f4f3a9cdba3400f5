"""Materialized views by what was added, compared with all of their rows computed anew, over any changes of what they read."""

import threading
from collections import defaultdict
from decimal import Decimal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from boathouse.pipelines.events import Event
from boathouse.pipelines.running.rows import checked
from boathouse.pipelines.running.session import Session
from boathouse.pipelines.running.targets import Targets
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import PipelineUnderTest, Result

FACTS = "id INT, k INT, amount INT, price DECIMAL(8, 2), ratio DOUBLE, t STRING"
VIEWS = SourceFile(
    "/w/views.py",
    """
from pyspark import pipelines as dp
from pyspark.sql import functions as F

def view(name, query):
    dp.materialized_view(name=name)(lambda: spark.sql(query))

dp.temporary_view(name="some")(lambda: spark.table("facts").where("amount > 1 OR amount IS NULL"))
view("joined", "SELECT f.id, f.amount * 2 AS twice, d.name, upper(f.t) AS t FROM some f JOIN dim d ON f.k = d.k")
view("left_joined", "SELECT f.*, d.name FROM facts f LEFT JOIN dim d USING (k)")
view("both", "SELECT id, k FROM facts WHERE k IN (1, 2) UNION ALL SELECT k, k FROM dim")
view("grouped", '''SELECT k, count(*) AS n, count(amount) AS c, sum(amount) AS s, avg(amount) AS a, min(t) AS low,
    max(price) AS high, sum(price) AS p, count(*) FILTER (WHERE amount > 2) AS large FROM facts GROUP BY k''')
view("total", "SELECT count(*) AS n, sum(amount) AS s, max(t) AS m FROM facts")
view("having", "SELECT k, count(*) AS n FROM facts GROUP BY k HAVING count(*) > 1")
view("floats", "SELECT k, sum(ratio) AS r FROM facts GROUP BY k")
view("computed", "SELECT k, sum(amount) / count(*) AS x FROM facts GROUP BY k")
view("different", "SELECT DISTINCT k FROM facts")
view("numbered", "SELECT id, row_number() OVER (ORDER BY id, t) AS r FROM facts")

view("listed", "SELECT id, r.* FROM facts JOIN (VALUES (1), (2), (3), (4), (5), (6), (7)) AS r ON id = r.col1")

@dp.materialized_view
def in_rows():
    return spark.table("facts").join(spark.createDataFrame([(1, "one")], "k INT, word STRING"), "k").select("id", "word")

@dp.materialized_view
def by_name():
    rows = spark.table("some").join(spark.table("dim"), "k").groupBy("name", (F.col("k") % 2).alias("odd"))
    return rows.agg(F.sum("amount").alias("s"), F.min("price").alias("p"))

@dp.materialized_view
@dp.expect_or_drop("past", "DATE'2020-01-01' + id < current_date()")
def lately():
    return spark.table("facts").select("id")

@dp.materialized_view
@dp.expect_or_drop("there", "amount IS NOT NULL")
def kept():
    return spark.table("facts").select("id", "amount")
""",
)
Row = tuple[int, int | None, int | None, Decimal, float, str | None]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 99),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(-3, 5),
        st.decimals(-9, 9, places=2),
        st.floats(-1, 1),
        st.none() | st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=4,
)
CHANGES = st.one_of(
    ROWS,
    ROWS,
    st.sampled_from(
        [
            "DELETE FROM {facts} WHERE k = 1",
            "UPDATE {facts} SET amount = 4 WHERE k = 2",
            "OPTIMIZE {facts}",
            "INSERT INTO {dim} VALUES (3, 'three')",
            "SELECT 1",
        ]
    ),
)


def techniques(events: list[Event]) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in events:
        if event.kind == "planning_information":
            chosen = [one["maintenance_type"] for one in event.details["technique_information"] if one["is_chosen"]]
            found[str(event.dataset).rsplit(".", 1)[-1]] = chosen[0].removeprefix("MAINTENANCE_TYPE_")
    return found


def reasons(result: Result) -> dict[str, str]:
    return {
        str(event.dataset).rsplit(".", 1)[-1]: event.message.partition("(")[2]
        for event in result.events
        if event.kind == "planning_information"
    }


def begin(pipeline: PipelineUnderTest) -> None:
    rows = [(1, 1, 2, Decimal("1.50"), 0.1, "a"), (2, 2, None, Decimal("2.50"), 0.2, None), (3, None, 5, Decimal(3), 0.3, "b")]
    pipeline.given("facts", rows, FACTS)
    pipeline.given("dim", [(1, "one"), (2, "two")], "k INT, name STRING")


def test_views_are_refreshed_by_what_was_added_and_say_so(pipeline: PipelineUnderTest) -> None:
    begin(pipeline)
    first = pipeline.run(VIEWS)
    assert set(techniques(list(first.events)).values()) == {"COMPLETE_RECOMPUTE"}
    assert reasons(first)["joined"].startswith("nothing is known of an earlier refresh")
    assert {name for name, way in techniques(list(pipeline.run(VIEWS).events)).items() if way != "NO_OP"} == {
        "numbered",
        "lately",
    }
    pipeline.given("facts", [(4, 1, 9, Decimal(4), 0.4, "c"), (5, 3, None, Decimal(5), 0.5, "d")], FACTS)
    result = pipeline.run(VIEWS)
    anew = "COMPLETE_RECOMPUTE"
    assert techniques(list(result.events)) == {
        **dict.fromkeys(("joined", "left_joined", "both", "kept", "listed", "in_rows"), "APPEND_ONLY"),
        **dict.fromkeys(("grouped", "total", "by_name"), "GROUP_AGGREGATE"),
        **dict.fromkeys(("having", "floats", "computed", "different", "numbered", "lately"), anew),
    }
    assert "r is the sum of floating-point numbers" in reasons(result)["floats"]
    assert reasons(result)["lately"].startswith("current_date may give something else")
    assert reasons(result)["numbered"].startswith("row_number may give something else")
    assert "operator Aggregate" in reasons(result)["having"]
    assert result.expectations["kept"]["there"] == (1, 1)
    assert [row["id"] for row in pipeline.rows("kept_quarantine", "id")] == [2, 5]
    by_key = {row["k"]: row for row in pipeline.rows("grouped")}
    assert by_key[1] == {
        "k": 1,
        "n": 2,
        "c": 2,
        "s": 11,
        "a": 5.5,
        "low": "a",
        "large": 1,
        "high": Decimal("4.00"),
        "p": Decimal("5.50"),
    }

    pipeline.spark.sql(f"DELETE FROM {pipeline.name('facts')} WHERE id = 5").collect()
    result = pipeline.run(VIEWS)
    assert set(techniques(list(result.events)).values()) == {anew}
    assert "DELETE) from streaming source" in reasons(result)["grouped"] or "changed data" in reasons(result)["grouped"]
    pipeline.spark.sql(f"DELETE FROM {pipeline.name('total')}").collect()
    result = pipeline.run(VIEWS, refresh_selection=["total", "kept"])
    assert techniques(list(result.events)) == {"total": anew, "kept": "NO_OP"}
    assert "the table was changed since" in reasons(result)["total"]
    assert techniques(list(pipeline.run(VIEWS, full_refresh_selection=["kept"]).events)) == {"kept": anew}
    text = VIEWS.text.replace("amount IS NOT NULL", "amount > 2").replace("amount * 2", "amount * 3")
    # Of a list the engine's plan shows the beginning, and of rows in the query nothing.
    text = text.replace("(7)", "(70)").replace('"one")]', '"two")]')
    told = reasons(
        pipeline.run(SourceFile(VIEWS.path, text), refresh_selection=["kept", "joined", "total", "listed", "in_rows"])
    )
    assert {name for name, why in told.items() if why.startswith("its definition")} == {"joined", "kept", "listed", "in_rows"}


def test_any_changes_leave_what_computing_anew_gives(pipeline: PipelineUnderTest) -> None:
    begin(pipeline)
    plan = pipeline.plan(VIEWS)
    pipeline.run(VIEWS)
    session, events = Session(pipeline.spark), list[Event]()
    targets = Targets(session, plan, pipeline.state, str, events.append)
    places = {name: pipeline.name(name) for name in ("facts", "dim")}
    ways: defaultdict[str, set[str]] = defaultdict(set)
    views = ("joined", "left_joined", "both", "grouped", "total", "by_name")
    flows = [flow for flow in plan.flows.values() if flow.target.rsplit(".", 1)[-1] in views]

    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(CHANGES, min_size=1, max_size=3))
    def changed(changes: list[list[Row] | str]) -> None:
        for change in changes:
            if isinstance(change, str):
                pipeline.spark.sql(change.format(**places)).collect()
            else:
                pipeline.given("facts", change, FACTS)
        threads = [
            threading.Thread(target=targets.write, args=(flow, plan.datasets[flow.target], checked(plan.datasets[flow.target])))
            for flow in flows
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for flow in flows:
            name = plan.datasets[flow.target].name[-1]
            columns = [one.name for one in flow.schema]
            wanted = sorted(session.frame(plan.relation(flow)).collect(), key=repr)
            found = sorted(
                pipeline.spark.table(pipeline.name(name)).select(*(f"`{one}`" for one in columns)).collect(), key=repr
            )
            assert found == wanted, name
        for name, way in techniques(events).items():
            ways[name].add(way)
        events.clear()

    changed()
    assert {"COMPLETE_RECOMPUTE", "GROUP_AGGREGATE"} <= ways["grouped"]
    assert {"COMPLETE_RECOMPUTE", "APPEND_ONLY"} <= ways["left_joined"]
