"""Rows on their way into a Delta table that is there: made to fit, then one write by path that the engine does in one commit.

Every way to write (``save``, ``saveAsTable``, ``insertInto``, ``writeTo``, INSERT) ends in the same engine command, so that a
rule holds on all of them. By path, since by name the engine casts where it should refuse and cannot take partition columns.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.forms.decimal_literals import condition_with_doubles
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, sql
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.session import USER_METADATA, EngineSession
from boathouse.engine.gateway.sql.tokens import literal, parts_of, quote
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.delta_target import load as load_target
from boathouse.engine.gateway.writes.enforcement import Fit, Rules, fit, in_utc, only_where, rows_that_fit
from boathouse.engine.gateway.writes.evolution import add_columns
from boathouse.engine.gateway.writes.rows_apart import set_apart
from boathouse.engine.write_errors import ConcurrentModification, partitioning_mismatch

_NOT_FOR_ENGINE = frozenset(
    {"path", "mergeschema", "overwriteschema", "replacewhere", "partitionoverwritemode", "txnappid", "txnversion"}
    | {"replaceusing", "replaceon", "targetalias"}
)
_AUTO_MERGE = "spark.databricks.delta.schema.autoMerge.enabled"
NUMBER = "spark.databricks.delta.write.txnVersion"
"""The setting with the number of the session's next write."""
_FORGETS = f"{NUMBER}.autoReset.enabled"
_OF_SESSION = {
    "userMetadata": USER_METADATA,
    "txnAppId": "spark.databricks.delta.write.txnAppId",
    "txnVersion": NUMBER,
}
_CONDITION_CHECK = "spark.databricks.delta.replaceWhere.constraintCheck.enabled"
_DYNAMIC = "spark.sql.sources.partitionOverwriteMode"
_EVOLUTION_ATTEMPTS = 5


class Mode(Enum):
    """What becomes of the rows that are there."""

    APPEND = auto()
    OVERWRITE = auto()
    """All rows, or those for which a condition is true, are replaced."""
    PARTITIONS = auto()
    """Those partitions are replaced for which there are new rows."""


@dataclass(frozen=True)
class Matching:
    """Which rows are replaced: those that match one of the new ones.

    Attributes:
        using: Columns in which both are equal.
        condition: What is true of both, as SQL text.
        alias: Of the table in the condition, if it is not its name.
        query_alias: Of the new rows in the condition.
    """

    using: tuple[str, ...] = ()
    condition: str = ""
    alias: str | None = None
    query_alias: str | None = None


@dataclass(frozen=True)
class Plan:
    """A write as it was asked for.

    Attributes:
        rules: How columns are matched.
        mode: What becomes of the rows that are there.
        condition: Which of them are replaced, as SQL text.
        matching: Which of them are replaced, by the new rows.
        names_partitions: Whether the condition says no more than which partitions, by literals.
        options: Options of the writer.
        partition_by: Partition columns that the writer names.
    """

    rules: Rules
    mode: Mode = Mode.APPEND
    condition: str | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    partition_by: tuple[str, ...] = ()
    matching: Matching | None = None
    names_partitions: bool = False

    @property
    def tells(self) -> bool:
        """Whether an error of the write could tell of a row that is there."""
        return self.matching is not None or (self.condition is not None and not self.names_partitions)


def option(options: Mapping[str, str], key: str) -> str | None:
    """The value of an option, whatever the case of its name."""
    return next((value for name, value in options.items() if name.lower() == key), None)


def is_true(text: str | None) -> bool:
    """Whether an option's text means yes."""
    return text is not None and text.strip().lower() == "true"


def evolves(options: Mapping[str, str], session: EngineSession) -> bool:
    """Whether columns that the table lacks are to be added: by the option, else by the session's setting."""
    asked = option(options, "mergeschema")
    return is_true(asked) if asked is not None else is_true(session.delta_settings.get(_AUTO_MERGE))


def matching_of(options: Mapping[str, str], query_alias: str | None = None) -> Matching | None:
    """Which rows a writer's options say that the new ones replace; None where they do not.

    Raises:
        StatementRefused: If they say it in two ways.
    """
    using, condition = option(options, "replaceusing"), option(options, "replaceon")
    if using is None and condition is None:
        return None
    key = "replaceUsing" if condition is None else "replaceOn"
    others = ("replaceWhere", "replaceUsing", "replaceOn", "overwriteSchema", "partitionOverwriteMode")
    for other in others:
        if other != key and option(options, other.lower()) is not None:
            message = f"The option {key} cannot be combined with {other}."
            raise StatementRefused(message)
    columns = [] if using is None else [parts_of(one) for one in using.split(",")]
    if not all(len(one) == 1 for one in columns):
        message = f"The option replaceUsing takes names of columns, as in 'day, store'; not '{using}'."
        raise StatementRefused(message)
    return Matching(tuple(one[0] for one in columns), condition or "", option(options, "targetalias"), query_alias)


def session_options(session: EngineSession) -> dict[str, str]:
    """The writer's options that the session's settings stand for."""
    found = {key: session.delta_settings.get(setting) for key, setting in _OF_SESSION.items()}
    return {key: value for key, value in found.items() if value is not None}


def forgets_number(options: Mapping[str, str], session: EngineSession) -> bool:
    """Whether the number of a write is a setting that is to hold for one write only."""
    return option(options, "txnversion") is None and is_true(session.delta_settings.get(_FORGETS))


