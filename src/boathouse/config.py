"""The server's settings: from the command line first, then the environment (``BOATHOUSE_*``), then the defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field
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
    engine_idle_seconds: float = Field(
        default=900, gt=0, description="An engine process that nobody used for so long is stopped."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level of log lines.")
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines are written.")
    config_dir: Path | None = Field(
        default=None, description="Folder of the sign-in profile; the user's config folder by default."
    )

    @property
    def resolved_root(self) -> Path:
        """The absolute root of the lake."""
        return self.root.expanduser().resolve()
