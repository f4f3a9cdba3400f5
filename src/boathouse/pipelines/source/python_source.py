"""Python sources of a pipeline: ``from pyspark import pipelines as dp`` as it is, with what Databricks' has beside it, and ``dlt``.

The open module registers what is declared through its registry, so that is where declarations come from. What it lacks is put on
the module object while sources of a pipeline run, and taken off afterwards.
"""

import functools
import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pyspark import pipelines
from pyspark.errors import PySparkException
from pyspark.pipelines import output as outputs
from pyspark.pipelines.flow import AutoCdcFlow
from pyspark.pipelines.flow import Flow as OpenFlow
from pyspark.pipelines.graph_element_registry import GraphElementRegistry, graph_element_registration_context
from pyspark.sql import Column as SparkColumn
from pyspark.sql.types import StructType

from boathouse.engine.gateway.sql.expression_text import expression_text
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.gateway.sql.words import StatementSyntax
from boathouse.errors import BoathouseError
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import (
    INVALID_SNAPSHOT,
    Action,
    AutoCdc,
    Column,
    Dataset,
    Declarations,
    Expectation,
    Flow,
    Kind,
    Location,
    Relation,
    Snapshot,
    SnapshotCdc,
)
from boathouse.pipelines.source.sources import Piece
from boathouse.pipelines.source.sql_source import CLUSTER_AUTO, SqlContext, SqlFile, columns_of, row_filter_of
from boathouse.pipelines.source.versions import VALID, is_version

_EXPECTATIONS = "__boathouse_expectations__"
_HERE = (str(Path(__file__)), str(Path(inspect.getfile(pipelines)).parent))
_KINDS: tuple[tuple[type, Kind], ...] = (
    (outputs.MaterializedView, Kind.MATERIALIZED_VIEW),
    (outputs.StreamingTable, Kind.STREAMING_TABLE),
    (outputs.TemporaryView, Kind.TEMPORARY_VIEW),
    (outputs.Sink, Kind.SINK),
)
_MORE_OPTIONS = frozenset({"private", "temporary", "cluster_by_auto", "path", "row_filter"})


