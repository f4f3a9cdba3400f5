"""Endpoints under new names: the models and feature specs that they serve, and their inference tables, are the same after a rename."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from boathouse.catalog.api import Rename, SecurableType
from boathouse.serving.config import Capture
from boathouse.serving.models import EndpointRow


def follow(connection: Connection, rename: Rename) -> None:
    """Let all endpoints follow a new name."""
    for row in connection.execute(select(EndpointRow.id, EndpointRow.config, EndpointRow.pending_config)).all():
        before = {"config": row.config, "pending_config": row.pending_config}
        after = {key: None if config is None else _renamed(config, rename) for key, config in before.items()}
        if after != before:
            connection.execute(update(EndpointRow).where(EndpointRow.id == row.id).values(after))


def _renamed(config: Mapping[str, Any], rename: Rename) -> dict[str, Any]:
    entities = [
        {
            **entity,
            "entity_name": rename.of(
                entity["entity_name"], SecurableType.MODEL if entity["entity_version"] else SecurableType.FUNCTION
            ),
        }
        for entity in config["entities"]
    ]
    capture = config.get("capture")
    return {**config, "entities": entities} | ({"capture": _capture(capture, rename)} if capture else {})


def _capture(recorded: Mapping[str, Any], rename: Rename) -> dict[str, Any]:
    """Where requests are kept, with the name that the table has."""
    old = Capture(**recorded).full_name
    new = rename.of(old, SecurableType.TABLE)
    if new == old:
        return dict(recorded)
    catalog, schema, name = new.split(".")
    own = {"table_name": name} if rename.type == SecurableType.TABLE else {}
    return {**recorded, "catalog_name": catalog, "schema_name": schema, **own}
