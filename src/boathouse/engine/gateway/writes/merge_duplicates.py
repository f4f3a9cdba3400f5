"""A MERGE for whose rows the source has several, done so that only those pairs count that a clause is for.

Two rows of a source may match one row of a table by ON: Delta refuses that only where the clauses' conditions hold for more than one
of them. The embedded engine looks at ON alone. Where it refuses a MERGE, the pairs are found first, and it is done once more: ON gets
the conditions of the clauses, and what those leave out is kept from being inserted, or from counting as a row without a source.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from boathouse.engine.gateway.messages.spark_types import Atomic, Struct
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Token, quote
from boathouse.engine.gateway.writes.assignments import top_level

_NO_KEYS = frozenset({"variant", "interval"})


@dataclass(frozen=True)
class Clause:
    """One WHEN of a MERGE.

    Attributes:
        kind: ``MATCHED``, ``NOT MATCHED`` or ``NOT MATCHED BY SOURCE``.
        condition: What stands after AND, or None.
        ends: Offset after WHEN ... MATCHED.
        then: Offset of THEN.
    """

    kind: str
    condition: str | None
    ends: int
    then: int


def clauses_of(
    sql: str, tokens: Sequence[Token], places: Sequence[tuple[int, int]], short: Callable[[str], str]
) -> list[Clause] | None:
    """The clauses of a MERGE; None where one is not understood.

    Args:
        sql: The text.
        tokens: Its tokens.
        places: The indices of the first token of each, and of that after it.
        short: Brings the text of a condition into a form in which it can stand elsewhere.
    """
    found: list[Clause] = []
    for begin, end in places:
        then = next((at for at in top_level(tokens, "THEN", begin=begin + 1) if at < end), None)
        if then is None:
            return None
        at = begin + 1
        words: list[str] = []
        while at < then and not tokens[at].is_word("AND"):
            words.append(tokens[at].value)
            at += 1
        kind = " ".join(words).removesuffix(" BY TARGET")
        if kind not in {"MATCHED", "NOT MATCHED", "NOT MATCHED BY SOURCE"} or at + 1 == then:
            return None
        has_condition = at < then
        starts = tokens[at + 1].start if has_condition else tokens[then].start
        condition = short(sql[starts : tokens[then - 1].end]) if has_condition else None
        found.append(Clause(kind, condition, tokens[at - 1].end, tokens[then].start))
    return found


@dataclass(frozen=True)
class Pairs:
    """The pairs of a MERGE that only its clauses' conditions tell apart.

    Attributes:
        clauses: All of them.
        on: The text after ON.
        table: The table, as it stands after FROM.
        alias: What it is called there.
        source: The source, with its label, as it stands after USING.
        label: What that is called.
        schema: The table's columns.
    """

    clauses: Sequence[Clause]
    on: str
    table: str
    alias: str
    source: str
    label: str
    schema: Struct
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def are_all_matched(self) -> bool:
        """Whether each clause is for rows that match, on a condition: what none is for need not be known then."""
        return bool(self.clauses) and all(one.kind == "MATCHED" and one.condition is not None for one in self.clauses)

    @property
    def may_be_told_apart(self) -> bool:
        """Whether conditions may leave one pair where there are several by ON."""
        matched = [one for one in self.clauses if one.kind == "MATCHED"]
        return bool(matched) and all(one.condition is not None for one in matched)

    def found(self) -> str:
        """What takes the source's place, as after FROM: its rows, with whether each matches a row of the table at all.

        If rows of the table without a source matter, a row also tells of which one that it matches although no clause is for that.
        """
        label, alias = quote([self.label]), quote([self.alias])
        keys = "".join(f", {quote([self.alias, name])} AS {kept}" for name, kept in self._keys())
        source = _select(f"*, row_number() OVER (ORDER BY NULL) AS {self._name('row')}", self.source)
        table = _select(f"*, TRUE AS {self._name('there')}", self.table)
        there = f"{alias}.{self._name('there')}"
        flags = f"{there} IS NOT NULL AS {self._name('hit')}, coalesce({there} AND ({self._applies}), FALSE) AS {self._name('counts')}"
        joined = f"({source}) AS {label} LEFT JOIN ({table}) AS {alias} ON ({self.on})"
        pairs = _select(f"{label}.*, {flags}{keys}", joined)
        first = f"row_number() OVER (PARTITION BY {self._name('row')} ORDER BY NULL) = 1"
        if not self._keeps:
            return _selected([f"{first} AS {self._name('first')}"], pairs, self._name("first"))
        one = ", ".join([self._name("hit"), *(kept for _, kept in self._keys())])
        held = (
            f"{self._name('hit')} AND max(CAST({self._name('counts')} AS INT)) OVER (PARTITION BY {one}) = 0 "
            f"AND row_number() OVER (PARTITION BY {one} ORDER BY NULL) = 1"
        )
        flags = [f"{first} AS {self._name('first')}", f"{held} AS {self._name('held')}"]
        return _selected(flags, pairs, f"{self._name('first')} OR {self._name('held')}")

    def edits(self, on: tuple[Token, Token]) -> list[Edit]:
        """What the rest of the statement becomes.

        Args:
            on: The first and the last token of what stands after ON.
        """
        label = quote([self.label])
        wanted = f"({self._applies})"
        if self._keeps:
            keys = "".join(f" AND {quote([self.alias, name])} <=> {label}.{kept}" for name, kept in self._keys())
            wanted = f"(({label}.{self._name('first')} AND {wanted}) OR ({label}.{self._name('held')}{keys}))"
        edits = [Edit(on[0].start, on[0].start, "("), Edit(on[1].end, on[1].end, f") AND {wanted}")]
        for one in self.clauses:
            if one.kind == "NOT MATCHED":
                condition = "" if one.condition is None else f" AND ({one.condition})"
                edits.append(Edit(one.ends, one.then, f" AND NOT {label}.{self._name('hit')}{condition} "))
        return edits

    @property
    def _applies(self) -> str:
        return " OR ".join(f"({one.condition})" for one in self.clauses if one.kind == "MATCHED")

    @property
    def _keeps(self) -> bool:
        return any(one.kind == "NOT MATCHED BY SOURCE" for one in self.clauses)

    def _keys(self) -> list[tuple[str, str]]:
        """The table's columns that can be compared, and what their values are called beside a source's."""
        if not self._keeps:
            return []
        names = [one.name for one in self.schema.fields if isinstance(one.type, Atomic) and one.type.name not in _NO_KEYS]
        return [(name, self._name(f"key{number}")) for number, name in enumerate(names)]

    def _name(self, kind: str) -> str:
        return quote([f"__bh_{kind}_{self.mark}"])


def _selected(flags: Sequence[str], query: str, condition: str) -> str:
    counted = _select(", ".join(["*", *flags]), f"({query})")
    return f"({_select('*', f'({counted})')} WHERE {condition})"


def _select(columns: str, relations: str) -> str:
    return f"SELECT {columns} FROM {relations}"  # noqa: S608 - names are quoted, the rest are pieces of the statement itself
