"""The rules of pipelines in the database: who may see, run and change them, and what is recorded of updates."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService
from boathouse.errors import Conflict, NotImplementedHere
from boathouse.iam.api import PIPELINE, Access, AccessBody, Principal, access_of, runner_of
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.pipelines import graph
from boathouse.pipelines.errors import PipelineNameTaken, PipelineNotFound, SpecInvalid, UpdateNotFound, UpdateRunning
from boathouse.pipelines.events import Event, UpdateState
from boathouse.pipelines.filters import of_events
from boathouse.pipelines.info import LEVELS, PipelineInfo, UpdateInfo
from boathouse.pipelines.ingestion_spec import check_ingestion
from boathouse.pipelines.known_fields import check_fields
from boathouse.pipelines.models import PipelineEventRow, PipelinePermissionRow, PipelineRow, PipelineUpdateRow
from boathouse.pipelines.repository import PipelineRepository
from boathouse.pipelines.schemas import PipelineBody, StartBody
from boathouse.pipelines.settings import Settings
from boathouse.storage.layout import Layout

_GRAPHS = uuid.UUID("5b3c1d3e-52e0-5a4c-9f5a-0b8b1d0c7f6e")
_NAME = re.compile(r"[^.`\s]+")
_MOST_EVENTS = 10_000
"""Of one update that are looked at for its graph."""


class PipelineService:
    """Pipelines for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._layout = layout
        self._rows = PipelineRepository(session)
        self._principal = principal

    # --------------------------------------------------------------------------------------------------- pipelines

    def value(self, row: PipelineRow) -> PipelineInfo:
        """The value of a row."""
        access = tuple(Access(one.grantee, one.kind, one.level) for one in self._rows.permissions(row.id))
        return PipelineInfo(
            id=row.id,
            name=row.name,
            creator=row.creator,
            run_as=row.run_as,
            run_as_id=row.run_as_id,
            spec=dict(row.spec),
            remembered=dict(row.remembered),
            created_at=row.created_at,
            updated_at=row.updated_at,
            access=access,
            updates=tuple(update_value(one) for one in self._rows.updates(row.id, 5)),
        )

    def _row(self, pipeline_id: str, level: str) -> PipelineRow:
        row = self._rows.by_id(pipeline_id)
        if row is None:
            raise PipelineNotFound(pipeline_id)
        self.value(row).require(self._principal, level)
        return row

    def get(self, pipeline_id: str, level: str = "CAN_VIEW") -> PipelineInfo:
        """A pipeline."""
        return self.value(self._row(pipeline_id, level))

    def visible(self) -> list[PipelineInfo]:
        """The pipelines that the principal may know of, by name."""
        found = [self.value(row) for row in self._rows.all()]
        return [one for one in found if one.level_of(self._principal)]

    def create(self, body: PipelineBody) -> PipelineInfo:
        """Record a new pipeline.

        Raises:
            SpecInvalid: If a field is not valid.
            PipelineNameTaken: If the name is another's.
            NotFound: If the asker knows of no connection of the name that an ingestion has.
        """
        self.check(body)
        name = body.name or ""
        if not body.allow_duplicate_names and self._rows.named(name):
            raise PipelineNameTaken(name)
        runner = self._runner(body)
        return self.value(self._new(new_id(), name, runner, body.spec()))

    def _new(self, pipeline_id: str, name: str, runner: Principal, spec: dict[str, Any]) -> PipelineRow:
        now = now_ms()
        row = PipelineRow(
            id=pipeline_id,
            name=name,
            creator=self._principal.name,
            creator_id=self._principal.id,
            run_as=runner.name,
            run_as_id=runner.id,
            spec={**spec, "id": pipeline_id, "name": name},
            remembered={},
            exported=0,
            event_log=None,
            created_at=now,
            updated_at=now,
        )
        self._rows.add(row)
        owner = PipelinePermissionRow(
            pipeline_id=row.id, grantee=self._principal.name, kind=_kind(self._principal), level="IS_OWNER"
        )
        self._rows.add(owner)
        details = {"user_action": {"user_name": self._principal.name, "action": "CREATE"}}
        self._note(
            row.id,
            None,
            Event("user_action", f"User {self._principal.name} created the pipeline.", details=details["user_action"]),
        )
        return row

    def edit(self, pipeline_id: str, body: PipelineBody) -> PipelineInfo:
        """Give a pipeline other settings.

        Raises:
            Conflict: If somebody else changed it since the asker looked.
        """
        row = self._row(pipeline_id, "CAN_MANAGE")
        body = body.model_copy(update={"name": body.name or row.name})
        self.check(body)
        if body.expected_last_modified is not None and body.expected_last_modified != row.updated_at:
            message = (
                f"The pipeline was changed at {row.updated_at}, not at {body.expected_last_modified}: get it and try again."
            )
            raise Conflict(message, field="expected_last_modified")
        others = [one for one in self._rows.named(body.name or "") if one.id != row.id]
        if others and body.name != row.name and not body.allow_duplicate_names:
            raise PipelineNameTaken(body.name or "")
        old = (row.spec.get("catalog"), row.spec.get("schema") or row.spec.get("target"), row.spec.get("storage"))
        row.spec = {**body.spec(), "id": row.id, "name": body.name}
        row.name = body.name or row.name
        if (row.spec.get("catalog"), row.spec.get("schema") or row.spec.get("target"), row.spec.get("storage")) != old:
            # What is remembered is of the tables that the pipeline had before.
            row.remembered = {}
        if body.run_as is not None:
            runner = self._runner(body)
            row.run_as, row.run_as_id = runner.name, runner.id
        row.updated_at = max(now_ms(), row.updated_at + 1)
        told = Event(
            "user_action",
            f"User {self._principal.name} edited the pipeline.",
            details={"user_name": self._principal.name, "action": "EDIT"},
        )
        self._note(row.id, None, told)
        return self.value(row)

    def delete(self, pipeline_id: str) -> PipelineInfo:
        """Delete a pipeline, its updates, its events and its private tables. The others stay."""
        row = self._row(pipeline_id, "IS_OWNER")
        pipeline = replace(self._principal, acting_for=f"{PIPELINE}:{row.id}")
        CatalogService(self._session, pipeline, self._layout).delete_private()
        value = self.value(row)
        self._rows.remove(row)
        return value

    def check(self, body: PipelineBody) -> None:
        """Go on only if the settings are those of a pipeline.

        Raises:
            SpecInvalid: If a field is not valid, or none.
            NotFound: If the asker knows of no connection of the name that an ingestion has.
        """
        check_fields(body)
        if not body.name:
            raise SpecInvalid("name", "is missing.")
        if body.gateway_definition is not None:
            message = "gateway_definition is not supported here: an ingestion pipeline reads its source by itself."
            raise NotImplementedHere(message, field="gateway_definition")
        if body.ingestion_definition is not None:
            check_ingestion(body, CatalogService(self._session, self._principal, self._layout))
        Settings.of(body.configuration)
        Settings.of(body.parameters or {}, "parameters")
        for field, value in (("catalog", body.catalog), ("schema", body.schema_name), ("target", body.target)):
            if value is not None and not _NAME.fullmatch(value):
                raise SpecInvalid(field, f"'{value}' is not a name of one part.")
        for number, library in enumerate(body.libraries):
            if (library.file is None) + (library.notebook is None) + (library.glob is None) != 2:
                raise SpecInvalid(
                    f"libraries[{number}]", "needs one of file, notebook and glob; jar, maven and whl are not supported."
                )

    def _runner(self, body: PipelineBody) -> Principal:
        """With whose rights a pipeline runs: the asker's, or for an admin somebody else's."""
        if body.run_as and (body.run_as.service_principal_name is None) == (body.run_as.user_name is None):
            raise SpecInvalid("run_as", "needs one of user_name and service_principal_name.")
        asked = body.run_as and (body.run_as.service_principal_name or body.run_as.user_name)
        return runner_of(self._session, self._principal, asked, "a pipeline")

    # ----------------------------------------------------------------------------------------------------- updates

    def start(self, pipeline_id: str, body: StartBody) -> tuple[PipelineInfo, UpdateInfo]:
        """Record a new update that is to be started.

        Raises:
            UpdateRunning: If one is under way.
            SpecInvalid: If the fields exclude each other.
        """
        row = self._row(pipeline_id, "CAN_RUN")
        if body.full_refresh and (body.full_refresh_selection or body.refresh_selection):
            raise SpecInvalid("full_refresh", "cannot be combined with refresh_selection or full_refresh_selection.")
        check_fields(body)
        Settings.of(body.parameters, "parameters")
        running = self._rows.active(pipeline_id)
        if running:
            raise UpdateRunning(pipeline_id, running[0].id)
        options = body.model_dump(exclude={"cause"}, exclude_unset=True)
        return self.value(row), self._begin(row, body.cause, options)

    def start_graph(self, spec: dict[str, Any], options: dict[str, Any]) -> tuple[PipelineInfo, UpdateInfo]:
        """Record a new update of a graph that the asker has defined; its pipeline is made where it is new.

        Raises:
            UpdateRunning: If one is under way.
        """
        place = "|".join([self._principal.id, spec.get("storage") or "", spec["catalog"], spec["schema"]])
        pipeline_id = str(uuid.uuid5(_GRAPHS, place))
        row = self._rows.by_id(pipeline_id)
        if row is None:
            row = self._new(
                pipeline_id, f"spark-pipelines {spec['catalog']}.{spec['schema']} {pipeline_id[:8]}", self._principal, spec
            )
        row.spec = {**spec, "id": row.id, "name": row.name}
        running = self._rows.active(pipeline_id)
        if running:
            raise UpdateRunning(pipeline_id, running[0].id)
        return self.value(row), self._begin(row, "API_CALL", {key: value for key, value in options.items() if value})

    def _begin(self, row: PipelineRow, cause: str, options: dict[str, Any]) -> UpdateInfo:
        update = PipelineUpdateRow(
            id=new_id(),
            pipeline_id=row.id,
            active=True,
            state=UpdateState.QUEUED.value,
            cause=cause,
            options=options,
            spec=dict(row.spec),
            created_at=now_ms(),
            ended_at=None,
        )
        try:
            self._rows.add(update)
        except IntegrityError as error:
            raise UpdateRunning(row.id, "that was just started") from error
        told = f"Update {update.id[:6]} started by {cause}."
        self._note(row.id, update.id, Event("create_update", told, details={"cause": cause, **update.options}))
        return update_value(update)

    def get_update(self, pipeline_id: str, update_id: str) -> UpdateInfo:
        """An update of a pipeline."""
        self._row(pipeline_id, "CAN_VIEW")
        row = self._rows.update(update_id)
        if row is None or row.pipeline_id != pipeline_id:
            raise UpdateNotFound(pipeline_id, update_id)
        return update_value(row)

    def list_updates(self, pipeline_id: str, limit: int, offset: int) -> list[UpdateInfo]:
        """Updates of a pipeline, the newest first."""
        self._row(pipeline_id, "CAN_VIEW")
        return [update_value(row) for row in self._rows.updates(pipeline_id, limit, offset)]

    def events(
        self, pipeline_id: str, text: str | None, limit: int, *, newest_first: bool, after: int
    ) -> tuple[list[PipelineEventRow], int | None]:
        """A page of events, and where the next one begins.

        Raises:
            InvalidParameterValue: If the filter is none.
        """
        self._row(pipeline_id, "CAN_VIEW")
        wanted = [PipelineEventRow.pipeline_id == pipeline_id, *of_events(text, self._rows.sequence_of)]
        if after:
            wanted.append(PipelineEventRow.sequence < after if newest_first else PipelineEventRow.sequence > after)
        found = self._rows.events(wanted, limit + 1, newest_first=newest_first)
        return found[:limit], found[limit - 1].sequence if len(found) > limit else None

    def planned(self, pipeline_id: str, update_id: str) -> tuple[str | None, list[PipelineEventRow], list[PipelineEventRow]]:
        """Of an update, or of the one before it that was planned: its identifier, the events that define datasets, those of progress.

        Progress is of the asked update alone; of a long one, the newest events.
        """
        self.get_update(pipeline_id, update_id)
        of_update = [PipelineEventRow.pipeline_id == pipeline_id, PipelineEventRow.update_id == update_id]
        last = self._rows.events(of_update, 1)
        definitions = [PipelineEventRow.pipeline_id == pipeline_id, PipelineEventRow.event_type.in_(graph.DEFINITIONS)]
        newest = self._rows.events([*definitions, PipelineEventRow.sequence <= (last[0].sequence if last else 0)], 1)
        if not newest:
            return None, [], []
        defined = [*definitions, PipelineEventRow.update_id == newest[0].update_id]
        progress = [*of_update, PipelineEventRow.event_type.in_(graph.PROGRESS)]
        return (
            newest[0].update_id,
            self._rows.events(defined, _MOST_EVENTS)[::-1],
            self._rows.events(progress, _MOST_EVENTS)[::-1],
        )

    # ------------------------------------------------------------------------------------------------- permissions

    def set_access(self, pipeline_id: str, changes: Sequence[AccessBody], *, replace: bool) -> PipelineInfo:
        """Give levels of permission; with ``replace``, those not named go, and one of them must be the owner.

        Raises:
            PrincipalNotFound: If a grantee is nobody.
            InvalidParameterValue: If a level is none.
        """
        row = self._row(pipeline_id, "CAN_MANAGE")
        held = self.value(row)
        wanted = access_of(self._session, LEVELS, changes)
        owner = next((one for one in wanted if one.level == "IS_OWNER"), None)
        if owner is not None:
            held.require(self._principal, "IS_OWNER")
        named = {one.grantee for one in wanted}
        kept = [
            one
            for one in held.access
            if one.grantee not in named and (owner is None if one.level == "IS_OWNER" else not replace)
        ]
        self._rows.clear_permissions(row.id)
        for one in (*kept, *wanted):
            self._rows.add(PipelinePermissionRow(pipeline_id=row.id, grantee=one.grantee, kind=one.kind, level=one.level))
        return self.value(row)

    def _note(self, pipeline_id: str, update_id: str | None, event: Event) -> None:
        note(self._session, pipeline_id, update_id, event)


