"""Writes whose rows carry what expectations found in them: counted, kept or set aside in the same pass that writes them.

The rows come with a column for each expectation, true where it is met and NULL where not, and with one that says whether the row is
kept. They are written once, beside the table, kept and dropped rows in files of their own; how many rows met what then stands in
the footers of these files, and a commit takes the kept ones into the table. Readers do not see the columns, which its schema lacks.
"""

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote
from urllib.parse import unquote

import pyarrow.parquet as pq

from boathouse.catalog.api import Privilege
from boathouse.engine.errors import ExpectationViolated, StatementRefused
from boathouse.engine.expected import FLAG, KEPT, OPTION, REASON
from boathouse.engine.gateway.change import Change
from boathouse.engine.gateway.delta_target import DeltaTarget, load
from boathouse.engine.gateway.enforcement import Rules, fit, project
from boathouse.engine.gateway.evolution import add_columns
from boathouse.engine.gateway.ingest import Plan, option
from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.spark_types import Field, Struct, from_message, nullable, sql, to_json
from boathouse.engine.gateway.sql_tokens import literal, quote
from boathouse.engine.gateway.staging import STAGING, Staging
from boathouse.engine.gateway.transactions import Identifier, identifier_of
from boathouse.engine.gateway.visit import Visit
from boathouse.engine.write_errors import metadata_changed
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import to_url
from boathouse.tables.api import Action, Operation, State, change, removal

_CONSTRAINT = "delta.constraints."


