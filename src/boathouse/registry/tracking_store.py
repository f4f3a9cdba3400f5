"""MLflow's tracking store with the lake's rules: true users, owners, and artifacts that stay in the lake."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import ExperimentTag, LoggedModelTag, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.tracking.dbmodels.models import (
    SqlEvaluationDataset,
    SqlEvaluationDatasetTag,
    SqlExperiment,
    SqlExperimentTag,
    SqlLoggedModelTag,
    SqlRun,
    SqlTag,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from boathouse.engine.api import TableRead
from boathouse.registry import artifacts
from boathouse.registry.artifacts import ArtifactPath
from boathouse.registry.context import acting_principal
from boathouse.registry.errors import LocationRefused, mlflow_errors, our_errors
from boathouse.registry.experiments import OWNER_TAG, Experiments, Rank
from boathouse.registry.inputs import dataset_inputs
from boathouse.registry.seeing_store import USER_TAG, SeeingStore, guarded, managed
from boathouse.registry.sources import versions_in
from boathouse.storage.layout import Layout
from boathouse.training.api import SOURCE_TAG, Training

PARENT_TAG = "mlflow.parentRunId"
REPLACED = frozenset({"mlflow.source.name", "mlflow.source.type"})
"""Tags that MLflow's client sets as for any Python, where the process has told better."""


