"""Writes whose rows carry what expectations found in them: counted, kept or set aside in the same pass that writes them.

The rows come with a column for each expectation, true where it is not met and NULL elsewhere, and with one that says whether the row
is kept. They are written beside the table, kept and dropped rows in files of their own; how many rows met what then stands in the
footers of these files, and a commit takes the kept ones into the table. Readers do not see the columns, which its schema lacks.

Files of their own cost a sort of all rows where the engine writes both at once. So where the rows are the same each time they are
made, and cheap to make, the dropped ones are made a second time instead: from the same versions of what they are made of.
"""

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote
from urllib.parse import unquote

import pyarrow.parquet as pq

from boathouse.catalog.api import Privilege
from boathouse.engine.errors import ExpectationViolated, StatementRefused
from boathouse.engine.expected import KEPT, OPTION, REASON, columns
from boathouse.engine.gateway.forms.overflow_schema import checked_expression
from boathouse.engine.gateway.forms.repeatable import fix_versions, is_row_by_row, unrepeatable
from boathouse.engine.gateway.messages.plan_text import parsed
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Field, Struct, from_message, nullable, sql, to_json
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.gateway.writes.change import Change
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.gateway.writes.enforcement import CONSTRAINT, Rules, fit, omitted_value, project, required
from boathouse.engine.gateway.writes.evolution import add_columns
from boathouse.engine.gateway.writes.ingest import Plan, option
from boathouse.engine.gateway.writes.staging import Staging, write_into
from boathouse.engine.gateway.writes.transactions import Identifier, identifier_of
from boathouse.engine.write_errors import metadata_changed
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import to_url
from boathouse.tables.api import STAGING, Action, Operation, State, change, removal