def overwrite_mode(options: Mapping[str, str], session: EngineSession) -> Mode:
    """What an overwrite without a condition replaces: by the option, else by the session's setting."""
    asked = option(options, "partitionoverwritemode")
    text = asked if asked is not None else session.setting(_DYNAMIC)
    return Mode.PARTITIONS if (text or "").lower() == "dynamic" else Mode.OVERWRITE


class Ingest:
    """Makes the engine's commands for writes of one request.

    Args:
        session: The session of the request.
    """

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    def command(self, target: DeltaTarget, rows: Any, plan: Plan) -> Any | None:
        """The write command for rows; None where there is nothing to be done.

        Raises:
            WriteRefused: If the rows do not fit.
            AioRpcError: If the engine cannot analyse them.
        """
        _, found, target = self.fitted(target, rows, plan)
        fitting = rows_that_fit(rows, found, target)
        condition = plan.condition
        if plan.mode is Mode.PARTITIONS and target.partition_by:
            condition = self._partitions(fitting, target)
            if condition is None:
                return None
        if condition is not None:
            fitting = in_utc(fitting, found)
        if condition is not None and (self._session.delta_settings.get(_CONDITION_CHECK) or "true").lower() != "false":
            fitting = only_where(fitting, found, condition, condition)
        fitting = set_apart(self._session, fitting, target)
        write = proto().WriteOperation(source="delta", path=str(target.folder))
        modes = proto().WriteOperation
        write.mode = modes.SAVE_MODE_APPEND if plan.mode is Mode.APPEND else modes.SAVE_MODE_OVERWRITE
        write.input.CopyFrom(fitting)
        write.partitioning_columns.extend(target.partition_by)
        write.options.update({key: value for key, value in plan.options.items() if key.lower() not in _NOT_FOR_ENGINE})
        if condition is not None:
            # The engine keeps rows for which NOT the condition is true, and so would lose those for which it is NULL.
            write.options["replaceWhere"] = f"({condition_with_doubles(self._session, condition)}) IS TRUE"
        return write

    def fitted(self, target: DeltaTarget, rows: Any, plan: Plan) -> tuple[Struct, Fit, DeltaTarget]:
        """The columns of rows, how they fit, and the table, which may have got new columns.

        Raises:
            WriteRefused: If they do not.
        """
        if plan.partition_by and [name.lower() for name in plan.partition_by] != [name.lower() for name in target.partition_by]:
            raise partitioning_mismatch(target.name, plan.partition_by, target.partition_by)
        source = from_message(self._session.schema(rows))
        if not isinstance(source, Struct):
            raise TypeError
        found, fitting = self._fit(source, target, plan)
        if fitting.version > target.version and plan.mode is Mode.APPEND:
            # Of the table's own rows, those that were looked at: read now, they would have the new columns too.
            _read_as_of(rows, target)
        return source, found, fitting

    def _fit(self, source: Struct, target: DeltaTarget, plan: Plan) -> tuple[Fit, DeltaTarget]:
        """How the rows fit, after new columns were added if they are to be."""
        for attempt in range(_EVOLUTION_ATTEMPTS):
            found = fit(source, target, plan.rules)
            if found.schema == target.schema:
                return found, target
            try:
                add_columns(target, found.schema)
            except ConcurrentModification:
                if attempt + 1 == _EVOLUTION_ATTEMPTS:
                    raise
            target = load_target(str(target.folder), target.name) or target
        # What was added is there now.
        return fit(source, target, replace(plan.rules, evolve=False)), target

    def _partitions(self, rows: Any, target: DeltaTarget) -> str | None:
        """A condition that is true in just the partitions for which there are rows; None if there are none."""
        distinct = proto().Relation()
        distinct.deduplicate.input.project.input.CopyFrom(rows)
        for name in target.partition_by:
            part = distinct.deduplicate.input.project.expressions.add()
            part.expression_string.expression = quote([name])
        distinct.deduplicate.all_columns_as_keys = True
        table = self._session.rows(distinct)
        if table.num_columns == 0 or table.num_rows == 0:
            return None
        types = [sql(one.type) for name in target.partition_by if (one := target.schema.find(name)) is not None]
        places = [
            " AND ".join(
                f"{quote([name])} <=> {_value(value, kind)}"
                for name, value, kind in zip(target.partition_by, row, types, strict=True)
            )
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
        ]
        return " OR ".join(f"({place})" for place in places)


def _read_as_of(rows: Any, target: DeltaTarget) -> None:
    """Have rows that are read from a table be those of its version, in place."""
    for one in walk(rows):
        if one.DESCRIPTOR.full_name == "spark.connect.Read.DataSource" and list(one.paths) == [str(target.folder)]:
            lower = {key.lower() for key in one.options}
            if one.format.lower() == "delta" and not lower & {"versionasof", "timestampasof"}:
                one.options["versionAsOf"] = str(target.version)


def _value(value: Any, kind: str) -> str:
    """A value of a partition column as a SQL literal."""
    match value:
        case None:
            return f"CAST(NULL AS {kind})"
        case bool() | int() | float() | Decimal():
            return f"CAST({literal(str(value))} AS {kind})"
        case dt.datetime() | dt.date():
            return f"CAST({literal(str(value))} AS {kind})"
        case bytes():
            return f"X'{value.hex()}'"
        case _:
            return f"CAST({literal(str(value))} AS {kind})" if kind != "STRING" else literal(str(value))
