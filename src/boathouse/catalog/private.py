"""What is private to a pipeline: it lies in a schema that nobody knows of but the pipeline's own updates."""

from boathouse.iam.api import Principal

PREFIX = "__pipeline_"
"""Before the names of such schemas."""


def private_schema(pipeline_id: str) -> str:
    """The name of a pipeline's schema."""
    return PREFIX + pipeline_id.replace("-", "_").lower()


def own_schema(principal: Principal) -> str | None:
    """The name of the schema of the pipeline that a principal acts for; None where it acts for none."""
    return None if principal.pipeline_id is None else private_schema(principal.pipeline_id)


def schema_with(full_name: str) -> str | None:
    """The private schema that a full name lies in or is; None for what lies in none."""
    parts = full_name.split(".")
    return parts[1] if len(parts) > 1 and parts[1].startswith(PREFIX) else None
