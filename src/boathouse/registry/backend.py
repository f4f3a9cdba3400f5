"""MLflow, loaded once, late, and by nobody's command line."""

import asyncio
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import structlog

from boathouse.db.database import Database
from boathouse.engine.api import TableRead
from boathouse.errors import BoathouseError
from boathouse.history.api import Recorder
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.kit.loading import loading
from boathouse.kit.pyspark_import import import_pyspark
from boathouse.registry.activities import Activities
from boathouse.registry.context import acting_as
from boathouse.registry.deployments import Deployments
from boathouse.registry.errors import MlflowNotLoaded, our_errors
from boathouse.registry.governance import Governance
from boathouse.registry.info import ModelChange, Served
from boathouse.registry.lineage import ModelLineage
from boathouse.registry.older_webhooks import OlderWebhooks
from boathouse.storage.layout import Layout
from boathouse.storage.paths import to_url
from boathouse.training.api import Training

if TYPE_CHECKING:
    from boathouse.registry.registry_store import GovernedRegistryStore
    from boathouse.registry.tracking_store import GovernedTrackingStore

log = structlog.stdlib.get_logger(__name__)

LOAD_SECONDS = 120

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
    # The door in front checks hosts and origins; MLflow's own check would let every page on localhost read with the cookie.
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    "_MLFLOW_SGI_NAME": "uvicorn",
    "MLFLOW_CONFIGURE_LOGGING": "false",
}


@dataclass(frozen=True)
class Loaded:
    """MLflow's application, the file of its page, and the stores behind it."""

    asgi: Any
    page: Path
    tracking: "GovernedTrackingStore"
    registry: "GovernedRegistryStore"


