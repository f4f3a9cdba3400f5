"""MLflow's tracking store where nobody finds what lies in experiments that they may not read, or changes what they may not."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from mlflow.entities.entity_type import EntityAssociationType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.tracking.dbmodels.models import (
    SqlEvaluationDataset,
    SqlExperiment,
    SqlExperimentTag,
    SqlLoggedModel,
    SqlLoggedModelTag,
    SqlRun,
    SqlTraceInfo,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, Session

from boathouse.registry.context import acting_or_nobody, acting_principal
from boathouse.registry.engines import engine_of
from boathouse.registry.errors import ExperimentRefused, NotYours, mlflow_errors
from boathouse.registry.experiments import NEEDED, OWNER_TAG, Experiments, Rank, number_of

USER_TAG = "mlflow.user"
_REMEMBERED = 10_000

F = TypeVar("F", bound=Callable[..., Any])


def _checked(check: Callable[["SeeingStore", str], None], parameter: str) -> Callable[[F], F]:
    def decorate(method: F) -> F:
        @wraps(method)
        def checked(self: "SeeingStore", *args: Any, **kwargs: Any) -> Any:
            subject = args[0] if args else kwargs[parameter]
            with mlflow_errors():
                check(self, str(subject))
            return method(self, *args, **kwargs)

        return cast("F", checked)

    return decorate


def guarded(kind: str, parameter: str) -> Callable[[F], F]:
    """A method that changes something: only if the acting principal may; see ``require_write``."""
    return _checked(lambda store, subject: store.require_write(kind, subject), parameter)


def managed(parameter: str) -> Callable[[F], F]:
    """A method on an experiment: only if the acting principal manages it."""
    return _checked(lambda store, subject: store.require_manage(subject), parameter)


def _readable(kind: str, parameter: str) -> Callable[[F], F]:
    return _checked(lambda store, subject: store.require_read(kind, subject), parameter)


def _open_to(kind: str, parameter: str) -> Callable[[F], F]:
    """A method that adds to what everybody adds to who may log into its experiment."""
    return _checked(lambda store, subject: store.require_rank(kind, subject, Rank.LOG), parameter)


class SeeingStore(SqlAlchemyStore):
    """The store's statements find nothing of experiments that the acting principal may not read.

    What is asked for by its id is refused before; what is searched for is left out. Where nobody acts it is the server itself,
    which finds everything: the door lets no request in without a principal.
    """

    def __init__(self, db_uri: str, artifact_root: str, experiments: Experiments) -> None:
        self.experiments = experiments
        self._owners: dict[tuple[str, str], tuple[str, str]] = {}
        super().__init__(db_uri, artifact_root)
        self._everything: Any = self.ManagedSessionMaker
        self.ManagedSessionMaker = self._seeing

    @classmethod
    def _get_or_create_engine(cls, db_uri: str) -> Engine:
        return engine_of(db_uri)

    @contextmanager
    def _seeing(self, read_only: bool = True) -> Generator[Session]:
        principal = acting_or_nobody()
        options = () if principal is None else self.experiments.criteria(principal)
        with self._everything(read_only=read_only) as session:
            if options:

                def see(state: ORMExecuteState) -> None:
                    if state.is_select and not state.is_column_load and not state.is_relationship_load:
                        state.statement = state.statement.options(*options)

                event.listen(session, "do_orm_execute", see)
            yield session

    # -------------------------------------------------------------------------------------------------------- rights

    def require_rank(self, kind: str, subject: str, wanted: Rank) -> None:
        """Go on only with a rank in the experiment of something. What does not exist passes: MLflow says so itself.

        Raises:
            ExperimentRefused: Without it.
        """
        found = self.owner(kind, subject)
        if found is not None and found[1]:
            self.experiments.require(found[1], wanted)

    def require_read(self, kind: str, subject: str) -> None:
        """Go on only if what asks may read a ``run``, ``experiment``, logged ``model`` or ``trace``; the server itself may."""
        if acting_or_nobody() is not None:
            self.require_rank(kind, subject, Rank.READ)

    def require_write(self, kind: str, subject: str) -> None:
        """Go on only if the acting principal may change a ``run``, ``experiment``, logged ``model`` or evaluation's ``dataset``.

        What does not exist passes: MLflow says so itself.

        Raises:
            NotYours: If it is somebody else's.
            ExperimentRefused: If the principal may not log into the experiment at all.
        """
        principal = acting_principal()
        if principal.is_admin:
            return
        found = self.owner(kind, subject)
        if found is None:
            return
        owner, experiment = found
        held = self.experiments.rank(experiment) if experiment else Rank.LOG
        if held is None or held >= Rank.EDIT or (held is Rank.LOG and kind != "experiment" and owner == principal.name):
            return
        if held < Rank.LOG:
            raise ExperimentRefused(principal.name, experiment, NEEDED[Rank.EDIT])
        raise NotYours(principal.name, f"{kind} {subject}", owner)

    def require_manage(self, experiment_id: str) -> None:
        """Go on only if the acting principal manages an experiment.

        Raises:
            NotYours: If it is somebody else's.
            ExperimentRefused: If it has been given less.
        """
        self.require_write("experiment", experiment_id)
        self.experiments.require(experiment_id, Rank.MANAGE)

    def owner(self, kind: str, subject: str) -> tuple[str, str] | None:
        """Owner and experiment of something; both never change, so they are remembered."""
        known = self._owners.get((kind, subject))
        if known is not None:
            return known
        with self._everything() as session:
            row = _owner_row(session, kind, subject)
        if row is None:
            return None
        if len(self._owners) >= _REMEMBERED:
            self._owners.clear()
        owner = self._owners[kind, subject] = (row[0] or "", str(row[1]))
        return owner

    # --------------------------------------------------------------------------------------------------- MLflow's hooks

    def _filter_experiment_ids(self, session: Any, experiment_ids: Any, lifecycle_stage: Any = None) -> Any:
        """Those that may be read; if none of them may, the first is refused."""
        with mlflow_errors():
            kept = self.readable(experiment_ids)
        return super()._filter_experiment_ids(session, kept, lifecycle_stage)

    def readable(self, experiment_ids: Iterable[Any]) -> list[Any]:
        """Those experiments that the acting principal may read.

        Raises:
            ExperimentRefused: If there are some, and none may be read.
        """
        asked = list(experiment_ids)
        principal = acting_or_nobody()
        if principal is None or principal.is_admin:
            return asked
        ranks = [self.experiments.rank(str(one)) for one in asked]
        kept = [one for one, rank in zip(asked, ranks, strict=True) if rank is None or rank >= Rank.READ]
        if asked and not kept:
            self.experiments.require(str(asked[0]), Rank.READ)
        return kept

    def _filter_entity_ids(self, session: Any, entity_type: Any, entity_ids: Any) -> Any:
        if entity_type != EntityAssociationType.RUN:
            return entity_ids
        found = session.query(SqlRun.run_uuid).filter(SqlRun.run_uuid.in_(entity_ids))
        seen = {row[0] for row in found}
        return [one for one in entity_ids if one in seen]

    def _validate_run_accessible(self, session: Any, run_id: str) -> None:
        del session
        with mlflow_errors():
            self.require_read("run", run_id)

    def _validate_trace_accessible(self, session: Any, trace_id: str) -> None:
        del session
        with mlflow_errors():
            self.require_read("trace", trace_id)

    def _validate_dataset_accessible(self, session: Any, dataset_id: str) -> None:
        del session
        self.get_dataset(dataset_id)

    # -------------------------------------------------------------------------------------------------------- reading

    def get_experiment_by_name(self, experiment_name: Any) -> Any:
        """An experiment by its name; None too where the acting principal may not know of any."""
        found: Any = super().get_experiment_by_name(experiment_name)
        if found is None and acting_or_nobody() is not None:
            with self._everything() as session:
                row = session.query(SqlExperiment.experiment_id).filter(SqlExperiment.name == experiment_name).first()
            with mlflow_errors():
                if row is not None and not self.experiments.is_hidden(str(experiment_name)):
                    self.experiments.require(row[0], Rank.READ)
        return found

    def get_experiment(self, experiment_id: Any) -> Any:
        """An experiment that the acting principal may read."""
        subject = str(experiment_id)
        if subject.isdecimal() and number_of(subject) is None:
            # The database would say that the number is too large.
            message = f"No Experiment with id={subject} exists"
            raise MlflowException(message, RESOURCE_DOES_NOT_EXIST)
        with mlflow_errors():
            self.require_read("experiment", subject)
        return super().get_experiment(experiment_id)

    def search_logged_models(self, experiment_ids: Any, *args: Any, **kwargs: Any) -> Any:
        """Logged models of those experiments that may be read."""
        with mlflow_errors():
            self.readable(experiment_ids)
        return super().search_logged_models(experiment_ids, *args, **kwargs)

    get_run = _readable("run", "run_id")(SqlAlchemyStore.get_run)
    get_logged_model = _readable("model", "model_id")(SqlAlchemyStore.get_logged_model)
    get_trace_info = _readable("trace", "trace_id")(SqlAlchemyStore.get_trace_info)
    get_trace = _readable("trace", "trace_id")(SqlAlchemyStore.get_trace)
    get_assessment = _readable("trace", "trace_id")(SqlAlchemyStore.get_assessment)

    # --------------------------------------------------------------------------------------------------------- traces

    def start_trace(self, trace_info: Any) -> Any:
        """Begin a trace in an experiment that the acting principal logs into."""
        with mlflow_errors():
            self.experiments.require(trace_info.experiment_id, Rank.LOG)
        return super().start_trace(trace_info)

    def create_assessment(self, assessment: Any) -> Any:
        """Say something about a trace."""
        with mlflow_errors():
            self.require_rank("trace", str(assessment.trace_id), Rank.LOG)
        return super().create_assessment(assessment)

    def link_traces_to_run(self, trace_ids: Any, run_id: Any) -> Any:
        """Have traces belong to a run too."""
        with mlflow_errors():
            for one in trace_ids:
                self.require_rank("trace", str(one), Rank.LOG)
            self.require_rank("run", str(run_id), Rank.LOG)
        return super().link_traces_to_run(trace_ids, run_id)

    log_spans = _open_to("experiment", "location")(SqlAlchemyStore.log_spans)
    deprecated_start_trace_v2 = _open_to("experiment", "experiment_id")(SqlAlchemyStore.deprecated_start_trace_v2)
    deprecated_end_trace_v2 = _open_to("trace", "request_id")(SqlAlchemyStore.deprecated_end_trace_v2)
    set_trace_tag = _open_to("trace", "trace_id")(SqlAlchemyStore.set_trace_tag)
    delete_trace_tag = _open_to("trace", "trace_id")(SqlAlchemyStore.delete_trace_tag)
    update_assessment = _open_to("trace", "trace_id")(SqlAlchemyStore.update_assessment)
    delete_assessment = _open_to("trace", "trace_id")(SqlAlchemyStore.delete_assessment)
    link_prompts_to_trace = _open_to("trace", "trace_id")(SqlAlchemyStore.link_prompts_to_trace)
    delete_traces = guarded("experiment", "experiment_id")(SqlAlchemyStore.delete_traces)


def _owner_row(session: Any, kind: str, subject: str) -> Any:
    """Owner and experiment in MLflow's tables."""
    if kind == "run":
        return session.query(SqlRun.user_id, SqlRun.experiment_id).filter(SqlRun.run_uuid == subject).one_or_none()
    if kind == "trace":
        found = session.query(SqlTraceInfo.experiment_id).filter(SqlTraceInfo.request_id == subject).one_or_none()
        return None if found is None else ("", found[0])
    if kind == "dataset":
        made = session.query(SqlEvaluationDataset.created_by).filter(SqlEvaluationDataset.dataset_id == subject)
        return None if (one := made.one_or_none()) is None else (one[0], "")
    if kind == "model":
        return (
            session.query(SqlLoggedModelTag.tag_value, SqlLoggedModel.experiment_id)
            .select_from(SqlLoggedModel)
            .outerjoin(
                SqlLoggedModelTag,
                (SqlLoggedModelTag.model_id == SqlLoggedModel.model_id) & (SqlLoggedModelTag.tag_key == USER_TAG),
            )
            .filter(SqlLoggedModel.model_id == subject)
            .one_or_none()
        )
    tag = (
        session.query(SqlExperimentTag.value, SqlExperimentTag.experiment_id)
        .filter(SqlExperimentTag.experiment_id == int(subject), SqlExperimentTag.key == OWNER_TAG)
        .one_or_none()
        if number_of(subject) is not None
        else None
    )
    return tag or ("", subject)
