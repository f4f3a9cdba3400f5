"""Which columns of which tables a query's columns come from, read off the engine's own plan.

The engine gives every column of a plan a number, and all that is above refers to it by that: ``Projection: t.#0 + 1 AS k AS #4``.
So one pass from the leaves upwards knows for each number which columns of which files it was made of. Names that the plan
gives to computed values between two numbers (aggregates, window functions) are followed too. A temporary view brings its
own plan, whose numbers begin anew; a projection that gives nothing but names stands between the two. Conditions of filters and joins
are no source of a value, and are left out, as Databricks leaves them out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.messages.plan_text import PlanNode, sections, split, tree

_NUMBER = re.compile(r"#(\d+)")
_NAMED = re.compile(r"^(?P<value>.*) AS (?P<name>.+?)$", re.DOTALL)
_ITEM = re.compile(r"^(?:(?P<value>.*) AS )?(?:[^()]*\.)?#(?P<number>\d+)$", re.DOTALL)
_OUTPUT = re.compile(r"#(\d+)@\d+ as (.*)")
_REFUSED = re.compile(r"\bWHEN (?:(?! WHEN ).)* THEN CAST\(raise_error\(", re.DOTALL)
"""When a value is not given at all."""
_LISTS = re.compile(r"(?:groupBy|aggr|windowExpr)=\[\[(.*?)\]\](?=, \w+=\[\[|$)")

Column = tuple[str, str]
"""Full name of a table, and one of its columns."""


@dataclass(frozen=True)
class Link:
    """A column of a result, and one that it was made of."""

    target: str
    table: str
    column: str


def links(plan: str, tables: Mapping[str, str]) -> list[Link]:
    """The sources of each column of a query.

    Args:
        plan: What the engine explains, with its parsed and its physical plan.
        tables: Name of a relation in the plan -> full name of the table whose files it holds.

    Returns:
        In the order of the result's columns; a constant has no link.
    """
    texts = sections(plan)
    roots = tree(texts.get("Parsed Logical Plan", ""))
    if not roots:
        return []
    reading = _Reading(tables)
    outputs = reading.visit(roots[0], None)
    names = _names(texts.get("Physical Plan", ""))
    found: list[Link] = []
    for number in outputs:
        target = names.get(number)
        if target is not None:
            found += [Link(target, table, column) for table, column in sorted(reading.sources.get(number, ()))]
    return found


def _names(physical: str) -> dict[int, str]:
    """The names of the result's columns: the outermost projection gives them back."""
    for line in physical.splitlines():
        text = line.strip()
        if text.startswith("ProjectionExec: expr=[") and text.endswith("]"):
            items = split(text[len("ProjectionExec: expr=[") : -1])
            matches = [_OUTPUT.fullmatch(item.strip()) for item in items]
            return {int(match[1]): match[2] for match in matches if match is not None}
    return {}


class _Reading:
    """One plan, read from its leaves upwards."""

    def __init__(self, tables: Mapping[str, str]) -> None:
        self._tables = tables
        self._named: dict[str, set[Column]] = {}
        self.sources: dict[int, set[Column]] = {}

    def visit(self, node: PlanNode, table: str | None) -> list[int]:
        """The numbers of a node's columns; ``table`` is whose files are below, if they are a table's."""
        kind, _, rest = node.text.partition(": ")
        if kind == "SubqueryAlias" and rest in self._tables:
            table = self._tables[rest]
        if kind == "Projection" and not any(_ITEM.match(item) for item in split(rest)):
            self._named |= _Reading(self._tables).names(node, rest, table)
            return []
        children = [self.visit(child, table) for child in node.children if not child.text.startswith("Subquery:")]
        inner = [self.visit(child, table) for child in node.children if child.text.startswith("Subquery:")]
        self._named["<subquery>"] = set[Column]().union(
            *(self.sources.get(number, set()) for numbers in inner for number in numbers)
        )
        if kind == "Projection":
            scanned = bool(node.children) and node.children[0].text.startswith("TableScan")
            return [
                number for item in split(rest) if (number := self._item(item, table if scanned else None, scanned)) is not None
            ]
        for part in _LISTS.findall(node.text):
            for item in split(part):
                self._value(item)
        if kind in {"Union", "Union:"} or node.text == "Union":
            return self._union(children)
        return [number for numbers in children for number in numbers]

    def names(self, node: PlanNode, items: str, table: str | None) -> dict[str, set[Column]]:
        """What a projection that gives no numbers gives names to."""
        for child in node.children:
            self.visit(child, table)
        found: dict[str, set[Column]] = {}
        for item in split(items):
            match = _NAMED.match(item)
            if match is not None:
                qualifier, _, number = match["value"].rpartition(".")
                found[f"{qualifier}.{match['name']}" if qualifier and number.startswith("#") else match["name"]] = self._value(
                    item
                )
        return found

    def _item(self, item: str, table: str | None, scanned: bool) -> int | None:
        match = _ITEM.match(item)
        if match is None:
            self._value(item)
            return None
        number = int(match["number"])
        if match["value"] is None:
            return number
        if scanned:
            column = match["value"].rsplit(".", 1)[-1].strip('"`')
            self.sources[number] = {(table, column)} if table is not None else set()
        else:
            self.sources[number] = self._value(match["value"])
        return number

    def _value(self, text: str) -> set[Column]:
        """The sources of an expression; a name that it gets is remembered."""
        match = _NAMED.match(text)
        value = match["value"] if match is not None else text
        numbers = [int(number) for number in _NUMBER.findall(_REFUSED.sub("", value))]
        found = set[Column]().union(*(self.sources.get(number, set()) for number in numbers))
        if "<subquery>" in value:
            found |= self._named["<subquery>"]
        elif not numbers:
            name = match["value"] if match is not None else text
            found = set(self._named.get(name, self._named.get(name.rsplit(".", 1)[-1], set())))
        self._named[text] = found
        if match is not None:
            self._named[match["name"]] = found
            self._named.setdefault(match["value"], found)
        return found

    def _union(self, children: Sequence[Sequence[int]]) -> list[int]:
        first = list(children[0]) if children else []
        for others in children[1:]:
            for number, other in zip(first, others, strict=False):
                self.sources.setdefault(number, set()).update(self.sources.get(other, set()))
        return first
