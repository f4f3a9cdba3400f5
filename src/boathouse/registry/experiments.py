"""Who may see experiments of MLflow's and what is logged in them, log into them, change and manage them.

An experiment whose name is a path below ``/Users`` or ``/Repos`` is its folder's: who may read there reads it, nobody else. Every
other one is open: everybody reads it and logs runs of their own, until it has permissions of its own. Its owner manages it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from mlflow.entities.entity_type import EntityAssociationType
from mlflow.store.db.base_sql_model import Base
from mlflow.store.tracking.dbmodels.models import (
    SqlEntityAssociation,
    SqlEvaluationDataset,
    SqlExperiment,
    SqlExperimentTag,
)
from sqlalchemy import ColumnElement, Engine, String, Table, and_, bindparam, cast, exists, not_, or_, select
from sqlalchemy.orm import with_loader_criteria

from boathouse.db.database import Database
from boathouse.iam.api import ACCOUNT_USERS, Access, AccessBody, IamService, Levels, Principal, access_of
from boathouse.registry.context import acting_principal
from boathouse.registry.errors import ExperimentRefused, FolderRefused
from boathouse.registry.repository import ExperimentRepository
from boathouse.storage.layout import Layout
from boathouse.workspace.api import PathInvalid, WorkspaceService

OWNER_TAG = "mlflow.ownerEmail"
READ, EDIT, MANAGE = "CAN_READ", "CAN_EDIT", "CAN_MANAGE"
LEVELS = Levels((READ, EDIT, MANAGE))
LEVEL_TEXTS = {
    READ: "See it, and its runs, models, traces and their files",
    EDIT: "The same, log into it, and change what is logged in it; everybody (users) changes only runs and models of their own",
    MANAGE: "The same, rename and delete it, and say who may",
}
OPEN = Access(ACCOUNT_USERS, "group_name", EDIT)
"""What holds of an open experiment that has no permissions of its own."""

_PRIVATE = ("/Users/", "/Repos/")
_WORKSPACE = "/Workspace"
_MOST_SECONDS = 5.0
"""How long a folder that was moved keeps its old name here; all else is seen at once."""
_VIEWS = 1000
_LARGEST = 2**31 - 1


class Rank(IntEnum):
    """How much somebody may; each includes those before it. With LOG runs of one's own are made and changed."""

    NONE = 0
    READ = 1
    LOG = 2
    EDIT = 3
    MANAGE = 4


_RANKS = {READ: Rank.READ, "CAN_RUN": Rank.READ, EDIT: Rank.EDIT, MANAGE: Rank.MANAGE}
NEEDED = {Rank.READ: READ, Rank.LOG: EDIT, Rank.EDIT: EDIT, Rank.MANAGE: MANAGE}
"""The level of permission that gives a rank."""


@dataclass
class _View:
    """What one principal may, as long as ``stamp`` is the metadata database's number of changes."""

    stamp: int
    until: float
    ranks: dict[int, Rank] = field(default_factory=dict[int, Rank])
    given: dict[int, Rank] = field(default_factory=dict[int, Rank])
    listed: frozenset[int] = frozenset()
    paths: tuple[str, ...] = ()
    criteria: tuple[Any, ...] | None = None


def is_private(name: str) -> bool:
    """Whether an experiment of a name is its folder's, and not open."""
    return _path(name).startswith(_PRIVATE)


def _path(name: str) -> str:
    return name.removeprefix(_WORKSPACE) if name.startswith(f"{_WORKSPACE}/") else name


