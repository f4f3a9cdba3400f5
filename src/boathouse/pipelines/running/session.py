"""The engine as a pipeline's process sees it: a stock Spark Connect session."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import LogicalPlan
from pyspark.sql.conversion import ArrowTableToRowsConversion
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from boathouse.engine.gateway.sql.statements import parse
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Column, Relation
from boathouse.pipelines.planning.plan import Schema, ddl
from boathouse.pipelines.planning.relations import uses
from boathouse.pipelines.source.sql_source import sql_relation


class _Fixed(LogicalPlan):
    """A plan whose message is there already."""

    def __init__(self, relation: Relation) -> None:
        super().__init__(None)
        self._relation = relation

    def plan(self, session: Any) -> Relation:  # noqa: ARG002 - the client's method
        return self._relation


@dataclass(frozen=True)
class Version:
    """A version of a table, with what its commit counted."""

    number: int
    operation: str
    metrics: dict[str, str]


class Session:
    """What is asked of the engine for a pipeline.

    Args:
        spark: A Spark Connect session.
    """

    def __init__(self, spark: Any) -> None:
        self.spark = spark
        self._empty: dict[str, Relation] = {}
        self._settings: Mapping[str, str] = {}
        self._before: dict[str, str | None] = {}

    @property
    def client(self) -> Any:
        """The client, which turns DataFrames into messages."""
        return self.spark.client

    def frame(self, relation: Relation) -> DataFrame:
        """A relation as a DataFrame."""
        return DataFrame(_Fixed(relation), self.spark)

    def analyse(self, relation: Relation) -> Schema:
        """The columns of a relation.

        Raises:
            DefinitionInvalid: If the engine refuses it.
        """
        return tuple(Column(one.name, one.dataType.simpleString()) for one in self.schema(relation).fields)

    def schema(self, relation: Relation) -> StructType:
        """The columns of a relation, as the client has them.

        Raises:
            DefinitionInvalid: If the engine refuses it.
        """
        try:
            return self.frame(relation).schema
        except PySparkException as error:
            raise refused(error) from error

    def nothing(self, schema: Schema) -> Relation:
        """The relation of no rows with some columns."""
        text = ddl(tuple(Column(one.name, one.type) for one in schema))
        if text not in self._empty:
            casts = ", ".join(f"CAST(NULL AS {one.type}) AS `{one.name.replace('`', '``')}`" for one in schema)
            self._empty[text] = sql_relation(f"SELECT {casts or 'NULL AS nothing'} LIMIT 0")
        return self._empty[text]

    def run(self, text: str) -> list[Any]:
        """Execute a statement, and answer its rows."""
        answer = self.spark.sql(text)
        rows = _answered(answer._plan.to_proto(self.client).root)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return answer.collect() if rows is None else rows

    def versions(self, quoted: str, after: int) -> list[Version]:
        """The versions of a table after one, oldest first."""
        rows = self.run(f"DESCRIBE HISTORY {quoted}")
        found = [
            Version(int(row["version"]), str(row["operation"]), dict(row["operationMetrics"] or {}))
            for row in rows
            if int(row["version"]) > after
        ]
        return sorted(found, key=lambda one: one.number)

    def version(self, quoted: str) -> int:
        """The newest version of a table."""
        return int(self.run(f"DESCRIBE HISTORY {quoted} LIMIT 1")[0]["version"])

    def table_id(self, quoted: str) -> str | None:
        """The identifier of a Delta table; None for what is none."""
        try:
            rows = self.run(f"DESCRIBE DETAIL {quoted}")
        except PySparkException:
            return None
        found = rows[0].asDict() if rows else {}
        return str(found["id"]) if found.get("format") == "delta" else None

    def explain(self, relation: Relation) -> str:
        """The engine's plans of a relation."""
        return str(self.frame(relation)._explain_string("extended"))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def properties(self, quoted: str) -> dict[str, str] | None:
        """The properties of a table; None where there is no table."""
        try:
            rows = self.run(f"SHOW TBLPROPERTIES {quoted}")
        except PySparkException as error:
            if error.getCondition() == "TABLE_OR_VIEW_NOT_FOUND":
                return None
            raise
        return {str(row[0]): str(row[1]) for row in rows}

    def settle(self, settings: Mapping[str, str]) -> None:
        """Give the session the settings of a flow; what an earlier flow had set is again as it was before.

        Raises:
            DefinitionInvalid: If the engine refuses one.
        """
        if settings == self._settings:
            return
        conf = self.spark.conf
        try:
            for key in self._before.keys() - settings.keys():
                value = self._before.pop(key)
                conf.unset(key) if value is None else conf.set(key, value)
            for key, value in settings.items():
                if key not in self._before:
                    self._before[key] = conf.get(key, None)
                conf.set(key, value)
        except PySparkException as error:
            raise refused(error) from error
        self._settings = dict(settings)

    @contextmanager
    def under(self, settings: Mapping[str, str]) -> Generator[None]:
        """In this block the session has the settings of a flow, and afterwards those that it had."""
        before = self._settings
        self.settle(settings)
        try:
            yield
        finally:
            self.settle(before)

    @contextmanager
    def answering(self, meant: Callable[[Relation], Relation]) -> Generator[None]:
        """In this block what a DataFrame is asked about itself, as its columns, is asked of what its relation means."""
        client = self.client
        analyze = client._analyze  # noqa: SLF001

        def _analyze(method: str, **named: Any) -> Any:
            plan = named.get("plan")
            if method == "is_streaming" and plan is not None and uses(plan.root)[1]:
                return SimpleNamespace(is_streaming=True)
            if plan is not None and plan.WhichOneof("op_type") == "root":
                named["plan"] = type(plan)(root=meant(plan.root))
            return analyze(method, **named)

        client._analyze = _analyze  # noqa: SLF001
        try:
            yield
        finally:
            client._analyze = analyze  # noqa: SLF001

    @contextmanager
    def lazy_queries(self) -> Generator[None]:
        """In this block ``spark.sql`` of a query asks nothing: what it reads may not be there yet."""
        client = self.client
        execute = client.execute_command

        def execute_command(command: Any, *arguments: Any, **named: Any) -> Any:
            if command.WhichOneof("command_type") == "sql_command":
                relation = command.sql_command.input
                root = relation.with_relations.root if relation.WhichOneof("rel_type") == "with_relations" else relation
                if parse(root.sql.query).is_query or _reads_stream(root.sql.query):
                    return None, {}, None
            return execute(command, *arguments, **named)

        client.execute_command = execute_command
        try:
            yield
        finally:
            del client.execute_command