def _kind(principal: Principal) -> str:
    return "service_principal_name" if principal.kind == "service_principal" else "user_name"


def update_value(row: PipelineUpdateRow) -> UpdateInfo:
    """The value of an update's row."""
    return UpdateInfo(
        id=row.id,
        pipeline_id=row.pipeline_id,
        active=bool(row.active),
        state=UpdateState(row.state),
        cause=row.cause,
        options=dict(row.options),
        spec=dict(row.spec),
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def note(session: Session, pipeline_id: str, update_id: str | None, event: Event) -> None:
    """Record an event, and the state of its update if it tells of one."""
    rows = PipelineRepository(session)
    if rows.by_id(pipeline_id) is None:
        return
    rows.add(
        PipelineEventRow(
            id=new_id(),
            pipeline_id=pipeline_id,
            update_id=update_id,
            time_ms=event.time_ms,
            event_type=event.kind,
            level=event.level.value,
            message=event.message,
            dataset=event.dataset,
            flow=event.flow,
            details=dict(event.details),
            error=None if event.error is None else dict(event.error),
        )
    )
    if event.kind == "update_progress" and update_id is not None:
        row = rows.update(update_id)
        state = UpdateState(event.details["state"])
        if row is not None and row.active:
            row.state = state.value
            if state.is_final:
                row.active, row.ended_at = None, event.time_ms


def remember(session: Session, pipeline_id: str, key: str, value: Any) -> None:
    """Keep a value for the next updates of a pipeline; None forgets it."""
    row = PipelineRepository(session).by_id(pipeline_id)
    if row is not None:
        kept = {name: one for name, one in row.remembered.items() if name != key}
        row.remembered = kept if value is None else {**kept, key: value}