class GovernedTrackingStore(SeeingStore):
    """Runs and experiments.

    Who may what in an experiment ``Experiments`` says. Where everybody logs, a run is changed by its user and by who may change
    the experiment, an evaluation's data set by who made it; an admin may change all. Who a run's user is, the door says, not the client.
    """

    def __init__(self, db_uri: str, artifact_root: str, layout: Layout, training: Training, experiments: Experiments) -> None:
        self._layout, self._training = layout, training
        super().__init__(db_uri, artifact_root, experiments)

    # ------------------------------------------------------------------------------------------------------- owners

    def change_owner(self, old: str, new: str | None) -> None:
        """Let what is a user's be another name's; None: nobody's, so that only an admin may change it."""
        with self._everything(read_only=False) as session:
            session.query(SqlRun).filter(SqlRun.user_id == old).update({"user_id": new or ""})
            sets = session.query(SqlEvaluationDataset).filter(SqlEvaluationDataset.created_by == old)
            sets.update({"created_by": new or ""}, synchronize_session=False)
            for table, key, value in (
                (SqlExperimentTag, OWNER_TAG, SqlExperimentTag.value),
                (SqlLoggedModelTag, USER_TAG, SqlLoggedModelTag.tag_value),
                (SqlTag, USER_TAG, SqlTag.value),
                (SqlEvaluationDatasetTag, USER_TAG, SqlEvaluationDatasetTag.value),
            ):
                name = SqlLoggedModelTag.tag_key if table is SqlLoggedModelTag else table.key
                session.query(table).filter(name == key, value == old).update({value: new or ""}, synchronize_session=False)
            self._move_home(session, old, new)
        self._owners.clear()
        self.experiments.forget()

    def _move_home(self, session: Any, old: str, new: str | None) -> None:
        """Let experiments in a user's folder follow it; of one that is gone to a name that nobody gets."""
        for top in ("/Users", "/Repos", "/Workspace/Users", "/Workspace/Repos"):
            inside = session.query(SqlExperiment).filter(SqlExperiment.name.startswith(f"{top}/{old}/", autoescape=True)).all()
            number = 1
            while new is None and inside and _any_in(session, f"{top}/{old}-backup-{number}/"):
                number += 1
            for row in inside:
                row.name = f"{top}/{new or f'{old}-backup-{number}'}/{row.name.removeprefix(f'{top}/{old}/')}"

    def require_artifact(self, path: ArtifactPath, *, write: bool) -> None:
        """Go on only if the acting principal may write (or read) a file of a run, a logged model or a trace.

        Raises:
            NotYours: If it is somebody else's.
            MlflowException: If there is no such run or logged model.
        """
        acting_principal()
        experiment = path.path.split("/", 1)[0]
        with our_errors():
            self.get_experiment(experiment)
        if not write:
            return
        if path.holder == "trace":
            self.get_trace_info(path.holder_id)
            self.require_rank("trace", path.holder_id, Rank.LOG)
            self.experiments.require(experiment, Rank.LOG)
            return
        found = self.owner(path.holder, path.holder_id)
        if found is None or found[1] != experiment:
            message = f"There is no {path.holder} {path.holder_id} in experiment {experiment}."
            raise MlflowException(message, RESOURCE_DOES_NOT_EXIST)
        self.require_write(path.holder, path.holder_id)

    # -------------------------------------------------------------------------------------------------- experiments

    def create_experiment(self, name: Any, artifact_location: Any = None, tags: Any = None) -> Any:
        """Make an experiment that the acting principal owns."""
        with mlflow_errors():
            if artifact_location:
                raise LocationRefused(str(artifact_location))
            owner = ExperimentTag(OWNER_TAG, acting_principal().name)
            self.experiments.require_place(str(name))
        kept = [tag for tag in tags or [] if tag.key != OWNER_TAG]
        return super().create_experiment(name, None, [*kept, owner])

    def set_experiment_tag(self, experiment_id: Any, tag: Any) -> Any:
        """Set a tag; the owner's is kept."""
        with mlflow_errors():
            self.require_write("experiment", str(experiment_id))
        return None if tag.key == OWNER_TAG else super().set_experiment_tag(experiment_id, tag)

    def delete_experiment_tag(self, experiment_id: Any, key: Any) -> Any:
        """Delete a tag; the owner's is kept."""
        with mlflow_errors():
            self.require_write("experiment", str(experiment_id))
        return None if key == OWNER_TAG else super().delete_experiment_tag(experiment_id, key)

    def rename_experiment(self, experiment_id: Any, new_name: Any) -> Any:
        """Give an experiment another name, of a folder that the acting principal may change."""
        with mlflow_errors():
            self.require_manage(str(experiment_id))
            self.experiments.require_place(str(new_name))
        done = super().rename_experiment(experiment_id, new_name)
        self.experiments.forget()
        return done

    delete_experiment = managed("experiment_id")(SqlAlchemyStore.delete_experiment)
    restore_experiment = managed("experiment_id")(SqlAlchemyStore.restore_experiment)

    # --------------------------------------------------------------------------------------------------------- runs

    def create_run(self, experiment_id: Any, user_id: Any, start_time: Any, tags: Any, run_name: Any) -> Any:
        """Make a run of the acting principal, whoever the client says it is."""
        del user_id
        with mlflow_errors():
            name = acting_principal().name
            self.experiments.require(experiment_id, Rank.LOG)
        kept = {tag.key: tag for tag in tags or [] if tag.key != USER_TAG}
        source, parent = (kept[key].value if key in kept else None for key in (SOURCE_TAG, PARENT_TAG))
        files: dict[str, str] = {}
        if source is not None:
            with mlflow_errors():
                told, files = self._training.evidence(acting_principal(), source)
            kept |= {key: RunTag(key, value) for key, value in told.items() if key in REPLACED or key not in kept}
        made: Any = super().create_run(experiment_id, name, start_time, [*kept.values(), RunTag(USER_TAG, name)], run_name)
        if source is not None or parent is not None:
            with mlflow_errors():
                self._training.begin(acting_principal(), made.info.run_id, source, parent)
                if parent is None:
                    self._keep(made.info.artifact_uri, files)
            made = super().get_run(made.info.run_id)
        return made

    def _keep(self, uri: str, files: Mapping[str, str]) -> None:
        """Put files among a run's artifacts."""
        for name, text in files.items():
            path = artifacts.local_path(self._layout, artifacts.path_of_uri(f"{uri}/{name}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def add_inputs(self, run_id: str, tables: Sequence[TableRead]) -> None:
        """Record tables as inputs of a run, whoever acts."""
        super().log_inputs(run_id, dataset_inputs(tables), [])

    def inputs_of(self, run_id: str) -> list[tuple[str, int]]:
        """Name and version of each table that is an input of a run."""
        with our_errors():
            inputs: Any = super().get_run(run_id).inputs
        return versions_in(one.dataset.source for one in inputs.dataset_inputs)

    def update_run_info(self, run_id: Any, run_status: Any, end_time: Any, run_name: Any) -> Any:
        """Change a run's status, end and name."""
        with mlflow_errors():
            self.require_write("run", str(run_id))
        done: Any = super().update_run_info(run_id, run_status, end_time, run_name)
        if run_status is not None:
            self._training.set_active(run_id, is_active=not RunStatus.is_terminated(run_status))
        return done

    def set_tag(self, run_id: Any, tag: Any) -> Any:
        """Set a tag; the user's is kept."""
        with mlflow_errors():
            self.require_write("run", str(run_id))
        return None if tag.key == USER_TAG else super().set_tag(run_id, tag)

    def delete_tag(self, run_id: Any, key: Any) -> Any:
        """Delete a tag; the user's is kept."""
        with mlflow_errors():
            self.require_write("run", str(run_id))
        return None if key == USER_TAG else super().delete_tag(run_id, key)

    def log_batch(self, run_id: Any, metrics: Any, params: Any, tags: Any) -> Any:
        """Log much at once; the user's tag is kept."""
        with mlflow_errors():
            self.require_write("run", str(run_id))
        return super().log_batch(run_id, metrics, params, [tag for tag in tags if tag.key != USER_TAG])

    delete_run = guarded("run", "run_id")(SqlAlchemyStore.delete_run)
    restore_run = guarded("run", "run_id")(SqlAlchemyStore.restore_run)
    log_metric = guarded("run", "run_id")(SqlAlchemyStore.log_metric)
    log_param = guarded("run", "run_id")(SqlAlchemyStore.log_param)
    record_logged_model = guarded("run", "run_id")(SqlAlchemyStore.record_logged_model)
    log_inputs = guarded("run", "run_id")(SqlAlchemyStore.log_inputs)
    log_outputs = guarded("run", "run_id")(SqlAlchemyStore.log_outputs)

    # ------------------------------------------------------------------------------------------------ logged models

    def create_logged_model(
        self,
        experiment_id: Any,
        name: Any = None,
        source_run_id: Any = None,
        tags: Any = None,
        params: Any = None,
        model_type: Any = None,
    ) -> Any:
        """Make a logged model of the acting principal; one of a run only by who may change the run."""
        with mlflow_errors():
            user = acting_principal().name
            self.experiments.require(experiment_id, Rank.LOG)
            if source_run_id:
                self.require_write("run", source_run_id)
        kept = [tag for tag in tags or [] if tag.key != USER_TAG]
        kept.append(LoggedModelTag(USER_TAG, user))
        return super().create_logged_model(experiment_id, name, source_run_id, kept, params, model_type)

    def set_logged_model_tags(self, model_id: Any, tags: Any) -> Any:
        """Set tags; the user's is kept."""
        with mlflow_errors():
            self.require_write("model", str(model_id))
        return super().set_logged_model_tags(model_id, [tag for tag in tags if tag.key != USER_TAG])

    def set_model_versions_tags(self, name: Any, version: Any, model_id: Any) -> Any:
        """Note on a logged model that it was registered, by its user; others' registrations leave no note."""
        principal = acting_principal()
        owner = self.owner("model", str(model_id))
        if principal.is_admin or (owner is not None and owner[0] == principal.name):
            super().set_model_versions_tags(name, version, model_id)

    def delete_logged_model_tag(self, model_id: Any, key: Any) -> Any:
        """Delete a tag; the user's is kept."""
        with mlflow_errors():
            self.require_write("model", str(model_id))
        return None if key == USER_TAG else super().delete_logged_model_tag(model_id, key)

    delete_logged_model = guarded("model", "model_id")(SqlAlchemyStore.delete_logged_model)
    finalize_logged_model = guarded("model", "model_id")(SqlAlchemyStore.finalize_logged_model)
    log_logged_model_params = guarded("model", "model_id")(SqlAlchemyStore.log_logged_model_params)

    # ----------------------------------------------------------------------------------- data sets of evaluations

    def create_dataset(self, name: Any, tags: Any = None, experiment_ids: Any = None) -> Any:
        """Make a data set of the acting principal."""
        with mlflow_errors():
            user = acting_principal().name
            for one in experiment_ids or ():
                self.experiments.require(one, Rank.LOG)
        return super().create_dataset(name, {**(tags or {}), USER_TAG: user}, experiment_ids)

    def upsert_dataset_records(self, dataset_id: Any, records: Any) -> Any:
        """Add records, and change those with the same inputs; they are the acting principal's."""
        with mlflow_errors():
            self.require_write("dataset", str(dataset_id))
            user = acting_principal().name
        return super().upsert_dataset_records(
            dataset_id, [{**one, "tags": {**(one.get("tags") or {}), USER_TAG: user}} for one in records]
        )

    def set_dataset_tags(self, dataset_id: Any, tags: Any) -> Any:
        """Set tags; the user's is kept."""
        with mlflow_errors():
            self.require_write("dataset", str(dataset_id))
        return super().set_dataset_tags(dataset_id, {key: value for key, value in tags.items() if key != USER_TAG})

    def delete_dataset_tag(self, dataset_id: Any, key: Any) -> Any:
        """Delete a tag; the user's is kept."""
        with mlflow_errors():
            self.require_write("dataset", str(dataset_id))
        return None if key == USER_TAG else super().delete_dataset_tag(dataset_id, key)

    delete_dataset = guarded("dataset", "dataset_id")(SqlAlchemyStore.delete_dataset)
    delete_dataset_records = guarded("dataset", "dataset_id")(SqlAlchemyStore.delete_dataset_records)

    def add_dataset_to_experiments(self, dataset_id: Any, experiment_ids: Any) -> Any:
        """Have a data set belong to more experiments, which the acting principal logs into."""
        with mlflow_errors():
            self.require_write("dataset", str(dataset_id))
            for one in experiment_ids:
                self.experiments.require(one, Rank.LOG)
        return super().add_dataset_to_experiments(dataset_id, experiment_ids)

    remove_dataset_from_experiments = guarded("dataset", "dataset_id")(SqlAlchemyStore.remove_dataset_from_experiments)


def _any_in(session: Any, folder: str) -> bool:
    return (
        session.query(SqlExperiment.experiment_id).filter(SqlExperiment.name.startswith(folder, autoescape=True)).first()
        is not None
    )
