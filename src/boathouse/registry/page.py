"""What the page shows of a version besides what clients ask: ``/api/boathouse/v1/models``."""

from typing import Annotated

from fastapi import APIRouter, Path

from boathouse.registry import older_schemas as io
from boathouse.registry.dependencies import Registry, Reviews
from boathouse.registry.schemas import SignatureBody, SignatureColumn

router = APIRouter(prefix="/api/boathouse/v1/models", tags=["models"])


@router.get("/{model}/versions/{version}/activities", response_model_exclude_none=True)
def list_version_activities(
    reviews: Reviews, model: str, version: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> io.VersionActivities:
    """A version's stage, and all that was said of it, asked for and done, the oldest first. Needs EXECUTE on the model."""
    known, seen = reviews.activities(model, str(version))
    return io.VersionActivities(
        current_stage=known.stage,
        may_move=reviews.level(known.name) != "CAN_READ",
        activities=[io.ActivityBody.of(one) for one in seen],
    )


@router.get("/{model}/versions/{version}/signature")
def get_version_signature(registry: Registry, model: str, version: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> SignatureBody:
    """What a version takes and gives, as its file says. Needs EXECUTE on the model."""
    folder = registry.version_folder(model, str(version))
    from boathouse.registry.signatures import columns_of  # noqa: PLC0415 - MLflow is loaded late

    inputs, outputs, params = (
        [SignatureColumn(name=one.name, type=one.type, required=one.required) for one in columns]
        for columns in columns_of(folder)
    )
    return SignatureBody(inputs=inputs, outputs=outputs, params=params)
