"""The keys of ``databricks.yml`` as types. Of a resource's fields databricks-sdk has them: see ``kinds``."""

from dataclasses import dataclass
from typing import Any, Literal

PermissionLevel = Literal["CAN_VIEW", "CAN_RUN", "CAN_MANAGE"]


@dataclass
class Permission:
    """A level for one grantee."""

    level: str
    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None


@dataclass
class TargetPermission:
    """A level for one grantee on all that the bundle makes."""

    level: PermissionLevel
    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None


@dataclass
class Grant:
    """Privileges of one principal on a securable."""

    principal: str
    privileges: list[str]


@dataclass
class Lifecycle:
    """What may not happen to a resource."""

    prevent_destroy: bool | None = None
    started: bool | None = None


@dataclass
class RunAs:
    """With whose rights jobs and pipelines run."""

    user_name: str | None = None
    service_principal_name: str | None = None


@dataclass
class Git:
    """Where the project is kept."""

    branch: str | None = None
    origin_url: str | None = None


@dataclass
class Lock:
    """Whether a deployment locks its target."""

    enabled: bool = True
    force: bool = False


@dataclass
class Deployment:
    """How the bundle is deployed."""

    lock: Lock | None = None
    fail_on_active_runs: bool | None = None


@dataclass
class Bundle:
    """The bundle itself."""

    name: str | None = None
    uuid: str | None = None
    databricks_cli_version: str | None = None
    cluster_id: str | None = None
    compute_id: str | None = None
    deployment: Deployment | None = None
    git: Git | None = None


@dataclass
class Lookup:
    """The identifier of something by its name: one of these."""

    alert: str | None = None
    cluster: str | None = None
    cluster_policy: str | None = None
    dashboard: str | None = None
    instance_pool: str | None = None
    job: str | None = None
    metastore: str | None = None
    notification_destination: str | None = None
    pipeline: str | None = None
    query: str | None = None
    service_principal: str | None = None
    warehouse: str | None = None


@dataclass
class Variable:
    """A variable of the bundle."""

    default: Any = None
    description: str | None = None
    lookup: Lookup | None = None
    type: Literal["string", "complex"] | None = None


@dataclass
class Workspace:
    """The workspace that is deployed to."""

    host: str | None = None
    profile: str | None = None
    auth_type: str | None = None
    client_id: str | None = None
    root_path: str | None = None
    file_path: str | None = None
    artifact_path: str | None = None
    resource_path: str | None = None
    state_path: str | None = None
    azure_client_id: str | None = None
    azure_environment: str | None = None
    azure_login_app_id: str | None = None
    azure_tenant_id: str | None = None
    azure_use_msi: bool | None = None
    azure_workspace_resource_id: str | None = None
    google_service_account: str | None = None


@dataclass
class Presets:
    """What is changed about all resources."""

    name_prefix: str | None = None
    trigger_pause_status: Literal["PAUSED", "UNPAUSED"] | None = None
    pipelines_development: bool | None = None
    jobs_max_concurrent_runs: int | None = None
    tags: dict[str, str] | None = None
    artifacts_dynamic_version: bool | None = None
    source_linked_deployment: bool | None = None


@dataclass
class Sync:
    """Which files are uploaded."""

    include: list[str] | None = None
    exclude: list[str] | None = None
    paths: list[str] | None = None


@dataclass
class ArtifactFile:
    """A file that is uploaded."""

    source: str


@dataclass
class Artifact:
    """Something that is built and uploaded."""

    type: Literal["whl"] | None = None
    path: str | None = None
    build: str | None = None
    files: list[ArtifactFile] | None = None
    executable: Literal["bash", "sh", "cmd"] | None = None
    dynamic_version: bool | None = None


class Resources:
    """Resources by kind and key; their fields are the kinds' own."""


@dataclass
class Target:
    """Somewhere to deploy to, and what is different there."""

    default: bool | None = None
    mode: Literal["development", "production"] | None = None
    artifacts: dict[str, Artifact] | None = None
    bundle: Bundle | None = None
    cluster_id: str | None = None
    compute_id: str | None = None
    git: Git | None = None
    permissions: list[TargetPermission] | None = None
    presets: Presets | None = None
    resources: Resources | None = None
    run_as: RunAs | None = None
    sync: Sync | None = None
    variables: dict[str, Any] | None = None
    workspace: Workspace | None = None


@dataclass
class Root:
    """The whole."""

    bundle: Bundle
    include: list[str] | None = None
    artifacts: dict[str, Artifact] | None = None
    experimental: Any = None
    permissions: list[TargetPermission] | None = None
    presets: Presets | None = None
    python: Any = None
    resources: Resources | None = None
    run_as: RunAs | None = None
    scripts: Any = None
    sync: Sync | None = None
    targets: dict[str, Target] | None = None
    variables: dict[str, Variable] | None = None
    workspace: Workspace | None = None


MERGED = ("artifacts", "bundle", "permissions", "presets", "resources", "run_as", "sync", "workspace")
"""What of a target is laid over the same of the root."""