class Experiments:
    """Permissions on experiments, for whoever acts.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        engine: MLflow's tables.
    """

    def __init__(self, database: Database, layout: Layout, engine: Engine) -> None:
        self._database = database
        self._layout = layout
        self._engine = engine
        self._views: dict[tuple[str, frozenset[str]], _View] = {}

    def forget(self) -> None:
        """Experiments have other names or owners now."""
        self._views.clear()

    # ------------------------------------------------------------------------------------------------------- asking

    def rank(self, experiment_id: str | int) -> Rank | None:
        """How much the acting principal may in an experiment; None if there is none of this id."""
        principal = acting_principal()
        if principal.is_admin:
            return Rank.MANAGE
        view, number = self._view(principal), number_of(experiment_id)
        if number is None:
            return None
        known = view.ranks.get(number)
        if known is None:
            found = self._facts(number)
            if found is None:
                return None
            known = view.ranks[number] = self._rank(principal, view, number, *found)
        return known

    def require(self, experiment_id: str | int, wanted: Rank) -> None:
        """Go on only with a rank in an experiment. One that does not exist passes: MLflow says so itself.

        Raises:
            ExperimentRefused: Without it.
        """
        held = self.rank(experiment_id)
        if held is not None and held < wanted:
            raise ExperimentRefused(acting_principal().name, str(experiment_id), NEEDED[wanted])

    def require_place(self, name: str) -> None:
        """Go on only if the acting principal may have an experiment of a name.

        Raises:
            FolderRefused: If it would lie in a folder that the principal may not change.
            PathInvalid: If nothing can lie there.
        """
        principal = acting_principal()
        if principal.is_admin or not is_private(name):
            return
        if self._in_workspace(principal, name) < Rank.EDIT:
            raise FolderRefused(principal.name, name)

    def is_hidden(self, name: str) -> bool:
        """Whether the acting principal may not even know of what has a name, as of what lies in somebody's folder."""
        principal = acting_principal()
        return not principal.is_admin and is_private(name) and self._in_workspace(principal, name) < Rank.READ

    def access(self, experiment_id: str) -> tuple[list[Access], list[Access]]:
        """Who may what in an experiment by itself, and who by its folder or because it is open. Needs CAN_READ."""
        self.require(experiment_id, Rank.READ)
        number = int(experiment_id)
        name, owner = self._facts(number) or ("", "")
        with self._database.session() as session:
            own = ExperimentRepository(session).access(number)
            service = WorkspaceService(session, acting_principal(), self._layout)
            inherited: list[Access] = []
            if is_private(name):
                try:
                    inherited = service.access_at(_path(name))
                except PathInvalid:
                    inherited = []
            elif not own:
                inherited = [OPEN]
            kind = IamService(session).kind_of(owner) if owner else None
        if owner and kind is not None:
            own = [Access(owner, kind, MANAGE), *(one for one in own if one.grantee != owner)]
            inherited = [one for one in inherited if one.grantee != owner]
        return own, inherited

    def set_access(self, experiment_id: str, changes: Sequence[AccessBody], *, replace: bool) -> None:
        """Give levels on an experiment; with ``replace``, those who are not named have none by it. Needs CAN_MANAGE.

        Of an open experiment without permissions of its own what everybody may stays, if they are added to.

        Raises:
            InvalidParameterValue: If a level is none, or an entry names nobody.
            PrincipalNotFound: If a grantee is nobody.
        """
        self.require(experiment_id, Rank.MANAGE)
        number = int(experiment_id)
        name, _ = self._facts(number) or ("", "")
        with self._database.session(write=True) as session:
            rows = ExperimentRepository(session)
            before = [] if replace else rows.access(number)
            if not before and not replace and changes and not is_private(name):
                before = [OPEN]
            wanted = access_of(session, LEVELS, changes)
            rows.set_access(number, {one.grantee: one for one in [*before, *wanted]}.values())
        self.forget()

    # ------------------------------------------------------------------------------------------- what statements see

    def criteria(self, principal: Principal) -> Sequence[Any]:
        """Options for statements on MLflow's tables: of experiments that a principal may not read they find nothing."""
        if principal.is_admin:
            return ()
        view = self._view(principal)
        if view.criteria is None:
            view.criteria = tuple(_criteria(_hidden(principal.name, view), principal.name))
        return view.criteria

    # ------------------------------------------------------------------------------------------------------ figuring

    def _view(self, principal: Principal) -> _View:
        key, stamp, now = (principal.name, principal.groups), self._database.changes(), time.monotonic()
        view = self._views.get(key)
        if view is None or view.stamp != stamp or view.until < now:
            if len(self._views) >= _VIEWS:
                self._views.clear()
            view = self._views[key] = self._new_view(principal, stamp, now)
        return view

    def _new_view(self, principal: Principal, stamp: int, now: float) -> _View:
        with self._database.session() as session:
            access: Mapping[int, Sequence[Access]] = ExperimentRepository(session).all_access()
            paths = WorkspaceService(session, principal, self._layout).granted_paths()
        grantees = {principal.name, *principal.groups}
        given = {
            number: max((_given(one) for one in entries if one.grantee in grantees), default=Rank.NONE)
            for number, entries in access.items()
        }
        return _View(
            stamp,
            now + _MOST_SECONDS,
            given={number: rank for number, rank in given.items() if rank},
            listed=frozenset(access),
            paths=tuple(paths),
        )

    def _rank(self, principal: Principal, view: _View, number: int, name: str, owner: str) -> Rank:
        if owner and owner == principal.name:
            return Rank.MANAGE
        found = [view.given.get(number, Rank.NONE), self._in_workspace(principal, name)]
        if number not in view.listed and not is_private(name):
            found.append(Rank.LOG)
        return max(found)

    def _in_workspace(self, principal: Principal, name: str) -> Rank:
        """How much a principal may by the folder of an experiment's name; the shared folder is as good as none."""
        path = _path(name)
        if not path.startswith("/") or path.startswith("/Shared/"):
            return Rank.NONE
        with self._database.session() as session:
            try:
                level = WorkspaceService(session, principal, self._layout).level(path)
            except PathInvalid:
                return Rank.NONE
        return _RANKS.get(level or "", Rank.NONE)

    def _facts(self, number: int) -> tuple[str, str] | None:
        """Name and owner of an experiment."""
        experiments, tags = _table(SqlExperiment), _table(SqlExperimentTag)
        owner = and_(tags.c.experiment_id == experiments.c.experiment_id, tags.c.key == OWNER_TAG)
        query = select(experiments.c.name, tags.c.value).select_from(experiments.outerjoin(tags, owner))
        with self._engine.connect() as connection:
            row = connection.execute(query.where(experiments.c.experiment_id == number)).one_or_none()
        return None if row is None else (str(row[0]), str(row[1] or ""))


