"""The columns of a table in an object store that is registered without them: its log there is asked before the catalog takes it."""

import json
from contextlib import suppress
from typing import Annotated, Any

import anyio.to_thread
import structlog
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from fastapi import Depends, Request

from boathouse.catalog.delta_schema import columns_of
from boathouse.catalog.info import VIEW
from boathouse.catalog.schemas import CreateTable
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.locations import is_remote
from boathouse.errors import BoathouseError
from boathouse.iam.api import CurrentPrincipal, Principal
from boathouse.storage import s3

log = structlog.stdlib.get_logger(__name__)


async def _remote(request: Request, principal: CurrentPrincipal, body: CreateTable) -> list[dict[str, Any]]:
    """The columns that the log of a table says; none of what is no Delta table there, or cannot be reached."""
    location = body.storage_location or ""
    if body.table_type == VIEW or body.columns or body.data_source_format.upper() != "DELTA" or not is_remote(location):
        return []
    full_name = f"{body.catalog_name}.{body.schema_name}.{body.name}"
    return await anyio.to_thread.run_sync(_columns, request.app.state, principal, full_name, location)


def _columns(state: Any, principal: Principal, full_name: str, location: str) -> list[dict[str, Any]]:
    try:
        with state.database.session() as session:
            loan = CatalogService(session, principal, state.layout).read_new_table(full_name, location)
        lent = s3.lend(loan.url, loan.values, write=False, session_name=f"boathouse-{principal.id}"[:64])
        options = {
            "aws_access_key_id": lent.access_key_id,
            "aws_secret_access_key": lent.secret_access_key,
            "aws_session_token": lent.session_token,
            "aws_region": loan.values.get("region") or "us-east-1",
            "timeout": f"{s3.READ_SECONDS}s",
            "connect_timeout": f"{s3.CONNECT_SECONDS}s",
            "max_retries": "1",
        }
        if lent.endpoint is not None:
            options |= {"aws_endpoint": lent.endpoint, "aws_allow_http": str(lent.endpoint.startswith("http://")).lower()}
        with suppress(TableNotFoundError):
            table = DeltaTable(loan.url, storage_options=options)
            return columns_of(json.loads(table.schema().to_json())["fields"], table.metadata().partition_columns)
    except (BoathouseError, DeltaError, OSError) as error:
        # What may not be registered is refused after this; what may, also before its store answers.
        log.warning("catalog.columns_unknown", table=full_name, url=location, reason=str(error).splitlines()[0])
    return []


RemoteColumns = Annotated[list[dict[str, Any]], Depends(_remote)]