class Registry(GraphElementRegistry):
    """Takes what Python sources declare.

    Args:
        into: Where it goes.
        client: The Spark Connect client of the session, which turns DataFrames into messages.
        configuration: The pipeline's.
    """

    def __init__(self, into: Declarations, client: Any, configuration: Mapping[str, str]) -> None:
        self.into = into
        self.configuration = configuration
        self._client = client
        self._more: dict[str, Any] = {}

    @contextmanager
    def having(self, **more: Any) -> Generator[None]:
        """What is registered in this block gets values that the open module does not know."""
        before, self._more = self._more, more
        try:
            yield
        finally:
            self._more = before

    def register_output(self, output: outputs.Output) -> None:
        """A dataset or sink."""
        kind = next(kind for known, kind in _KINDS if isinstance(output, known))
        dataset = Dataset(output.name, kind, _location(), output.comment)
        if isinstance(output, outputs.Table):
            dataset = replace(
                dataset,
                columns=self._columns(output.schema),
                partition_by=tuple(output.partition_cols or ()),
                cluster_by=tuple(output.cluster_by or ()),
                properties=dict(output.table_properties),
                format=output.format,
            )
        if isinstance(output, outputs.Sink):
            dataset = replace(dataset, format=output.format, options=dict(output.options))
        self.into.datasets.append(replace(dataset, **self._more))

    def register_flow(self, flow: OpenFlow) -> None:
        """A query."""
        location = _location()
        query = functools.partial(self._evaluate, flow.func, location)
        self.into.flows.append(Flow(flow.name, flow.target, location, query, settings=dict(flow.spark_conf)))

    def register_auto_cdc_flow(self, flow: AutoCdcFlow) -> None:
        """Changes, as the open module knows them. Sources here get this module's own function, which knows more."""
        self.add_changes(
            flow.target,
            flow.source,
            flow.keys,
            flow.sequence_by,
            name=flow.name,
            apply_as_deletes=flow.apply_as_deletes,
            column_list=flow.column_list,
            except_column_list=flow.except_column_list,
        )

    def register_sql(self, sql_text: str, file_path: Path) -> None:
        """A SQL file."""
        SqlFile(sql_text, str(file_path), self.into, SqlContext(self.configuration)).read()

    def add_changes(
        self,
        target: str,
        source: str,
        keys: Sequence[str | SparkColumn],
        sequence_by: str | SparkColumn,
        ignore_null_updates: bool = False,
        apply_as_deletes: str | SparkColumn | None = None,
        apply_as_truncates: str | SparkColumn | None = None,
        column_list: Sequence[str | SparkColumn] | None = None,
        except_column_list: Sequence[str | SparkColumn] | None = None,
        stored_as_scd_type: int | str | None = 1,
        track_history_column_list: Sequence[str | SparkColumn] | None = None,
        track_history_except_column_list: Sequence[str | SparkColumn] | None = None,
        name: str | None = None,
        once: bool = False,
        ignore_null_updates_column_list: Sequence[str | SparkColumn] | None = None,
    ) -> None:
        """``create_auto_cdc_flow`` and ``apply_changes``."""
        location = _location()
        cdc = AutoCdc(
            source=source,
            keys=self._names(keys, "keys", location) or (),
            sequence_by=self._text(sequence_by),
            ignore_null_updates=ignore_null_updates or ignore_null_updates_column_list is not None,
            ignore_null_columns=self._names(ignore_null_updates_column_list, "ignore_null_updates_column_list", location),
            apply_as_deletes=None if apply_as_deletes is None else self._text(apply_as_deletes),
            apply_as_truncates=None if apply_as_truncates is None else self._text(apply_as_truncates),
            columns=self._names(column_list, "column_list", location),
            except_columns=self._names(except_column_list, "except_column_list", location) or (),
            scd_type=_scd_type(stored_as_scd_type, location),
            track=self._names(track_history_column_list, "track_history_column_list", location),
            track_except=self._names(track_history_except_column_list, "track_history_except_column_list", location) or (),
        )
        self.into.flows.append(Flow(name or target, target, location, cdc=cdc, once=once))

    def add_snapshots(
        self,
        target: str,
        source: Any,
        keys: Sequence[str | SparkColumn],
        stored_as_scd_type: int | str = 1,
        track_history_column_list: Sequence[str | SparkColumn] | None = None,
        track_history_except_column_list: Sequence[str | SparkColumn] | None = None,
        name: str | None = None,
    ) -> None:
        """``create_auto_cdc_from_snapshot_flow`` and ``apply_changes_from_snapshot``."""
        location = _location()
        if not (isinstance(source, str) or callable(source)):
            message = f"source is {source!r}. Valid: the name of a table or view, or a function of the last version."
            raise DefinitionInvalid("INVALID_ARGUMENT", message, location)

        asked: Any = source

        def following(last: Any) -> Snapshot | None:
            with faults(location):
                found: Any = asked(last)
                if found is None:
                    return None
                frame, version = found if isinstance(found, tuple) and len(found) == 2 else (None, None)
                plan = getattr(frame, "_plan", None)
                if plan is None or not is_version(version):
                    message = f"The source must return a DataFrame and its version ({VALID}), or None; it returned {found!r}."
                    raise DefinitionInvalid(INVALID_SNAPSHOT, message, location)
                return Snapshot(plan.plan(self._client), version)

        cdc = SnapshotCdc(
            source=source if isinstance(source, str) else following,
            keys=self._names(keys, "keys", location) or (),
            scd_type=_scd_type(stored_as_scd_type, location),
            track=self._names(track_history_column_list, "track_history_column_list", location),
            track_except=self._names(track_history_except_column_list, "track_history_except_column_list", location) or (),
        )
        self.into.flows.append(Flow(name or target, target, location, cdc=cdc))

    def _evaluate(self, function: Callable[[], Any], location: Location) -> Relation:
        """The relation that a query function answers."""
        with faults(location):
            frame = function()
            plan = getattr(frame, "_plan", None)
            if plan is None:
                name = getattr(function, "__name__", "the function")
                message = f"{name} must return a DataFrame; it returned {type(frame).__name__}."
                raise DefinitionInvalid("NO_DATAFRAME", message, location)
            return plan.plan(self._client)

    def _columns(self, schema: StructType | str | None) -> tuple[Column, ...]:
        if schema is None:
            return ()
        if isinstance(schema, StructType):
            return tuple(
                Column(one.name, one.dataType.simpleString(), one.metadata.get("comment"), not one.nullable)
                for one in schema.fields
            )
        try:
            return columns_of(schema)
        except StatementSyntax as error:
            raise DefinitionInvalid("INVALID_SCHEMA", f"schema: {error.message}", _location()) from error

    def _text(self, value: str | SparkColumn) -> str:
        if isinstance(value, str):
            return value
        column: Any = value
        return expression_text(column.to_plan(self._client))

    def _names(self, values: Sequence[str | SparkColumn] | None, field: str, location: Location) -> tuple[str, ...] | None:
        if values is None:
            return None
        parts = [parts_of(self._text(value)) for value in values]
        if isinstance(values, str) or not all(len(one) == 1 for one in parts):
            raise DefinitionInvalid("INVALID_ARGUMENT", f"{field} must be a list of columns.", location)
        return tuple(one[0] for one in parts)