class MlflowBackend:
    """Loads MLflow in a thread; who needs it waits for it.

    MLflow keeps its stores and settings in module variables, so a process serves one lake.

    Args:
        database: The metadata database; MLflow's tables lie beside it.
        layout: The lake's folders.
        recorder: Is told what model versions were trained on.
        training: Knows what processes that train have read.
        deployments: Knows the models' deployment jobs.
        private_webhooks: Whether webhooks may go to private addresses.

    Attributes:
        activities: What is said of versions, and of their stages.
        hooks: Webhooks of the older form.
        served: Which endpoints serve a version; the slice above sets it, like ``tell``.
        tell: Is told what has become of models, in the thread that has done it; whoever wants to hear sets it before the first request.
    """

    tell: Callable[[ModelChange], None]
    served: Served

    def __init__(
        self,
        database: Database,
        layout: Layout,
        recorder: Recorder,
        training: Training,
        deployments: Deployments,
        *,
        private_webhooks: bool = False,
    ) -> None:
        self.layout = layout
        self._private_webhooks = private_webhooks
        self._training = training
        training.runs = self
        self._database = database
        self._governance = Governance(database, layout)
        self._lineage = ModelLineage(database, layout, recorder)
        self._deployments = deployments
        self.activities = Activities(database, layout)
        self.hooks = OlderWebhooks(database, layout, deployments)
        self._loaded: Future[Loaded] = Future()
        self._lock = threading.Lock()
        self._started = False
        self.tell = lambda _change: None
        self.served = lambda _principal, _model, _version: ()

    def start(self) -> None:
        """Begin to load, once."""
        with self._lock:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._load, name="mlflow-load", daemon=True).start()

    def wait(self) -> Loaded:
        """MLflow, once it is loaded.

        Raises:
            MlflowNotLoaded: If it could not be.
        """
        self.start()
        try:
            return self._loaded.result(timeout=LOAD_SECONDS)
        except TimeoutError as error:
            raise MlflowNotLoaded(f"it was not ready after {LOAD_SECONDS} s") from error

    async def ready(self) -> Loaded:
        """The same, without a thread.

        Raises:
            MlflowNotLoaded: If it could not be.
        """
        self.start()
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._loaded)), LOAD_SECONDS)
        except TimeoutError as error:
            raise MlflowNotLoaded(f"it was not ready after {LOAD_SECONDS} s") from error

    def add_inputs(self, run_id: str, tables: Sequence[TableRead]) -> None:
        """Record tables as inputs of a run."""
        self.wait().tracking.add_inputs(run_id, tables)

    def inputs_of(self, run_id: str) -> Sequence[tuple[str, int]]:
        """Name and version of each table that is an input of a run."""
        return self.wait().tracking.inputs_of(run_id)

    def end(self, principal: Principal, run_id: str, status: str) -> None:
        """End a run of the principal's."""
        tracking = self.wait().tracking
        from mlflow.entities import RunStatus  # noqa: PLC0415 - loaded by now

        with acting_as(principal), our_errors():
            tracking.update_run_info(run_id, RunStatus.from_string(status), now_ms(), None)

    def own_tags(self, principal: Principal, run_id: str) -> Mapping[str, str]:
        """The tags of a run that the principal may change."""
        tracking = self.wait().tracking
        with acting_as(principal), our_errors():
            found: Any = tracking.get_run(run_id)
            tracking.require_write("run", run_id)
        return found.data.tags

    def _load(self) -> None:
        try:
            with loading():
                loaded = self._assemble()
            self._loaded.set_result(loaded)
        except BoathouseError as error:
            self._loaded.set_exception(error)
        except Exception as error:  # whatever it is, whoever waits has to hear of it
            log.exception("mlflow_failed")
            self._loaded.set_exception(MlflowNotLoaded(f"{type(error).__name__}: {error}"))

    def _told(self, change: ModelChange) -> None:
        self.tell(change)

    def _serving(self, principal: Principal, model: str, version: str | None) -> Sequence[str]:
        return self.served(principal, model, version)

    def _assemble(self) -> Loaded:
        os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = to_url(self.layout.artifacts)
        import_mlflow()
        from mlflow.server import handlers  # noqa: PLC0415
        from mlflow.server.fastapi_app import create_fastapi_app  # noqa: PLC0415
        from mlflow.tracking._tracking_service import utils  # noqa: PLC0415

        from boathouse.registry.engines import engine_of, tables_url  # noqa: PLC0415
        from boathouse.registry.experiments import Experiments  # noqa: PLC0415
        from boathouse.registry.registry_store import GovernedRegistryStore  # noqa: PLC0415
        from boathouse.registry.tracking_store import GovernedTrackingStore  # noqa: PLC0415
        from boathouse.registry.webhooks import prepare, settings  # noqa: PLC0415

        os.environ.update(settings(private=self._private_webhooks))
        prepare(self.layout, _replace, handlers)
        url = tables_url(self._database, self.layout)
        experiments = Experiments(self._database, self.layout, engine_of(url))
        tracking = GovernedTrackingStore(url, "mlflow-artifacts:/", self.layout, self._training, experiments)
        registry = GovernedRegistryStore(
            url,
            self._governance,
            tracking,
            self.layout,
            self._lineage,
            self._deployments,
            self.activities,
            self.hooks,
            self._told,
            self._serving,
        )
        _tell_refusals()
        # MLflow looks for its stores here; were they not set, it would make its own, without our rules.
        _replace(handlers, _tracking_store=tracking, _model_registry_store=registry, _artifact_repo=None)
        # Not set_tracking_uri: that puts the URI, and a password in it, into the environment of all child processes.
        _replace(utils, _tracking_uri=url)
        log.info("mlflow_loaded")
        page = Path(handlers.__file__).parent / "js" / "build" / "index.html"
        return Loaded(create_fastapi_app(), page, tracking, registry)


def import_mlflow() -> None:
    """Set what MLflow reads of the environment, and import its server. It takes seconds; Boathouse's is up before."""
    os.environ.update(_ENVIRONMENT)
    import_pyspark()  # MLflow does, from another end than the gateway
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="starlette.middleware.wsgi is deprecated")
        import mlflow.server.fastapi_app  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]


def _tell_refusals() -> None:
    """Have those of MLflow's routes that tell no errors tell them as the others do."""
    from flask import Response  # noqa: PLC0415
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.server import app  # noqa: PLC0415

    def tell(error: MlflowException) -> Response:
        return Response(error.serialize_as_json(), error.get_http_status_code(), mimetype="application/json")

    app.register_error_handler(MlflowException, tell)


def _replace(module: ModuleType, **values: Any) -> None:
    """Set private variables of a module; a version of MLflow that has them no more does not start."""
    for name, value in values.items():
        if not hasattr(module, name):
            message = f"{module.__name__} has no {name}: this version of MLflow is not supported"
            raise AttributeError(message)
        setattr(module, name, value)
