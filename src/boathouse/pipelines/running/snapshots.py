"""AUTO CDC from snapshots: what differs between a snapshot and the rows that its target holds are changes like any others.

The target is brought up to date with the changes that are kept before it is compared with a snapshot. So a snapshot that is taken
again, since the process ended before it could remember the first time, differs in nothing.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.pipelines.errors import FlowFailed
from boathouse.pipelines.model import AutoCdc, Relation, Snapshot, SnapshotCdc
from boathouse.pipelines.planning.cdc import END, SEQUENCE, SNAPSHOT, START, Changes, storage_name
from boathouse.pipelines.planning.plan import Plan, PlannedDataset, PlannedFlow
from boathouse.pipelines.planning.relations import query_over
from boathouse.pipelines.running.session import Session
from boathouse.pipelines.running.state import State
from boathouse.pipelines.source.versions import from_json, to_json, version_literal

_ERROR = "APPLY_CHANGES_FROM_SNAPSHOT_ERROR"
_TICK = dt.timedelta(microseconds=1)


def mark_of(flow: str) -> str:
    """Under which a flow's last snapshot is remembered."""
    return f"snapshot:{flow}"


def last_version(state: State, flow: str) -> Any:
    """The version of the last snapshot that a flow has taken in; None if there is none."""
    said = state.get(mark_of(flow))
    return None if said is None else from_json(said)


def as_changes(cdc: SnapshotCdc) -> AutoCdc:
    """How the differences are applied."""
    return AutoCdc("", cdc.keys, SEQUENCE, scd_type=cdc.scd_type, track=cdc.track, track_except=cdc.track_except)


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one flow.

    Attributes:
        session: The engine.
        plan: The pipeline.
        flow: The flow.
        dataset: Its target.
        cdc: How it is declared.
        state: What the pipeline remembers.
    """

    session: Session
    plan: Plan
    flow: PlannedFlow
    dataset: PlannedDataset
    cdc: SnapshotCdc
    state: State

    def new(self) -> Iterator[Snapshot]:
        """The snapshots that are new, in their order; each is to be taken in before the next is asked for.

        Raises:
            FlowFailed: If one does not come after the one before it.
        """
        last = last_version(self.state, self.flow.name)
        if isinstance(self.cdc.source, str):
            now = dt.datetime.now(dt.UTC)
            version = now if last is None else max(now, last + _TICK)
            yield Snapshot(self.plan.relation(self.flow), version)
            self.state.set(mark_of(self.flow.name), to_json(version))
            return
        while (snapshot := self.cdc.source(last)) is not None:
            self._check(snapshot.version, last)
            yield Snapshot(self.plan.resolved(snapshot.relation), snapshot.version)
            last = snapshot.version
            self.state.set(mark_of(self.flow.name), to_json(last))

    def difference(self, snapshot: Snapshot) -> Relation:
        """The changes that make of what the target holds what a snapshot has.

        Raises:
            FlowFailed: If the snapshot has columns that the update was not planned with.
        """
        have = {column.name.lower() for column in self.session.analyse(snapshot.relation)}
        columns = [one for one in self.dataset.schema if one.name not in {START, END}]
        unknown = have - {one.name.lower() for one in columns}
        if unknown:
            # The update is planned again, with them.
            message = f"[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_SNAPSHOT] New columns: {', '.join(sorted(unknown))}."
            raise FlowFailed(message)
        given = [
            name if one.name.lower() in have else f"CAST(NULL AS {one.type}) AS {name}"
            for one, name in ((one, quote((one.name,))) for one in columns)
        ]
        changes = Changes(
            as_changes(self.cdc), self.dataset.name, storage_name(self.dataset), tuple(one.name for one in columns)
        )
        twice = (
            f"[{_ERROR}.DUPLICATE_KEY_VIOLATION] The snapshot of version {snapshot.version} has several rows with the same "
            f"{', '.join(self.cdc.keys)}."
        )
        return query_over(changes.difference(given, version_literal(snapshot.version), twice), SNAPSHOT, snapshot.relation)

    def _check(self, version: Any, last: Any) -> None:
        if last is None:
            return
        if type(version) is not type(last):
            message = (
                f"[{_ERROR}.INCORRECT_DATA_TYPE] The version {version!r} of a snapshot of {self.flow.name} is of another type than the "
                f"one before it, {last!r}."
            )
            raise FlowFailed(message)
        if not version > last:
            message = (
                f"[{_ERROR}.OUT_OF_ORDER_VERSION] The snapshot of version {version!r} of {self.flow.name} does not come after that of "
                f"version {last!r}, which was taken in before it. The source has to answer a greater version, or None."
            )
            raise FlowFailed(message)