def _given(one: Access) -> Rank:
    """What everybody may is to log runs of their own: who may change others' is named, or is in a group that is."""
    return Rank.LOG if one.grantee == ACCOUNT_USERS and one.level == EDIT else _RANKS[one.level]


def number_of(experiment_id: str | int) -> int | None:
    """The number that an experiment's identifier is; None for what MLflow's tables cannot hold."""
    text = str(experiment_id).strip()
    return int(text) if text.isdecimal() and len(text) <= len(str(_LARGEST)) and int(text) <= _LARGEST else None


def _table(entity: Any) -> Table:
    return entity.__table__


def _ids(name: str, values: Sequence[int]) -> Any:
    return bindparam(name, list(values), expanding=True, literal_execute=True)


def _hidden(name: str, view: _View) -> tuple[Any, ColumnElement[bool]]:
    """MLflow's table of experiments under a name, and which of them a principal may not read."""
    experiments, tags = _table(SqlExperiment).alias("hidden"), _table(SqlExperimentTag).alias("owners")
    private = [start + one for start in ("", _WORKSPACE) for one in _PRIVATE]
    paths = [start + one.rstrip("/") for start in ("", _WORKSPACE) for one in view.paths if one != "/Shared"]
    closed = sorted(view.listed - view.given.keys())
    owned = exists().where(tags.c.experiment_id == experiments.c.experiment_id, tags.c.key == OWNER_TAG, tags.c.value == name)
    return experiments, and_(
        or_(
            *(experiments.c.name.startswith(one, autoescape=True) for one in private),
            experiments.c.experiment_id.in_(_ids("closed", closed)),
        ),
        not_(owned),
        experiments.c.experiment_id.not_in(_ids("given", sorted(view.given))),
        *(not_(experiments.c.name.startswith(f"{one}/", autoescape=True)) for one in paths),
        *(experiments.c.name != one for one in paths if one),
    )


def _criteria(hidden: tuple[Any, ColumnElement[bool]], name: str) -> list[Any]:
    experiments, is_hidden = hidden
    found: list[Any] = []
    for mapper in Base.registry.mappers:
        entity = mapper.class_
        if "experiment_id" in mapper.columns:
            one = exists().where(experiments.c.experiment_id == entity.experiment_id, is_hidden)
            found.append(with_loader_criteria(entity, not_(one.correlate_except(experiments)), include_aliases=True))
    found.append(with_loader_criteria(SqlEvaluationDataset, _seen_datasets(hidden, name), include_aliases=True))
    return found


def _seen_datasets(hidden: tuple[Any, ColumnElement[bool]], name: str) -> ColumnElement[bool]:
    """A data set of evaluations is seen by who has made it, and by who sees an experiment of its; one of none by everybody."""
    experiments, is_hidden = hidden
    links = _table(SqlEntityAssociation).alias("links")
    linked = select(links.c.source_id).where(
        links.c.source_type == EntityAssociationType.EVALUATION_DATASET,
        links.c.destination_type == EntityAssociationType.EXPERIMENT,
    )
    unseen = exists().where(cast(experiments.c.experiment_id, String) == links.c.destination_id, is_hidden)
    dataset: Any = SqlEvaluationDataset
    return or_(
        dataset.created_by == name,
        dataset.dataset_id.not_in(linked),
        dataset.dataset_id.in_(linked.where(not_(unseen.correlate_except(experiments)))),
    )
