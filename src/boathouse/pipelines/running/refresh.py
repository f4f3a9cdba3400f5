"""How a materialized view is brought up to date: by what was added to what it reads, where that gives the same, or anew."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pyspark.errors import PySparkException

from boathouse.engine.appended import APPENDED_AFTER
from boathouse.engine.gateway.forms.repeatable import unrepeatable
from boathouse.engine.gateway.messages.plan_text import PlanNode, parsed
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.sql.tokens import parts_of, quote
from boathouse.pipelines.model import Relation
from boathouse.pipelines.planning.plan import Plan, PlannedDataset, PlannedFlow
from boathouse.pipelines.planning.shape import SOURCE, Grouping, NotIncremental, shape_of
from boathouse.pipelines.running.rows import Checked
from boathouse.pipelines.running.session import Session

_REFERENCE = re.compile(r"__bh\d+|_pyspark_connect_temp_view_[0-9a-f]+")
_WRITTEN: Mapping[str, Callable[[Any], str]] = {
    "spark.connect.SQL": lambda one: one.query,
    "spark.connect.Expression.ExpressionString": lambda one: one.expression,
    **dict.fromkeys(
        (
            "spark.connect.Expression.Literal",
            "spark.connect.LocalRelation",
            "spark.connect.CachedLocalRelation",
            "spark.connect.ChunkedCachedLocalRelation",
        ),
        lambda one: one.SerializeToString(deterministic=True).hex(),
    ),
}
"""What the engine's plan abbreviates or leaves out, as rows that stand in the query itself."""


class Technique(StrEnum):
    """Databricks' words for the ways."""

    COMPLETE_RECOMPUTE = "COMPLETE_RECOMPUTE"
    NO_OP = "NO_OP"
    APPEND_ONLY = "APPEND_ONLY"
    GROUP_AGGREGATE = "GROUP_AGGREGATE"


@dataclass(frozen=True)
class Source:
    """A table that a view reads, as it is now.

    Attributes:
        name: Its full name.
        alias: Under which the plan reads it.
        table_id: Of the table with that name.
        version: Its newest.
    """

    name: tuple[str, ...]
    alias: str
    table_id: str
    version: int

    def relation(self, after: int | None = None) -> Relation:
        """Its rows in that version, or only those that came after another one."""
        relation = proto().Relation()
        relation.subquery_alias.alias = self.alias
        read = relation.subquery_alias.input.read.named_table
        read.unparsed_identifier = quote(self.name)
        read.options["versionAsOf"] = str(self.version)
        if after is not None:
            read.options[APPENDED_AFTER] = str(after)
        return relation


@dataclass(frozen=True)
class Refresh:
    """What is to be done.

    Attributes:
        technique: The way.
        relation: The rows: all, or those that are to be added or merged; they are of fixed versions where that could be.
        issue: Why it is computed anew, in Databricks' word and for people; None if it is not.
        grouping: How groups are merged.
        remember: What the next refresh has to know, without the version that this one makes; None if nothing is known.
    """

    technique: Technique
    relation: Relation
    issue: tuple[str, str] | None = None
    grouping: Grouping | None = None
    remember: Mapping[str, Any] | None = None

    @property
    def details(self) -> dict[str, Any]:
        """Those of the event."""
        anew: dict[str, Any] = {
            "maintenance_type": "MAINTENANCE_TYPE_COMPLETE_RECOMPUTE",
            "is_chosen": self.technique is Technique.COMPLETE_RECOMPUTE,
            "is_applicable": True,
        }
        if self.issue is None:
            way = {"maintenance_type": f"MAINTENANCE_TYPE_{self.technique}", "is_chosen": True, "is_applicable": True}
            return {"technique_information": [way, anew]}
        kind, message = self.issue
        issues = [{"issue_type": kind, "prevent_incrementalization": True, "message": message}]
        way = {"maintenance_type": "MAINTENANCE_TYPE_ROW_BASED", "is_chosen": False, "is_applicable": False}
        return {"technique_information": [{**way, "incrementalization_issues": issues}, anew]}