def _answered(relation: Relation) -> list[Any] | None:
    """The rows of an answer that came with them, so that they need not be asked for again; None if it did not."""
    if relation.WhichOneof("rel_type") != "local_relation" or not relation.local_relation.HasField("data"):
        return None
    with pa.ipc.open_stream(relation.local_relation.data) as stream:
        table = stream.read_all()
    schema = from_arrow_schema(table.schema, prefer_timestamp_ntz=True)
    return ArrowTableToRowsConversion.convert(table, schema)


def _reads_stream(text: str) -> bool:
    return parse(text).verb[:1] in {("SELECT",), ("WITH",), ("FROM",)}


def refused(error: PySparkException) -> DefinitionInvalid:
    """An engine's refusal."""
    condition = error.getCondition() or type(error).__name__
    return DefinitionInvalid(condition, str(error).removeprefix(f"[{condition}] "))


@dataclass
class Counted:
    """What the commits of some versions counted."""

    written: int = 0
    dropped: int = 0
    upserted: int = 0
    deleted: int = 0
    expectations: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Passed and failed rows by the name of the expectation."""


def counts_of(versions: Sequence[Version]) -> Counted:
    """What the commits of some versions counted."""
    found = Counted()
    for metrics in (version.metrics for version in versions):
        found.written += int(metrics.get("numOutputRows", 0))
        found.dropped += int(metrics.get("droppedRecords", 0))
        found.upserted += sum(int(metrics.get(key, 0)) for key in ("numTargetRowsInserted", "numTargetRowsUpdated"))
        found.deleted += int(metrics.get("numTargetRowsDeleted", 0))
        for one in json.loads(metrics.get("expectations", "[]")):
            passed, failed = found.expectations.get(one["name"], (0, 0))
            found.expectations[one["name"]] = (passed + int(one["passed"]), failed + int(one["failed"]))
    return found
