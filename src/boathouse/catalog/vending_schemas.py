"""HTTP bodies of temporary credentials, in the shapes of Unity Catalog's REST API."""

from typing import Literal

from pydantic import BaseModel, Field

from boathouse.catalog.privileges import Privilege
from boathouse.catalog.schemas import Given

PATH_PRIVILEGES = {
    "PATH_READ": (Privilege.READ_FILES,),
    "PATH_READ_WRITE": (Privilege.READ_FILES, Privilege.WRITE_FILES),
    "PATH_CREATE_TABLE": (Privilege.CREATE_EXTERNAL_TABLE,),
}
"""What each operation on a path needs on its external location."""


class TableCredentials(BaseModel):
    """Asks for credentials of a table."""

    table_id: str
    operation: Literal["READ", "READ_WRITE"] = "READ"


class VolumeCredentials(BaseModel):
    """Asks for credentials of a volume."""

    volume_id: str
    operation: Literal["READ_VOLUME", "WRITE_VOLUME"] = "READ_VOLUME"


class PathCredentials(BaseModel):
    """Asks for credentials of a place."""

    url: str
    operation: Literal["PATH_READ", "PATH_READ_WRITE", "PATH_CREATE_TABLE"]
    dry_run: bool = False


class AwsCredentials(BaseModel):
    """Temporary keys of an S3 store; ``access_point`` is its address where it is not Amazon's."""

    access_key_id: str = Field(repr=False)
    secret_access_key: str = Field(repr=False)
    session_token: str = Field(repr=False)
    access_point: Given[str] = None


class TemporaryCredentials(BaseModel):
    """Temporary credentials and what they open; ``expiration_time`` is in ms since the epoch."""

    aws_temp_credentials: Given[AwsCredentials] = None
    expiration_time: Given[int] = None
    url: str