def _scd_type(value: int | str | None, location: Location) -> int:
    if str(value) not in {"1", "2", "None"}:
        raise DefinitionInvalid("INVALID_ARGUMENT", f"stored_as_scd_type is {value!r}. Valid: 1, 2.", location)
    return 2 if str(value) == "2" else 1


def _location() -> Location:
    """Where the pipeline's source calls this module: the innermost frame that is not the library's."""
    frame = inspect.currentframe()
    while frame is not None and (
        frame.f_code.co_filename.startswith(_HERE) or frame.f_code.co_filename.endswith("contextlib.py")
    ):
        frame = frame.f_back
    return Location("unknown") if frame is None else Location(frame.f_code.co_filename, frame.f_lineno)


@contextmanager
def faults(location: Location) -> Generator[None]:
    """Turn what user code raises in this block into an error that names file and line."""
    try:
        yield
    except DefinitionInvalid:
        raise
    except PySparkException as error:
        condition = error.getCondition() or type(error).__name__
        text = str(error).removeprefix(f"[{condition}] ")
        raise DefinitionInvalid(condition, text, _raised_at(error, location)) from error
    except BoathouseError as error:
        raise DefinitionInvalid(error.error_code, error.message, _raised_at(error, location)) from error
    except SyntaxError as error:
        raise DefinitionInvalid("SYNTAX_ERROR", error.msg, Location(error.filename or location.file, error.lineno)) from error
    except Exception as error:
        raise DefinitionInvalid(type(error).__name__, str(error), _raised_at(error, location)) from error


def _raised_at(error: BaseException, location: Location) -> Location:
    """The innermost line of a source of the pipeline that an error went through."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename in linecache.cache]
    own = [one for one in frames if one.filename in _SOURCES or one.filename == location.file]
    return Location(own[-1].filename, own[-1].lineno) if own else location


_SOURCES: set[str] = set()


# ------------------------------------------------------------------------------------------------------- expectations


def _one(action: Action) -> Callable[[str, str], Callable[[Any], Any]]:
    def decorator(description: str, constraint: str) -> Callable[[Any], Any]:
        return _attach([Expectation(description, constraint, action)])

    return decorator


def _all(action: Action) -> Callable[[Mapping[str, str]], Callable[[Any], Any]]:
    def decorator(expectations: Mapping[str, str]) -> Callable[[Any], Any]:
        return _attach([Expectation(name, constraint, action) for name, constraint in expectations.items()])

    return decorator


def _attach(expectations: list[Expectation]) -> Callable[[Any], Any]:
    location = _location()

    def decorate(function: Any) -> Any:
        if not callable(function):
            message = "An expectation stands below the decorator of its dataset, just above the function."
            raise DefinitionInvalid("MISPLACED_EXPECTATION", message, location)
        setattr(function, _EXPECTATIONS, [*expectations, *getattr(function, _EXPECTATIONS, [])])
        return function

    return decorate


_DECORATORS: dict[str, Any] = {
    "expect": _one(Action.WARN),
    "expect_or_drop": _one(Action.DROP),
    "expect_or_fail": _one(Action.FAIL),
    "expect_all": _all(Action.WARN),
    "expect_all_or_drop": _all(Action.DROP),
    "expect_all_or_fail": _all(Action.FAIL),
}


def _given(options: dict[str, Any]) -> tuple[Expectation, ...]:
    """The expectations in a function's keyword arguments, which are taken out."""
    found: list[Expectation] = []
    for name, action in (
        ("expect_all", Action.WARN),
        ("expect_all_or_drop", Action.DROP),
        ("expect_all_or_fail", Action.FAIL),
    ):
        found += [Expectation(key, text, action) for key, text in (options.pop(name, None) or {}).items()]
    return tuple(found)


# ----------------------------------------------------------------------------------------------------------- modules