@dataclass(frozen=True)
class Expected:
    """What the option says.

    Attributes:
        names: Of the expectations, in their order.
        failing: Those that must hold for every row, so that otherwise nothing is written.
        dropping: Those whose rows are dropped where they are not met.
        quarantine: Full name of the table that takes the rows that are not; None for none.
    """

    names: tuple[str, ...]
    failing: frozenset[str]
    dropping: frozenset[str]
    quarantine: str | None

    @property
    def drops(self) -> bool:
        """Whether there is a column that says which rows are kept."""
        return bool(self.dropping)

    @cached_property
    def unmet(self) -> dict[str, str]:
        """The column of each expectation."""
        return columns(self.names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rows have in addition."""
        more = (KEPT, REASON) if self.drops else ()
        return (*self.unmet.values(), *more)


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
        return Expected(tuple(said["names"]), frozenset(said["failing"]), frozenset(said["dropping"]), said["quarantine"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"The option {OPTION} must be a JSON object with names, failing, dropping and quarantine."
        raise StatementRefused(message) from error


@dataclass(frozen=True)
class _File:
    """A file that the engine has written beside the table: the folder that it is in, and its action in that folder's log."""

    folder: Path
    add: dict[str, Any]
    is_kept: bool

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / unquote(self.add["path"])

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(json.loads(self.add["stats"])["numRecords"]) if self.add.get("stats") else 0


@dataclass(frozen=True)
class _Write:
    """One write under way.

    Attributes:
        dropped: The rows that are dropped, where they are not to be found in files of their own.
    """

    visit: Visit
    staging: Staging
    said: Expected
    dropped: Any | None
    quarantine: DeltaTarget | None
    replaces: bool
    schema: Struct | None
    identifier: Identifier | None
    user: str

    @property
    def aside(self) -> Path:
        """The folder of the dropped rows that are written by themselves."""
        return self.staging.folder.with_name(f"{self.staging.folder.name}_dropped")

    def discard(self) -> None:
        """Remove all that was written."""
        shutil.rmtree(self.aside, ignore_errors=True)
        self.staging.discard()


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
    if plan.condition is not None or plan.matching is not None:
        message = "Expectations cannot be combined with replaceWhere, replaceUsing or replaceOn."
        raise StatementRefused(message)
    quarantine = _quarantine(visit, said)
    rows, schema, target = _fitting(visit, target, rows, plan.rules, said, schema_too=schema_too)
    partition_by = tuple(plan.partition_by if schema_too else target.partition_by)
    dropped = _made_again(visit, rows, schema, said)
    if dropped is not None:
        unmet = [column for name, column in said.unmet.items() if name not in said.dropping]
        rows = _only(rows, quote([KEPT]), [*schema.names, *unmet])
    staging = Staging(target, target.folder / STAGING / uuid.uuid4().hex)
    staging.folder.parent.mkdir(parents=True, exist_ok=True)
    marks = (KEPT,) if said.drops and dropped is None else ()
    if marks and partition_by:
        # The files lack the columns that this table is partitioned by, and the quarantine table is not.
        written = proto().Relation()
        written.read.data_source.format = "delta"
        written.read.data_source.paths.append(str(staging.folder))
        dropped = _dropped(written, schema, said)
    command.write_operation.CopyFrom(write_into(staging.folder, rows, (*marks, *partition_by)))
    changed = replace(target, schema=schema, partition_by=partition_by)
    new_schema = schema if schema_too and changed.fingerprint != target.fingerprint else None
    identifier = identifier_of(plan.options)
    one = _Write(visit, staging, said, dropped, quarantine, replaces, new_schema, identifier, visit.principal.name)

    def finish() -> None:
        try:
            _publish(one, partition_by)
        finally:
            one.discard()

    return Change(finish, one.discard)


def _only(rows: Any, condition: str, names: Sequence[str]) -> Any:
    """Some columns of those rows for which a condition holds."""
    filtered = proto().Relation()
    filtered.filter.input.CopyFrom(rows)
    filtered.filter.condition.expression_string.expression = condition
    return project(filtered, [(name, quote([name])) for name in names])


def _made_again(visit: Visit, rows: Any, schema: Struct, said: Expected) -> Any | None:
    """The relation of the dropped rows, if making them by themselves gives just those; what it reads is then fixed in the rows too."""
    if not said.drops or visit.effects.temporary or unrepeatable(rows) is not None:
        return None
    if not fix_versions(rows, visit.access.layout.run):
        return None
    plan = parsed(visit.session.explain(rows))
    if plan is None or not is_row_by_row(plan):
        return None
    return _dropped(rows, schema, said)


def _dropped(rows: Any, schema: Struct, said: Expected) -> Any:
    return _only(rows, f"NOT {quote([KEPT])}", [*schema.names, *said.unmet.values(), REASON])


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
        made = [(one.name, f"CAST({omitted_value(one, found.schema)} AS {sql(one.type)})") for one in found.omitted]
        relation = project(relation, [*((name, quote([name])) for name, _ in values), *made])
        values += made
    return _constrained(relation, [name for name, _ in values], target, said), found.schema, target


def _constrained(rows: Any, names: Sequence[str], target: DeltaTarget, said: Expected) -> Any:
    """Rows that raise an error where one that is kept would break a rule of the table, which the engine does not know here."""
    rules = {f"NOT NULL {one.name}": f"{quote([one.name])} IS NOT NULL" for one in target.schema.fields if not one.nullable}
    checks = {key: text for key, text in target.configuration.items() if key.startswith(CONSTRAINT)}
    rules |= {f"CHECK {key.removeprefix(CONSTRAINT)} {text}": text for key, text in checks.items()}
    dropped = f"NOT {quote([KEPT])} OR " if said.drops else ""
    conditions = [
        (
            f"{dropped}({checked_expression(condition, target.schema)})",
            f"[DELTA_VIOLATECONSTRAINT_WITH_VALUES] {name} of {target.name} is violated by a row. SQLSTATE: 23001",
        )
        for name, condition in rules.items()
    ]
    return required(rows, names, target.schema, conditions)


def _publish(write: _Write, partition_by: Sequence[str]) -> None:
    staging, said = write.staging, write.said
    files = _files(staging.folder)
    if write.dropped is not None:
        files = [one for one in files if one.is_kept]
    failed = _failed(files, said)
    aside, quarantine = 0, write.quarantine
    if write.dropped is not None and quarantine is None:
        aside = _count(write, failed)
    elif write.dropped is not None and quarantine is not None:
        command = proto().Command()
        command.write_operation.CopyFrom(write_into(write.aside, write.dropped, quarantine.partition_by))
        write.visit.session.run(command)
        more = [replace(one, is_kept=False) for one in _files(write.aside)]
        failed = {name: failed[name] + count for name, count in _failed(more, said).items()}
        files += more
    kept, dropped = [one for one in files if one.is_kept], [one for one in files if not one.is_kept]
    aside += sum(one.rows for one in dropped)
    total = sum(one.rows for one in kept) + aside
    violated = {name: count for name, count in failed.items() if count and name in said.failing}
    if violated:
        raise ExpectationViolated(staging.target.name, violated, total)
    metrics = {
        "numOutputRows": total - aside,
        "numFiles": len(kept),
        "droppedRecords": aside,
        "expectations": json.dumps(
            [{"name": name, "passed": total - failed[name], "failed": failed[name]} for name in said.names]
        ),
    }
    if write.quarantine is not None:
        _commit(write, write.quarantine, dropped, {"numOutputRows": aside}, None, ())
    _commit(write, staging.target, kept, metrics, write.schema, partition_by)


def _count(write: _Write, failed: dict[str, int]) -> int:
    """How many rows are dropped, where they are not kept elsewhere; what they do not meet is added to what is not met."""
    relation = proto().Relation()
    relation.aggregate.input.CopyFrom(write.dropped)
    relation.aggregate.group_type = proto().Aggregate.GROUP_TYPE_GROUPBY
    for text in ("count(1) AS `rows`", *(f"count({quote([one])}) AS {quote([one])}" for one in write.said.unmet.values())):
        relation.aggregate.aggregate_expressions.add().expression_string.expression = text
    row = write.visit.session.rows(relation).to_pylist()[0]
    for name, column in write.said.unmet.items():
        failed[name] += int(row[column])
    return int(row["rows"])


def _files(folder: Path) -> list[_File]:
    """The files of a hidden table that the engine made by itself; without rows there may be none."""
    found: list[_File] = []
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        actions = (json.loads(line) for line in entry.read_text().splitlines() if line.strip())
        found += [_File(folder, action["add"], _is_kept(action["add"])) for action in actions if "add" in action]
    return [one for one in found if one.rows]


def _commit(
    write: _Write,
    target: DeltaTarget,
    files: Sequence[_File],
    metrics: Mapping[str, Any],
    schema: Struct | None,
    partition_by: Sequence[str],
) -> None:
    """Take files into a table, in one commit."""
    identifier = write.identifier
    known = frozenset((schema or target.schema).names)
    placed = [_placed(one, target, known) for one in files]

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


def _placed(file: _File, target: DeltaTarget, known: frozenset[str]) -> dict[str, Any]:
    """A file of a hidden table at its place in another, and its action there."""
    add, source = file.add, unquote(file.add["path"])
    place = "/".join(part for part in source.split("/") if not part.startswith(f"{KEPT}="))
    if place.startswith("/") or ".." in Path(place).parts:
        raise ValueError(place)
    path = target.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    file.path.replace(path)
    stats = json.loads(add["stats"]) if add.get("stats") else {}
    for kind in ("minValues", "maxValues", "nullCount"):
        stats[kind] = {key: value for key, value in (stats.get(kind) or {}).items() if key in known}
    values = {key: value for key, value in add["partitionValues"].items() if key != KEPT and key in known}
    encoded = url_quote(place, safe="/=-_.~")
    return {**add, "path": encoded, "partitionValues": values, "stats": json.dumps(stats), "dataChange": True}


def _is_kept(add: Mapping[str, Any]) -> bool:
    return str(add["partitionValues"].get(KEPT, "true")).lower() == "true"


def _failed(files: Sequence[_File], said: Expected) -> dict[str, int]:
    """How many rows of some files did not meet each expectation; what a file has no column for is met by all of its rows."""
    failed = dict.fromkeys(said.names, 0)
    for file in files:
        footer: Any = pq.read_metadata(file.path)
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
        for name, column in said.unmet.items():
            failed[name] += sum(_values(file, one) for one in chunks if one.path_in_schema == column)
    return failed


def _values(file: _File, chunk: Any) -> int:
    """How many values that are not NULL a column has in a row group, which every writer of ours says in the footer.

    Raises:
        TypeError: If it does not.
    """
    said = chunk.statistics
    if said is None or not said.has_null_count:
        message = f"The footer of {file.path.name} does not count the NULLs of {chunk.path_in_schema}."
        raise TypeError(message)
    return int(chunk.num_values - said.null_count)
