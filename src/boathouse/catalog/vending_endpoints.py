"""Temporary credentials over HTTP: under 2.1 for delta-rs, under 2.0 for databricks-sdk."""

import structlog
from fastapi import APIRouter, Response

from boathouse.catalog.dependencies import Catalog
from boathouse.catalog.service.vending import Loan
from boathouse.catalog.vending_schemas import (
    PATH_PRIVILEGES,
    AwsCredentials,
    PathCredentials,
    TableCredentials,
    TemporaryCredentials,
    VolumeCredentials,
)
from boathouse.iam.api import Principal
from boathouse.storage import s3

router = APIRouter(prefix="/api", tags=["vending"])
log = structlog.stdlib.get_logger(__name__)


def _answer(principal: Principal, loan: Loan, response: Response) -> TemporaryCredentials:
    # The store knows the asker by an identifier: names may have characters that it does not take.
    lent = s3.lend(loan.url, loan.values, write=loan.write, session_name=f"boathouse-{principal.id}"[:64])
    log.info("credentials_lent", url=loan.url, write=loan.write, expires_at=lent.expires_at)
    response.headers["Cache-Control"] = "no-store"
    return TemporaryCredentials(
        aws_temp_credentials=AwsCredentials(
            access_key_id=lent.access_key_id,
            secret_access_key=lent.secret_access_key,
            session_token=lent.session_token,
            access_point=lent.endpoint,
        ),
        expiration_time=lent.expires_at,
        url=loan.url,
    )


@router.post("/2.1/unity-catalog/temporary-table-credentials")
@router.post("/2.0/unity-catalog/temporary-table-credentials", name="table_credentials_2_0")
def generate_temporary_table_credential(catalog: Catalog, body: TableCredentials, response: Response) -> TemporaryCredentials:
    """Credentials for the files of one table, for an hour."""
    return _answer(catalog.principal, catalog.lend_table(body.table_id, write=body.operation == "READ_WRITE"), response)


@router.post("/2.1/unity-catalog/temporary-volume-credentials")
@router.post("/2.0/unity-catalog/temporary-volume-credentials", name="volume_credentials_2_0")
def generate_temporary_volume_credential(catalog: Catalog, body: VolumeCredentials, response: Response) -> TemporaryCredentials:
    """Credentials for the files of one volume, for an hour."""
    return _answer(catalog.principal, catalog.lend_volume(body.volume_id, write=body.operation == "WRITE_VOLUME"), response)


@router.post("/2.1/unity-catalog/temporary-path-credentials")
@router.post("/2.0/unity-catalog/temporary-path-credentials", name="path_credentials_2_0")
def generate_temporary_path_credential(catalog: Catalog, body: PathCredentials, response: Response) -> TemporaryCredentials:
    """Credentials for a place in an external location, for an hour; with ``dry_run``, only whether they would be given."""
    loan = catalog.lend_path(body.url, PATH_PRIVILEGES[body.operation], write=body.operation != "PATH_READ")
    return TemporaryCredentials(url=loan.url) if body.dry_run else _answer(catalog.principal, loan, response)