def _more(options: dict[str, Any]) -> dict[str, Any]:
    """What the options say that the open module does not know."""
    asked = {name: options.pop(name) for name in _MORE_OPTIONS & options.keys()}
    if asked.get("cluster_by_auto"):
        raise DefinitionInvalid("UNSUPPORTED_OPTION", f"cluster_by_auto: give cluster_by, {CLUSTER_AUTO}.", _location())
    found: dict[str, Any] = {"is_private": bool(asked.get("private") or asked.get("temporary")), "path": asked.get("path")}
    if asked.get("row_filter") is not None:
        try:
            found["row_filter"] = row_filter_of(str(asked["row_filter"]))
        except StatementSyntax as error:
            raise DefinitionInvalid("INVALID_ROW_FILTER", f"row_filter: {error.message}", _location()) from error
    return found


def _declaring(registry: Registry, open_function: Any, *, is_view: bool = False, **fixed: Any) -> Any:
    """A decorator of the open module that takes the options of Databricks' too; a view has none of a table's."""

    def decorator(query_function: Any = None, **options: Any) -> Any:
        more = {} if is_view else _more(options)

        def decorate(function: Any) -> Any:
            expectations = tuple(getattr(function, _EXPECTATIONS, ()))
            with registry.having(**more, **fixed, expectations=expectations):
                return open_function(**options)(function)

        return decorate if query_function is None else decorate(query_function)

    return decorator


def _create_streaming_table(registry: Registry, open_function: Any) -> Any:
    def create(name: str, **options: Any) -> None:
        expectations = _given(options)
        with registry.having(**_more(options), expectations=expectations):
            open_function(name=name, **options)

    return create


def _append_flow(registry: Registry, open_function: Any) -> Any:
    def append_flow(*, once: bool = False, comment: str | None = None, **options: Any) -> Any:
        del comment
        decorate = open_function(**options)

        def decorated(function: Any) -> None:
            decorate(function)
            registry.into.flows[-1] = replace(registry.into.flows[-1], once=once)

        return decorated

    return append_flow


def _reads(spark: Any) -> dict[str, Any]:
    return {
        "read": lambda name: spark.read.table(name),  # noqa: PLW0108 - a reader is of one read
        "read_stream": lambda name: spark.readStream.table(name),  # noqa: PLW0108
        "readStream": lambda name: spark.readStream.table(name),  # noqa: PLW0108
    }


@contextmanager
def declaring(registry: Registry, spark: Any) -> Generator[None]:
    """In this block sources can be run: their declarations go into the registry."""
    own = {name: getattr(pipelines, name) for name in pipelines.__all__}
    changes = {
        "create_auto_cdc_flow": registry.add_changes,
        "apply_changes": registry.add_changes,
        "create_auto_cdc_from_snapshot_flow": registry.add_snapshots,
        "apply_changes_from_snapshot": registry.add_snapshots,
    }
    common = {
        **_DECORATORS,
        **_reads(spark),
        **changes,
        "create_streaming_table": _create_streaming_table(registry, own["create_streaming_table"]),
        "append_flow": _append_flow(registry, own["append_flow"]),
        "materialized_view": _declaring(registry, own["materialized_view"]),
        "temporary_view": _declaring(registry, own["temporary_view"], is_view=True),
    }
    added = {**common, "table": _declaring(registry, own["table"])}
    old = ModuleType("dlt", "Databricks' older name for declarative pipelines.")
    # The query of dlt.table says whether it streams.
    vars(old).update(common, create_sink=own["create_sink"], table=_declaring(registry, own["table"], kind=None))
    vars(old).update(view=common["temporary_view"], create_streaming_live_table=common["create_streaming_table"])
    before = {name: sys.modules.get(name) for name in ("dlt",)}
    for name, value in added.items():
        setattr(pipelines, name, value)
    sys.modules["dlt"] = old
    try:
        with graph_element_registration_context(registry):
            yield
    finally:
        for name in added:
            if name in own:
                setattr(pipelines, name, own[name])
            else:
                delattr(pipelines, name)
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def run_python(path: str, parts: Iterable[Piece], registry: Registry, given: Mapping[str, Any]) -> None:
    """Run the pieces of one file one after the other, in one namespace that has some names already, as ``spark``.

    Raises:
        DefinitionInvalid: If it raises, or declares something that cannot be.
    """
    names: dict[str, Any] = {"__name__": Path(path).stem, "__file__": path, **given}
    said = SqlContext(registry.configuration)
    _SOURCES.add(path)
    for piece in parts:
        if piece.language == "sql":
            SqlFile(piece.code, path, registry.into, said, piece.line).read()
            continue
        code = "\n" * (piece.line - 1) + piece.code
        linecache.cache[path] = (len(code), None, code.splitlines(keepends=True), path)
        with faults(Location(path, piece.line)):
            exec(compile(code, path, "exec"), names)  # noqa: S102 - a pipeline's source is code to be run, in a process for it