@dataclass(frozen=True)
class Expected:
    """What the option says.

    Attributes:
        names: Of the expectations, in the order of their columns.
        failing: Those that must hold for every row, so that otherwise nothing is written.
        drops: Whether there is a column that says which rows are kept.
        quarantine: Full name of the table that takes the rows that are not; None for none.
    """

    names: tuple[str, ...]
    failing: frozenset[str]
    drops: bool
    quarantine: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rows have in addition."""
        more = (KEPT, REASON) if self.drops else ()
        return (*(f"{FLAG}{number}" for number in range(len(self.names))), *more)


def expected(options: Mapping[str, str]) -> Expected | None:
    """What a writer's options say of expectations.

    Raises:
        StatementRefused: If it cannot be read.
    """
    text = option(options, OPTION)
    if text is None:
        return None
    try:
        said = json.loads(text)
        return Expected(tuple(said["names"]), frozenset(said["failing"]), bool(said["drops"]), said["quarantine"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"The option {OPTION} must be a JSON object with names, failing, drops and quarantine."
        raise StatementRefused(message) from error


@dataclass(frozen=True)
class _Write:
    """One write under way."""

    staging: Staging
    said: Expected
    quarantine: DeltaTarget | None
    replaces: bool
    schema: Struct | None
    identifier: Identifier | None
    user: str


def put_expected(
    visit: Visit,
    command: Any,
    target: DeltaTarget,
    rows: Any,
    plan: Plan,
    said: Expected,
    *,
    replaces: bool,
    schema_too: bool = False,
) -> Change:
    """Turn a command into the write of rows that carry what expectations found in them.

    Args:
        visit: The request.
        command: Is changed in place.
        target: The table.
        rows: The rows with their additional columns.
        plan: How they are written.
        said: What the additional columns are.
        replaces: Whether they take the place of the rows that are there.
        schema_too: Whether their columns take the place of the table's.

    Raises:
        WriteRefused: If the rows do not fit.
        StatementRefused: If the additional columns are missing.
    """
    if plan.condition is not None:
        message = "Expectations cannot be combined with replaceWhere."
        raise StatementRefused(message)
    quarantine = _quarantine(visit, said)
    rows, schema, target = _fitting(visit, target, rows, plan.rules, said, schema_too=schema_too)
    folder = target.folder / STAGING / uuid.uuid4().hex
    folder.parent.mkdir(parents=True, exist_ok=True)
    partition_by = plan.partition_by if schema_too else target.partition_by
    write = proto().WriteOperation(source="delta", path=str(folder))
    write.mode = proto().WriteOperation.SAVE_MODE_OVERWRITE
    write.input.CopyFrom(rows)
    write.partitioning_columns.extend([*([KEPT] if said.drops else []), *partition_by])
    command.write_operation.CopyFrom(write)
    staging = Staging(target, folder)
    changed = replace(target, schema=schema, partition_by=tuple(partition_by))
    new_schema = schema if schema_too and changed.fingerprint != target.fingerprint else None
    one = _Write(staging, said, quarantine, replaces, new_schema, identifier_of(plan.options), visit.principal.name)

    def finish() -> None:
        try:
            _publish(one, tuple(partition_by))
        finally:
            staging.discard()

    return Change(finish, lambda: shutil.rmtree(folder, ignore_errors=True))


def _quarantine(visit: Visit, said: Expected) -> DeltaTarget | None:
    if said.quarantine is None:
        return None
    table = visit.access.table(visit.principal, said.quarantine, Privilege.MODIFY)
    found = None if table is None else load(table.storage_location, table.full_name)
    if found is None:
        message = f"The quarantine table {said.quarantine} does not exist."
        raise StatementRefused(message)
    return found


def _fitting(
    visit: Visit, target: DeltaTarget, rows: Any, rules: Rules, said: Expected, *, schema_too: bool
) -> tuple[Any, Struct, DeltaTarget]:
    """The rows with the columns of the table and the additional ones; the columns; the table, which may have got new ones."""
    given = from_message(visit.session.schema(rows))
    if not isinstance(given, Struct):
        raise TypeError
    more = set(said.columns)
    missing = more - set(given.names)
    if missing:
        message = f"The option {OPTION} speaks of the column {min(missing)}, which the rows do not have."
        raise StatementRefused(message)
    source = Struct(tuple(one for one in given.fields if one.name not in more))
    if schema_too:
        return rows, Struct(tuple(Field(one.name, nullable(one.type)) for one in source.fields)), target
    if target.configuration.get("delta.columnMapping.mode", "none") != "none":
        message = f"Table {target.name} maps its columns, so rows with expectations cannot be written to it."
        raise StatementRefused(message)
    found = fit(source, target, rules)
    if found.schema != target.schema:
        add_columns(target, found.schema)
        target = load(str(target.folder), target.name) or target
        found = fit(source, target, replace(rules, evolve=False))
    if any(one.is_identity for one in found.omitted):
        message = f"Table {target.name} has an identity column, which rows with expectations cannot be written to."
        raise StatementRefused(message)
    places = {one.name: number for number, one in enumerate(source.fields)}
    names = [f"__c{places[one.name]}" if one.name in places else one.name for one in given.fields]
    renamed = proto().Relation()
    renamed.to_df.input.CopyFrom(rows)
    renamed.to_df.column_names.extend(names)
    values = [*found.values, *((name, quote([name])) for name in said.columns)]
    relation = project(renamed, values)
    if found.omitted:
        made = [(one.name, f"CAST({one.generation or one.default or 'NULL'} AS {sql(one.type)})") for one in found.omitted]
        relation = project(relation, [*((name, quote([name])) for name, _ in values), *made])
    return _constrained(relation, target, said), found.schema, target


def _constrained(rows: Any, target: DeltaTarget, said: Expected) -> Any:
    """Rows that raise an error where one that is kept would break a rule of the table, which the engine does not know here."""
    rules = {f"NOT NULL {one.name}": f"{quote([one.name])} IS NOT NULL" for one in target.schema.fields if not one.nullable}
    checks = {key: text for key, text in target.configuration.items() if key.startswith(_CONSTRAINT)}
    rules |= {f"CHECK {key.removeprefix(_CONSTRAINT)} {text}": text for key, text in checks.items()}
    for name, condition in rules.items():
        message = f"[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] {name} of {target.name} is violated by a row. SQLSTATE: 23001"
        filtered = proto().Relation()
        filtered.filter.input.CopyFrom(rows)
        dropped = f"NOT {quote([KEPT])} OR " if said.drops else ""
        filtered.filter.condition.expression_string.expression = (
            f"CASE WHEN {dropped}({condition}) THEN true ELSE CAST(raise_error({literal(message)}) AS BOOLEAN) END"
        )
        rows = filtered
    return rows


def _publish(write: _Write, partition_by: Sequence[str]) -> None:
    staging, said = write.staging, write.said
    adds = _adds(staging)
    failed = _failed(staging.folder, adds, said)
    total = sum(_rows(add) for add in adds)
    kept = [add for add in adds if _is_kept(add)]
    dropped = [add for add in adds if not _is_kept(add)]
    violated = {name: count for name, count in failed.items() if count and name in said.failing}
    if violated:
        raise ExpectationViolated(staging.target.name, violated, total)
    metrics = {
        "numOutputRows": sum(_rows(add) for add in kept),
        "numFiles": len(kept),
        "droppedRecords": sum(_rows(add) for add in dropped),
        "expectations": json.dumps(
            [{"name": name, "passed": total - failed[name], "failed": failed[name]} for name in said.names]
        ),
    }
    if write.quarantine is not None:
        _commit(write, write.quarantine, dropped, {"numOutputRows": metrics["droppedRecords"]}, None, ())
    _commit(write, staging.target, kept, metrics, write.schema, partition_by)


def _adds(staging: Staging) -> list[dict[str, Any]]:
    """The files of a hidden table that the engine made by itself."""
    adds: list[dict[str, Any]] = []
    for entry in sorted((staging.folder / "_delta_log").glob("*.json")):
        actions = (json.loads(line) for line in entry.read_text().splitlines() if line.strip())
        adds += [action["add"] for action in actions if "add" in action]
    return adds


def _commit(
    write: _Write,
    target: DeltaTarget,
    adds: Sequence[dict[str, Any]],
    metrics: Mapping[str, Any],
    schema: Struct | None,
    partition_by: Sequence[str],
) -> None:
    """Take files into a table, in one commit."""
    identifier = write.identifier
    known = frozenset((schema or target.schema).names)
    placed = [_placed(write.staging, target, add, known) for add in adds]

    def work(state: State) -> Sequence[Action] | None:
        if identifier is not None and state.transactions.get(identifier.app_id, -1) >= identifier.version:
            return None
        if state.metadata["id"] != target.table_id:
            raise metadata_changed(target.name)
        actions: list[Action] = [] if identifier is None else [identifier.action()]
        if schema is not None:
            said = {"schemaString": json.dumps(to_json(schema)), "partitionColumns": list(partition_by)}
            actions.append({"metaData": {**state.metadata, **said}})
        if write.replaces:
            now = now_ms()
            actions += [removal(add, now) for add in state.files.values()]
        return [*actions, *({"add": add} for add in placed)]

    mode = "Overwrite" if write.replaces else "Append"
    change(to_url(target.folder), Operation("WRITE", {"mode": mode}, write.user, dict(metrics)), work)


def _placed(staging: Staging, target: DeltaTarget, add: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """A file of the hidden table at its place in another, and its action there."""
    source = unquote(add["path"])
    place = "/".join(part for part in source.split("/") if not part.startswith(f"{KEPT}="))
    if place.startswith("/") or ".." in Path(place).parts:
        raise ValueError(place)
    path = target.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    (staging.folder / source).replace(path)
    stats = json.loads(add["stats"]) if add.get("stats") else {}
    for kind in ("minValues", "maxValues", "nullCount"):
        stats[kind] = {key: value for key, value in (stats.get(kind) or {}).items() if key in known}
    values = {key: value for key, value in add["partitionValues"].items() if key != KEPT and key in known}
    encoded = url_quote(place, safe="/=-_.~")
    return {**add, "path": encoded, "partitionValues": values, "stats": json.dumps(stats), "dataChange": True}


def _is_kept(add: Mapping[str, Any]) -> bool:
    return str(add["partitionValues"].get(KEPT, "true")).lower() == "true"


def _rows(add: Mapping[str, Any]) -> int:
    return int(json.loads(add["stats"])["numRecords"]) if add.get("stats") else 0


def _failed(folder: Path, adds: Sequence[Mapping[str, Any]], said: Expected) -> dict[str, int]:
    """How many rows did not meet each expectation, from the footers of the files."""
    failed = dict.fromkeys(said.names, 0)
    for add in adds:
        footer: Any = pq.read_metadata(folder / unquote(add["path"]))
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            columns = {group.column(at).path_in_schema: group.column(at) for at in range(group.num_columns)}
            for at, name in enumerate(said.names):
                statistics = columns[f"{FLAG}{at}"].statistics
                if statistics is None or statistics.null_count is None:
                    column = pq.read_table(folder / unquote(add["path"]), columns=[f"{FLAG}{at}"])
                    failed[name] += column.column(0).null_count
                    if number == 0:
                        continue
                    break
                failed[name] += int(statistics.null_count)
    return failed