@dataclass(frozen=True)
class Refresher:
    """Decides for one view.

    Attributes:
        session: The engine.
        plan: The pipeline.
        flow: The view's.
        dataset: The view.
        rules: Its expectations.
        target: The newest version of its table.
    """

    session: Session
    plan: Plan
    flow: PlannedFlow
    dataset: PlannedDataset
    rules: Checked
    target: int

    def decide(self, before: Mapping[str, Any] | None) -> Refresh:
        """What is to be done.

        Args:
            before: What the last refresh remembered.
        """
        plain = self.plan.relation(self.flow)
        try:
            sources = self._sources()
            relation = self._relation(plain, {one.name: one.relation() for one in sources})
            plan = parsed(self.session.explain(relation))
            fingerprint = self._fingerprint(plan, plain)
        except (NotIncremental, PySparkException) as error:
            return Refresh(Technique.COMPLETE_RECOMPUTE, plain, _issue(error))
        now = {"fingerprint": fingerprint, "sources": {".".join(one.name): [one.table_id, one.version] for one in sources}}
        try:
            return self._increment(plain, plan, sources, before, now)
        except (NotIncremental, PySparkException) as error:
            return Refresh(Technique.COMPLETE_RECOMPUTE, relation, _issue(error), remember=now)

    def merge(self, refresh: Refresh) -> None:
        """Merge the groups of added rows into the view."""
        grouping = refresh.grouping
        if grouping is None:
            raise TypeError(self.dataset.full_name)
        columns = [quote((name,)) for name in (*grouping.keys, *grouping.updates)]
        matched = " AND ".join(f"t.{one} <=> s.{one}" for one in (quote((name,)) for name in grouping.keys)) or "1 = 1"
        updates = ", ".join(f"t.{quote((name,))} = {value}" for name, value in grouping.updates.items())
        head = f"MERGE INTO {self.dataset.quoted} t USING {{added}} s ON {matched}"
        update = f"WHEN MATCHED THEN UPDATE SET {updates}" if updates else ""
        insert = f"INSERT ({', '.join(columns)}) VALUES ({', '.join(f's.{one}' for one in columns)})"  # noqa: S608 - names are quoted
        text = f"{head} {update} WHEN NOT MATCHED THEN {insert}"
        self.session.spark.sql(text, added=self.session.frame(refresh.relation)).collect()

    def _sources(self) -> list[Source]:
        names = [self.plan.datasets[key].name for key in self.plan.upstream(self.flow)]
        names += [tuple(parts_of(name)) for name in self.plan.external(self.flow)]
        found: list[Source] = []
        for number, name in enumerate(sorted(names)):
            table_id = self.session.table_id(quote(name))
            if table_id is None:
                message = f"it reads {'.'.join(name)}, which is no Delta table"
                raise NotIncremental("INPUT_NOT_VERSIONED", message)
            found.append(Source(tuple(name), f"{SOURCE}{number}", table_id, self.session.version(quote(name))))
        return found

    def _relation(self, plain: Relation, tables: Mapping[tuple[str, ...], Relation]) -> Relation:
        """The query over certain rows of its sources."""
        if any(one.DESCRIPTOR.full_name == "spark.connect.Read" and one.HasField("data_source") for one in walk(plain)):
            raise NotIncremental("INPUT_NOT_VERSIONED", "it reads files by their path")
        # A row that is kept today may be dropped tomorrow, by an expectation that asks for the time.
        volatile = unrepeatable(plain) or unrepeatable(self.rules.deciding(plain))
        if volatile is not None:
            message = f"{volatile} may give something else when it is evaluated again"
            raise NotIncremental("EXPRESSION_NOT_DETERMINISTIC", message)
        return self.plan.relation(self.flow, tables)

    def _fingerprint(self, plan: PlanNode | None, query: Relation) -> str:
        """Of all that the view's rows depend on beside those of its sources."""
        if plan is None:
            raise NotIncremental("PLAN_NOT_INCREMENTALIZABLE", "the engine's plan of its query could not be read")
        written = [_WRITTEN[one.DESCRIPTOR.full_name](one) for one in walk(query) if one.DESCRIPTOR.full_name in _WRITTEN]
        text = _REFERENCE.sub("__bh", "\n".join([*(node.text for node in plan.walk()), *written]))
        rules = [(one.name, one.constraint, one.action) for one in self.rules.expectations]
        columns = [(one.name, one.type, one.generated) for one in self.dataset.schema]
        zone = self.session.spark.conf.get("spark.sql.session.timeZone", "")
        known = [text, rules, self.rules.quarantine, columns, zone, *sorted(self.flow.flow.session_settings.items())]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def _increment(
        self,
        plain: Relation,
        plan: PlanNode | None,
        sources: Sequence[Source],
        before: Mapping[str, Any] | None,
        now: Mapping[str, Any],
    ) -> Refresh:
        if before is None:
            raise NotIncremental("NO_EARLIER_REFRESH", "nothing is known of an earlier refresh")
        if before["fingerprint"] != now["fingerprint"]:
            raise NotIncremental(
                "QUERY_CHANGED", "its definition, or that of something that it reads, is another one than at the last refresh"
            )
        if before["target"] != self.target:
            raise NotIncremental(
                "TARGET_CHANGED", "the table was changed since the last refresh, or that did not come to its end"
            )
        versions: dict[tuple[str, ...], int] = {}
        for one in sources:
            # Its table lies elsewhere if it was private then, or is now.
            table_id, version = before["sources"].get(".".join(one.name), (None, 0))
            if table_id != one.table_id or version > one.version:
                raise NotIncremental("INPUT_REPLACED", f"{'.'.join(one.name)} is another table than at the last refresh")
            versions[one.name] = version
        grown = frozenset(one.alias for one in sources if versions[one.name] != one.version)
        if not grown or plan is None:
            return Refresh(Technique.NO_OP, plain, remember=now)
        columns = [(one.name, one.type or "") for one in self.flow.schema]
        shape = shape_of(plan, grown, columns)
        if shape.grouping is not None and self.rules.expectations:
            raise NotIncremental("PLAN_NOT_INCREMENTALIZABLE", "its expectations are about groups that change")
        if any(one.generated for one in self.dataset.schema):
            raise NotIncremental("PLAN_NOT_INCREMENTALIZABLE", "it has a generated column")
        after = {one.alias: versions[one.name] for one in sources if one.alias in grown | shape.idle}
        added = {one.name: one.relation(after.get(one.alias)) for one in sources}
        relation = self._relation(plain, added)
        # Refused where a source did anything else than to add rows.
        self.session.frame(relation).schema  # noqa: B018
        technique = Technique.APPEND_ONLY if shape.grouping is None else Technique.GROUP_AGGREGATE
        return Refresh(technique, relation, None, shape.grouping, now)


def _issue(error: NotIncremental | PySparkException) -> tuple[str, str]:
    if isinstance(error, NotIncremental):
        return error.issue, str(error)
    return "CHANGES_NOT_APPENDED", str(error).partition("\n")[0]
