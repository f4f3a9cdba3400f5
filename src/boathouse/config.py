"""The server's settings: from the command line first, then the environment (``BOATHOUSE_*``), then the defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set. Each field is read from ``BOATHOUSE_<NAME>`` unless it is given."""

    model_config = SettingsConfigDict(env_prefix="BOATHOUSE_", extra="ignore", frozen=True)

    root: Path = Field(default=Path("lake"), description="Folder of the lake: metadata, tables, volumes, artifacts, logs.")
    host: str = Field(default="127.0.0.1", description="Address of the REST API and the page.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port of the REST API and the page; 0 takes a free one.")
    spark_port: int = Field(default=15002, ge=0, le=65535, description="Port of the Spark Connect gateway; 0 takes a free one.")
    database_url: str | None = Field(
        default=None, description="Metadata database, e.g. postgresql://user@host/name; SQLite in the root by default."
    )
    allow_remote: bool = Field(
        default=False, description="Listen on an address that is not loopback without TLS. Put a TLS proxy before it."
    )
    engine: SecretStr = Field(
        default=SecretStr("sail"),
        description="What does the work: sail, or a Spark Connect server of Apache Spark, sc://host:port/;token=...;use_ssl=true.",
    )
    engine_idle_seconds: float = Field(
        default=900, gt=0, description="An engine process that nobody used for so long is stopped."
    )
    engine_interrupted_seconds: float = Field(
        default=30, gt=0, description="An engine that works for so long at what was interrupted, unused, is stopped."
    )
    engine_memory: str | None = Field(
        default=None,
        description="Memory of one engine with its Python functions, e.g. 2g; a quarter of the machine's by default.",
    )
    engine_joins: Literal["hash", "sort_merge"] = Field(
        default="hash",
        description="How the embedded engine joins two large inputs: by a hash table in memory, or sorted, which can spill.",
    )
    python_udfs: Literal["sandboxed", "trusted", "off"] = Field(
        default="sandboxed",
        description="Python functions of users run in a sandbox (Linux), in the engine with the server's own rights, or not at all.",
    )
    kafka_brokers: str = Field(
        default="",
        description="Kafka brokers that everybody may reach through the server, host:port with commas, * for any; admins reach all.",
    )
    online_stores: SecretStr | None = Field(
        default=None,
        description="Online feature stores elsewhere, a JSON object of name to redis:// or postgresql:// URL; files of LMDB by default.",
    )
    task_slots: int = Field(default=8, ge=1, le=1000, description="Most tasks of jobs that one server carries out at once.")
    run_retention_days: float = Field(
        default=60, gt=0, description="Days after its end that a run of a job, with its log and its result, is forgotten."
    )
    git_cache_days: float = Field(
        default=30,
        gt=0,
        description="Days that a repository of git_source stays which no task has used; then it is fetched anew.",
    )
    lab_idle_seconds: float = Field(
        default=3600,
        ge=1,
        description="Kernels of JupyterLab that were idle for so long are stopped, and then JupyterLab itself.",
    )
    webhook_key: SecretStr | None = Field(
        default=None, description="Key that webhooks of jobs are signed with (HMAC-SHA256); unsigned by default."
    )
    webhook_private: bool = Field(default=False, description="Webhooks of jobs and models may go to private addresses.")
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Where mail of jobs is handed in, smtp://user:password@host:587 or smtps://; no mail by default.",
    )
    smtp_from: str = Field(default="boathouse@localhost", description="Sender of mail of jobs.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level of log lines.")
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines are written.")
    openlineage_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+",
        description="Where lineage is sent to as OpenLineage events, e.g. http://marquez:5000; nowhere by default.",
    )
    config_dir: Path | None = Field(
        default=None, description="Folder of the sign-in profile; the user's config folder by default."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Key that secrets are encrypted with at rest, older ones after it with commas; secrets.key in the root by default.",
    )

    public_url: str | None = Field(
        default=None, description="Where browsers and clients reach the server, if not where it listens: behind a proxy."
    )
    token_default_days: float = Field(default=730, gt=0, description="Days that a token lives which names no lifetime.")
    token_max_days: float | None = Field(
        default=None, gt=0, description="Longest lifetime of a token in days; no limit by default."
    )
    oidc_issuer: str | None = Field(
        default=None, description="Issuer of the OpenID provider for single sign-on; off by default."
    )
    oidc_client_id: str | None = Field(default=None, description="Client id of this server at the provider.")
    oidc_client_secret: SecretStr | None = Field(default=None, description="Client secret of this server at the provider.")
    oidc_scopes: str = Field(default="openid email profile", description="Scopes to ask the provider for.")
    oidc_groups_claim: str | None = Field(
        default=None, description="Claim of the ID token with the user's groups; groups are left alone by default."
    )
    oidc_admin_group: str | None = Field(
        default=None, description="Name in the groups claim whose members are admins here; by default none."
    )
    oidc_allowed_domains: str = Field(
        default="", description="Domains of e-mail addresses that may sign in by single sign-on, with commas; all by default."
    )
    oidc_auto_provision: bool = Field(default=False, description="Make users at their first single sign-on.")
    oidc_trust_email: bool = Field(
        default=False, description="Believe e-mail addresses that the provider does not call verified."
    )

    @property
    def resolved_root(self) -> Path:
        """The absolute root of the lake."""
        return self.root.expanduser().resolve()
