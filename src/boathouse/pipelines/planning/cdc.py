"""AUTO CDC: the states of a target's rows as a function of all changes that came, whatever their order.

Changes are first appended, as they come, to a table beside the target, by a stream. Then the states of those keys for which
something came are computed from all of their changes, and merged. Done twice this leaves the same rows, and a change that comes late
is only another one among them, so the target never depends on the order in which changes arrived.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql.types import DataType, StructType

from boathouse.engine.gateway.sql.tokens import literal, quote
from boathouse.pipelines.model import AutoCdc, Relation
from boathouse.pipelines.planning.plan import PlannedDataset
from boathouse.pipelines.planning.relations import with_columns

SEQUENCE, DELETE, TRUNCATE = "__sequence", "__delete", "__truncate"
START, END = "__START_AT", "__END_AT"
SNAPSHOT = "__snapshot"


def storage_name(dataset: PlannedDataset) -> tuple[str, ...]:
    """The name of the table that keeps the changes of a target."""
    return (*dataset.name[:-1], f"__apply_changes_storage_{dataset.name[-1]}")


def any_changes(dataset: PlannedDataset) -> str:
    """The query that has a row if any change of a target is kept."""
    return f"SELECT 1 FROM {quote(storage_name(dataset))} LIMIT 1"


def marked(rows: Relation, cdc: AutoCdc) -> Relation:
    """The rows of a source with their sequence, and whether they delete or truncate."""
    missing = f"[NULL_SEQUENCE] sequence_by {cdc.sequence_by} is NULL in a change; it must order all of them."
    kind = f"CAST(raise_error({literal(missing)}) AS BOOLEAN)"
    return with_columns(
        rows,
        {
            SEQUENCE: cdc.sequence_by,
            DELETE: f"CASE WHEN ({cdc.sequence_by}) IS NULL THEN {kind} ELSE coalesce({cdc.apply_as_deletes or 'false'}, false) END",
            TRUNCATE: f"coalesce({cdc.apply_as_truncates or 'false'}, false)",
        },
    )


def ordering(kind: DataType) -> tuple[str, ...]:
    """What changes are ordered by, whose sequence is of a type: a struct by its fields, one after the other."""
    return tuple(_leaves(SEQUENCE, kind))


def _leaves(text: str, kind: DataType) -> Iterator[str]:
    if not isinstance(kind, StructType):
        yield text
        return
    for one in kind.fields:
        yield from _leaves(f"{text}.{quote((one.name,))}", one.dataType)


@dataclass(frozen=True)
class Changes:
    """The SQL of one target.

    Attributes:
        cdc: How changes are applied.
        target: Name of the target.
        storage: Name of the table with all changes.
        columns: Columns of the target that come from the source.
        sequence: What changes are ordered by, as SQL: engines order windows by values that have no parts.
    """

    cdc: AutoCdc
    target: tuple[str, ...]
    storage: tuple[str, ...]
    columns: tuple[str, ...]
    sequence: tuple[str, ...] = (SEQUENCE,)

    def merge(self, since: int | None) -> str:
        """The statement that brings the target up to date.

        Args:
            since: The first version of the storage whose changes are new; None for all.
        """
        keys = [quote((name,)) for name in self.cdc.keys]
        places = [*keys, *([quote((START,))] if self.cdc.scd_type == 2 else [])]
        shown = [one for _, one in self._shown()]
        touched = self._touched(since)
        # Every place at which the target may have a row, as one that is gone; where there is a state, that counts. An engine computes as
        # often as it is named what has a name, so the states are read once.
        known = {*(name.lower() for name in self.cdc.keys), START.lower()}
        nothing = [one if name.lower() in known else f"NULL AS {one}" for name, one in self._shown()]
        gone = f"SELECT {', '.join(nothing)}, true AS __gone FROM (SELECT {', '.join(f'c.{one}' for one in keys)}"
        gone += f", c.{SEQUENCE} AS {START}" if self.cdc.scd_type == 2 else ""
        gone += f" FROM {quote(self.storage)} c"
        gone += f" JOIN __touched k ON {_equal('c', 'k', keys)}" if touched else ""
        gone += ")"
        head = f"__touched AS ({touched}), " if touched else ""
        source = (
            f"WITH {head}{self._states(touched=bool(touched))} SELECT {', '.join(shown)}, __gone FROM (SELECT *, row_number() "
            f"OVER (PARTITION BY {', '.join(places)} ORDER BY __gone) AS __first FROM "
            f"(SELECT {', '.join(shown)}, false AS __gone FROM __states UNION ALL {gone})) WHERE __first = 1"
        )
        updates = ", ".join(f"t.{one} = s.{one}" for one in shown)
        return (
            f"MERGE INTO {quote(self.target)} t USING ({source}) s ON {_equal('t', 's', places)} "
            f"WHEN MATCHED AND s.__gone THEN DELETE WHEN MATCHED THEN UPDATE SET {updates} "
            f"WHEN NOT MATCHED AND NOT s.__gone THEN INSERT ({', '.join(shown)}) VALUES ({_prefixed('s', shown)})"
        )

    def truncated(self, since: int) -> str:
        """The query that has a row if a change since a version truncates the target."""
        return f"SELECT 1 FROM table_changes({literal('.'.join(self.storage))}, {since}) WHERE {TRUNCATE} LIMIT 1"

    def difference(self, given: Sequence[str], version: str, told: str) -> str:
        """The query of the changes that make of the target's rows those of a snapshot, which is read by the name ``SNAPSHOT``.

        Args:
            given: The columns of the target as the snapshot has them.
            version: That of the snapshot.
            told: What is said where the snapshot has a key twice.
        """
        by = ", ".join(quote((name,)) for name in self.cdc.keys)
        names = [quote((name,)) for name in self.columns]
        before = f"OVER (PARTITION BY {by} ORDER BY __held DESC)"
        differs = " OR ".join([f"lag(__held) {before} IS NULL", *(f"NOT (lag({one}) {before} <=> {one})" for one in names)])
        newest = f" WHERE {END} IS NULL" if self.cdc.scd_type == 2 else ""
        rows = f"SELECT {', '.join(given)}, false AS __held FROM {SNAPSHOT} UNION ALL "
        rows += f"SELECT {', '.join(names)}, true AS __held FROM {quote(self.target)}{newest}"
        count = f"sum(CASE WHEN __held THEN 0 ELSE 1 END) OVER (PARTITION BY {by})"
        return (
            f"SELECT {', '.join(names)}, {version} AS {SEQUENCE}, __held AS {DELETE}, false AS {TRUNCATE} "
            f"FROM (SELECT *, {count} AS __given, ({differs}) AS __differs FROM ({rows})) WHERE CASE "
            f"WHEN __given > 1 THEN CAST(raise_error({literal(told)}) AS BOOLEAN) "
            "WHEN __held THEN __given = 0 ELSE __differs END"
        )

    def _shown(self) -> list[tuple[str, str]]:
        """The columns of the target, as they are and in backticks."""
        more = [(START, quote((START,))), (END, quote((END,)))] if self.cdc.scd_type == 2 else []
        return [*((name, quote((name,))) for name in self.columns), *more]

    def _touched(self, since: int | None) -> str | None:
        """The keys for which something came."""
        if since is None:
            return None
        keys = ", ".join(quote((name,)) for name in self.cdc.keys)
        return f"SELECT DISTINCT {keys} FROM table_changes({literal('.'.join(self.storage))}, {since})"

    def _states(self, *, touched: bool) -> str:
        """Common table expressions, the last of which, ``__states``, has the states of the touched keys."""
        keys = [quote((name,)) for name in self.cdc.keys]
        by = ", ".join(keys)
        tie = f"xxhash64({', '.join(quote((name,)) for name in self.columns)})"
        rows = f"SELECT c.* FROM {quote(self.storage)} c"
        if touched:
            rows += f" JOIN __touched k ON {_equal('c', 'k', keys)}"
        rows += f" WHERE NOT c.{TRUNCATE}"
        if self.cdc.apply_as_truncates is not None:
            last = f"SELECT max({SEQUENCE}) AS at FROM {quote(self.storage)} WHERE {TRUNCATE}"
            rows = f"SELECT r.* FROM ({rows}) r CROSS JOIN ({last}) x WHERE x.at IS NULL OR r.{SEQUENCE} > x.at"
        # Of several changes of a key with one sequence, one holds: a deletion, else whichever has the greater hash.
        once = (
            f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {by}, {SEQUENCE} ORDER BY {DELETE} DESC, {tie} DESC) AS __n "
            f"FROM ({rows})) WHERE __n = 1"
        )
        life = f"sum(CASE WHEN {DELETE} THEN 1 ELSE 0 END) OVER (PARTITION BY {by} ORDER BY {self._order()} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        steps = [f"__once AS ({once})"]
        filled = self._filled(by)
        if filled is None:
            steps.append("__filled AS (SELECT * FROM __once)")
        else:
            steps += [f"__lives AS (SELECT *, {life} AS __life FROM __once)", f"__filled AS (SELECT {filled} FROM __lives)"]
        return ", ".join([*steps, *(self._first(by) if self.cdc.scd_type == 1 else self._second(by))])

    def _filled(self, by: str) -> str | None:
        """The columns, NULL filled with what was there before, where updates leave that; None where they do not."""
        if not self.cdc.ignore_null_updates:
            return None
        ignoring = self.cdc.ignore_null_columns
        chosen = {name.lower() for name in (self.columns if ignoring is None else ignoring)} - {
            name.lower() for name in self.cdc.keys
        }
        window = f"OVER (PARTITION BY {by}, __life ORDER BY {self._order()} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        shown = [
            f"last_value(CASE WHEN NOT {DELETE} THEN {quote((name,))} END, true) {window} AS {quote((name,))}"
            if name.lower() in chosen
            else quote((name,))
            for name in self.columns
        ]
        keys = [quote((name,)) for name in self.cdc.keys if name.lower() not in {one.lower() for one in self.columns}]
        return ", ".join([*shown, *keys, SEQUENCE, DELETE])

    def _order(self, direction: str = "") -> str:
        return ", ".join(f"{one}{direction}" for one in self.sequence)

    def _first(self, by: str) -> list[str]:
        last = f"SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY {self._order(' DESC')}) AS __last FROM __filled"
        return [f"__states AS (SELECT * FROM ({last}) WHERE __last = 1 AND NOT {DELETE})"]

    def _second(self, by: str) -> list[str]:
        window = f"OVER (PARTITION BY {by} ORDER BY {self._order()})"
        differs = [f"NOT (lag({one}) {window} <=> {one})" for one in (quote((name,)) for name in self._tracked())]
        begins = f"{DELETE} OR coalesce(lag({DELETE}) {window}, true) OR {' OR '.join(differs) if differs else 'false'}"
        runs = f"OVER (PARTITION BY {by} ORDER BY {self._order()} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        last = f"row_number() OVER (PARTITION BY {by}, __run ORDER BY {self._order(' DESC')})"
        start = f"first_value({SEQUENCE}) OVER (PARTITION BY {by}, __run ORDER BY {self._order()})"
        return [
            f"__begun AS (SELECT *, CASE WHEN {begins} THEN 1 ELSE 0 END AS __begins FROM __filled)",
            f"__runs AS (SELECT *, sum(__begins) {runs} AS __run FROM __begun)",
            f"__newest AS (SELECT *, {last} AS __last, {start} AS {START} FROM __runs)",
            f"__spans AS (SELECT *, lead({START}) OVER (PARTITION BY {by} ORDER BY __run) AS {END} FROM __newest WHERE __last = 1)",
            f"__states AS (SELECT * FROM __spans WHERE NOT {DELETE})",
        ]

    def _tracked(self) -> Sequence[str]:
        """The columns whose changes make a new state."""
        cdc = self.cdc
        keys = {name.lower() for name in cdc.keys}
        if cdc.track is not None:
            chosen = {name.lower() for name in cdc.track}
            return [name for name in self.columns if name.lower() in chosen]
        left_out = {name.lower() for name in cdc.track_except} | keys
        return [name for name in self.columns if name.lower() not in left_out]


def _prefixed(prefix: str, names: Sequence[str]) -> str:
    return ", ".join(f"{prefix}.{name}" for name in names)


def _equal(left: str, right: str, names: Sequence[str]) -> str:
    return " AND ".join(f"{left}.{name} <=> {right}.{name}" for name in names)
