"""The application and what it is made of."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.datastructures import Headers, State
from starlette.types import ASGIApp, Receive, Scope, Send

from boathouse import __version__
from boathouse.catalog import endpoints as catalog_endpoints
from boathouse.catalog import files_endpoints, permission_endpoints
from boathouse.catalog.api import CatalogReferences, CatalogService
from boathouse.config import Settings
from boathouse.db import Database
from boathouse.db.database import sqlite_url
from boathouse.deployment import endpoints as deployment_endpoints
from boathouse.deployment.api import ModelDeployments
from boathouse.engine import compute_endpoints, stream_endpoints
from boathouse.engine import endpoints as engine_endpoints
from boathouse.engine.api import EngineService, check_engine, of_text
from boathouse.features import discovery_endpoints as features_discovery
from boathouse.features import endpoints as features_endpoints
from boathouse.features.api import FeatureReferences, Publisher
from boathouse.history import endpoints as history_endpoints
from boathouse.history import graph_endpoints as lineage_endpoints
from boathouse.history.api import Recorder, install
from boathouse.iam import endpoints as iam_endpoints
from boathouse.iam.api import SIGN_IN_SECONDS, Authenticator, IamService, Identity, Principal
from boathouse.ingest.api import FUNCTIONS, SOURCES
from boathouse.jobs import destination_endpoints, event_endpoints, run_endpoints
from boathouse.jobs import endpoints as jobs_endpoints
from boathouse.jobs.api import JobReferences, Jobs, Senders, model_event
from boathouse.jobs.destinations import renew as renew_destinations
from boathouse.kit.clock import now_ms
from boathouse.monitoring import endpoints as monitoring_endpoints
from boathouse.monitoring.api import NAME as TABLE_RESULTS
from boathouse.monitoring.api import Monitors, TableResults
from boathouse.monitoring.profiles import endpoints as profiles_endpoints
from boathouse.monitoring.profiles import page as profiles_page
from boathouse.pipelines import endpoints as pipelines_endpoints
from boathouse.pipelines import page_endpoints as pipelines_page
from boathouse.pipelines.api import EventLog, PipelineCommands, Pipelines, PipelineTaskKind, Places
from boathouse.registry import artifact_endpoints as registry_artifact_endpoints
from boathouse.registry import endpoints as registry_endpoints
from boathouse.registry import experiment_endpoints as registry_experiment_endpoints
from boathouse.registry import files_endpoints as registry_files
from boathouse.registry import older_endpoints as registry_older_endpoints
from boathouse.registry import older_permission_endpoints as registry_older_permissions
from boathouse.registry import older_webhook_endpoints as registry_older_webhooks
from boathouse.registry import page as registry_page
from boathouse.registry import uc_endpoints as registry_uc_endpoints
from boathouse.registry.api import (
    INTERNAL,
    MODELS,
    MlflowBackend,
    MlflowReferences,
    ModelChange,
    files_resolver,
    renew_registry_webhooks,
)
from boathouse.secrets import endpoints as secrets_endpoints
from boathouse.secrets.api import SecretReferences, SecretService
from boathouse.server import errors, health, home, page
from boathouse.server.audit import Audit
from boathouse.server.authentication import LOOPBACK_NAMES, Authentication, is_page
from boathouse.server.housekeeping import chores, keep_house
from boathouse.server.lineage import titles
from boathouse.server.mlflow import Mlflow, is_mlflows
from boathouse.server.observation import Observation
from boathouse.server.routing import Index
from boathouse.serving import endpoints as serving_endpoints
from boathouse.serving import invocations
from boathouse.serving.api import EndpointShapes, ServedEntities, ServedVersions, Serving, ServingReferences
from boathouse.sql import endpoints as sql_endpoints
from boathouse.sql.alerts import endpoints as alert_endpoints
from boathouse.sql.alerts import older as older_alerts
from boathouse.sql.api import Acting, AlertTask, DashboardTask, DashboardTaskKind, Executions, SqlReferences, SqlTaskKind
from boathouse.sql.dashboards import endpoints as dashboard_endpoints
from boathouse.sql.execution import endpoints as execution_endpoints
from boathouse.storage.layout import Layout
from boathouse.storage.online_stores import parse_online_stores
from boathouse.tables import endpoints as tables_endpoints
from boathouse.training import endpoints as training_endpoints
from boathouse.training.api import Training
from boathouse.workspace import dbfs_endpoints
from boathouse.workspace import endpoints as workspace_endpoints
from boathouse.workspace import page_endpoints as workspace_page
from boathouse.workspace.api import Sources, WorkspaceReferences
from boathouse.workspace.commands import endpoints as command_endpoints
from boathouse.workspace.commands.service import Commands
from boathouse.workspace.comments import endpoints as comments_endpoints
from boathouse.workspace.dbt_task import DbtTask
from boathouse.workspace.git import endpoints as git_endpoints
from boathouse.workspace.git.credentials import renew as renew_git_credentials
from boathouse.workspace.git.service import GitFolders
from boathouse.workspace.lab import endpoints as lab_endpoints
from boathouse.workspace.lab import proxy as lab_proxy
from boathouse.workspace.lab.service import Lab
from boathouse.workspace.lab.tokens import Tokens
from boathouse.workspace.tasks import NotebookTask, PythonTask, Surroundings, WheelTask


@dataclass(frozen=True)
class Addresses:
    """Where the server listens.

    Attributes:
        base_url: Of the REST API and the page, without a slash at its end.
        spark_remote: Of the gateway, as ``SparkSession.builder.remote`` takes it, without the token.
    """

    base_url: str
    spark_remote: str


@dataclass(frozen=True)
class Boathouse:
    """The application as an ASGI callable, and its parts that the command line needs."""

    asgi: ASGIApp
    api: FastAPI
    database: Database
    authenticator: Authenticator
    admin: Principal

    def issue_token(self, comment: str) -> str:
        """A new token of the admin that does not expire."""
        with self.database.session(write=True) as session:
            return IamService(session).issue(self.admin.id, "personal", comment=comment)[0]

    def sign_in_code(self) -> str:
        """A code with which the admin signs in on the page, once, within 15 minutes."""
        with self.database.session(write=True) as session:
            return IamService(session).issue(self.admin.id, "sign_in", lifetime_seconds=SIGN_IN_SECONDS)[0]


def create_app(settings: Settings, addresses: Addresses, admin_name: str = "admin") -> Boathouse:
    """Prepare the lake and build the application over it.

    Args:
        settings: The server's settings.
        addresses: Where it will listen.
        admin_name: Name of the admin that a new lake is given.

    Raises:
        RootNotWritable: If the root cannot be written.
        DatabaseTooNew: If the database is of a newer version.
        DatabaseUnreachable: If it does not answer.
        EngineAddressInvalid: If the engine is neither Sail nor an address.
        MemorySizeInvalid: If its memory is not a size, or too small.
    """
    check_engine(settings.engine.get_secret_value(), settings.engine_memory)
    secret_key = settings.secret_key.get_secret_value() if settings.secret_key is not None else None
    stores = None if settings.online_stores is None else settings.online_stores.get_secret_value()
    layout = Layout(settings.resolved_root, secret_key=secret_key, online_stores=parse_online_stores(stores))
    layout.create()
    database = Database(settings.database_url or sqlite_url(layout.metadata_db))
    database.migrate()
    with database.session(write=True) as session:
        admin, _ = IamService(session).ensure_admin(admin_name)
        catalog = CatalogService(session, admin, layout)
        catalog.ensure_defaults()
        catalog.renew_secrets()
        SecretService(session, admin, layout).renew()
        renew_git_credentials(session, layout)
        renew_destinations(session, layout)
        renew_registry_webhooks(session, layout)
    install(database, layout, admin)
    authenticator = Authenticator(database)
    metrics = CollectorRegistry()
    api = FastAPI(
        title="Boathouse",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        # Whether somebody traces would be asked in each request, and MLflow's traces are not of requests.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=_operation_id,
    )
    state = api.state
    state.settings, state.addresses, state.layout = settings, addresses, layout
    state.database, state.authenticator, state.metrics = database, authenticator, metrics
    references = (
        CatalogReferences(),
        SecretReferences(),
        WorkspaceReferences(layout),
        JobReferences(),
        SqlReferences(),
        FeatureReferences(),
        ServingReferences(lambda: state.serving),
        MlflowReferences(lambda: state.mlflow),
    )
    state.identity = Identity.of(settings, addresses.base_url, references=references)
    state.admin = admin
    state.git_folders = GitFolders(database, layout)
    state.recorder = Recorder(
        database,
        layout,
        openlineage_url=settings.openlineage_url,
        namespace=f"boathouse://{urlsplit(state.identity.public_url).netloc}",
    )
    state.lineage_titles = titles(layout, lambda: state.jobs)
    state.training = Training(database, state.git_folders, layout)
    deployments = ModelDeployments(database, layout, lambda: state.jobs)
    state.mlflow = MlflowBackend(
        database, layout, state.recorder, state.training, deployments, private_webhooks=settings.webhook_private
    )
    state.mlflow.served = ServedVersions(database, layout)
    state.served_entities = ServedEntities(layout)
    mlflow_files = files_resolver(state.mlflow)
    state.file_resolvers = {"/Volumes": files_endpoints.resolve_volume, MODELS: mlflow_files, INTERNAL: mlflow_files}
    errors.install(api)
    for slice_router in ROUTERS:
        api.include_router(slice_router)
    page.install(api)
    index = Index(api.routes)
    api.router.routes.insert(0, index)
    door = Authentication(
        Dispatch(api, Mlflow(state.mlflow)),
        authenticator,
        loopback_only=settings.host in LOOPBACK_NAMES,
        public_url=settings.public_url,
    )
    audited = Audit(door, state.recorder, index)
    return Boathouse(Observation(audited, metrics), api, database, authenticator, admin)


MLFLOW_AFTER_SECONDS = 5
"""When MLflow begins to load, unless somebody asks for it before: the first page and the first query have the processor alone."""

ROUTERS = (
    health.router,
    home.router,
    iam_endpoints.router,
    catalog_endpoints.router,
    permission_endpoints.router,
    registry_files.router,
    files_endpoints.router,
    secrets_endpoints.router,
    tables_endpoints.router,
    history_endpoints.router,
    lineage_endpoints.router,
    features_endpoints.router,
    features_discovery.router,
    training_endpoints.router,
    engine_endpoints.clusters,
    engine_endpoints.warehouses,
    compute_endpoints.clusters,
    compute_endpoints.warehouses,
    compute_endpoints.permissions,
    stream_endpoints.router,
    workspace_endpoints.router,
    dbfs_endpoints.router,
    jobs_endpoints.router,
    run_endpoints.router,
    event_endpoints.router,
    destination_endpoints.router,
    workspace_page.router,
    comments_endpoints.router,
    git_endpoints.router,
    command_endpoints.router,
    lab_endpoints.router,
    lab_proxy.router,
    pipelines_endpoints.router,
    pipelines_page.router,
    sql_endpoints.router,
    execution_endpoints.router,
    alert_endpoints.router,
    older_alerts.router,
    dashboard_endpoints.router,
    registry_artifact_endpoints.router,
    registry_experiment_endpoints.router,
    registry_endpoints.router,
    registry_endpoints.lending,
    registry_uc_endpoints.router,
    registry_older_endpoints.router,
    registry_older_permissions.router,
    registry_older_webhooks.router,
    registry_page.router,
    deployment_endpoints.router,
    monitoring_endpoints.router,
    profiles_endpoints.router,
    profiles_page.router,
    serving_endpoints.router,
    invocations.router,
)
"""The routes of all slices."""


class Dispatch:
    """Behind the door: a navigation gets the page's shell, MLflow's paths go to MLflow, everything else to the API.

    Args:
        api: The routes of all slices; it also hears of the start and the stop.
        mlflow: MLflow's REST API and page.
    """

    def __init__(self, api: FastAPI, mlflow: Mlflow) -> None:
        self._api = api
        self._mlflow = mlflow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and is_page(scope, Headers(scope=scope)):
            await page.shell()(scope, receive, send)
            return
        if scope["type"] in {"http", "websocket"} and is_mlflows(scope["path"]):
            await self._mlflow(scope, receive, send)
            return
        await self._api(scope, receive, send)


def _start_mlflow(state: State, began: int) -> None:
    """Load MLflow, and end what a server before this one has left running."""
    state.mlflow.start()
    asyncio.get_running_loop().run_in_executor(None, state.training.end_left, began)


def _start_lab(state: State, stack: AsyncExitStack, surroundings: Surroundings) -> None:
    state.lab = Lab(surroundings, Tokens(state.database, state.authenticator), state.settings.lab_idle_seconds)
    stack.push_async_callback(state.lab.stop)
    state.commands = Commands(state.lab.kernels, state.settings.lab_idle_seconds)
    stack.push_async_callback(state.commands.stop)


def _start_statements(state: State, stack: AsyncExitStack) -> None:
    """Have statements executed in somebody's name: the server's own, and those of the API."""
    state.acting = Acting(state.database, state.authenticator, f"localhost:{state.engines.port}")
    state.executions = Executions(state.acting)
    stack.push_async_callback(state.executions.stop)
    state.executions.start()


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncGenerator[None, None]:
    async with AsyncExitStack() as stack:
        stack.callback(api.state.database.dispose)
        state = api.state
        state.recorder.start()
        stack.callback(state.recorder.stop)
        state.engines = EngineService(
            state.database,
            state.layout,
            state.authenticator,
            state.recorder,
            base_url=state.addresses.base_url,
            public_url=state.identity.public_url,
            registry=state.metrics,
            host=state.settings.host,
            port=state.settings.spark_port,
            engine=state.settings.engine.get_secret_value(),
            idle_seconds=state.settings.engine_idle_seconds,
            interrupted_seconds=state.settings.engine_interrupted_seconds,
            memory=state.settings.engine_memory,
            joins=state.settings.engine_joins,
            python=state.settings.python_udfs,
            brokers=state.settings.kafka_brokers,
            sources=SOURCES,
            functions=FUNCTIONS,
        )
        stack.push_async_callback(state.engines.stop)
        state.engines.governor.reads = state.training
        state.serving = Serving(state.database, state.layout, state.settings.python_udfs, state.recorder)
        # Before the first query comes: one that asks an endpoint waits for them.
        state.engines.access.endpoints = EndpointShapes(state.serving)
        await state.engines.start()
        state.engines.access.provide_function("event_log", of_text(EventLog(state.database, state.layout).rows))
        state.engines.access.provide(TABLE_RESULTS, TableResults(state.database, state.layout).rows)
        state.jobs = Jobs(
            state.database,
            state.layout,
            state.authenticator,
            state.identity.public_url,
            state.settings.task_slots,
            Senders(
                state.settings.webhook_key,
                state.settings.webhook_private,
                state.settings.smtp_url,
                state.settings.smtp_from,
            ),
        )
        stack.push_async_callback(state.jobs.stop)
        jobs: Jobs = state.jobs

        def tell(change: ModelChange) -> None:
            jobs.tell(model_event(state.layout, change.condition, change.name, change.version, change.alias))

        state.mlflow.tell = tell
        places = Places(
            state.addresses.base_url,
            f"sc://localhost:{state.engines.port}",
            state.settings.python_udfs,
            state.engines.engines.capabilities.settings,
        )
        state.pipelines = Pipelines(
            state.database, state.layout, state.authenticator, places, state.engines.gateway.end_session
        )
        stack.push_async_callback(state.pipelines.stop)
        state.jobs.kinds.register(PipelineTaskKind(state.pipelines))
        sources = Sources(state.database, state.layout)
        surroundings = Surroundings(
            state.database,
            state.layout,
            sources,
            state.addresses.base_url,
            places.spark_remote,
            state.settings.python_udfs,
            broken=state.training.end_runs,
        )
        stack.callback(surroundings.spare.stop)
        state.jobs.kinds.checks.append(sources.check_settings)
        _start_statements(state, stack)
        alerts = AlertTask(state.database, state.layout, state.acting, state.jobs)
        dashboards = DashboardTask(state.database, state.layout, state.acting, state.jobs)
        for kind in (
            NotebookTask(surroundings),
            PythonTask(surroundings),
            WheelTask(surroundings),
            DbtTask(surroundings),
            SqlTaskKind(state.database, state.layout, sources, state.acting, alerts, dashboards),
            DashboardTaskKind(state.database, dashboards),
        ):
            state.jobs.kinds.register(kind)
        _start_lab(state, stack, surroundings)
        state.engines.governor.pipeline_commands = PipelineCommands(state.pipelines).execute
        state.publisher = Publisher(state.database, state.layout)
        stack.push_async_callback(state.publisher.stop)
        state.publisher.start()
        stack.push_async_callback(state.serving.stop)
        await state.serving.start()
        mlflow = asyncio.get_running_loop().call_later(MLFLOW_AFTER_SECONDS, _start_mlflow, state, now_ms())
        stack.callback(mlflow.cancel)
        state.monitors = Monitors(
            state.database, state.layout, state.authenticator, state.recorder, places.spark_remote, state.jobs.tell
        )
        stack.push_async_callback(state.monitors.stop)
        await state.pipelines.start()
        await state.jobs.start()
        await state.monitors.start()
        work = chores(state.database, state.layout, state.admin, state.settings, sources)
        housekeeping = asyncio.create_task(keep_house(state.database, work), name="housekeeping")
        stack.callback(housekeeping.cancel)
        yield


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'server'}_{route.name}"
