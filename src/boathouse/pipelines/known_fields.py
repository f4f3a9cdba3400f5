"""Fields of requests that are none: refused by name, with those that may have been meant.

Fields that Databricks documents and that mean nothing on one machine are kept as they are.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel

from boathouse.errors import NotImplementedHere
from boathouse.pipelines.errors import SpecInvalid
from boathouse.pipelines.schemas import LibraryBody, PipelineBody, StartBody

_KEPT: Mapping[type[BaseModel], frozenset[str]] = {
    PipelineBody: frozenset(
        {
            *("budget_policy_id", "channel", "clusters", "deployment", "edition", "environment", "filters", "notifications"),
            *("parent_path", "photon", "pipeline_type", "restart_window", "serverless", "serverless_compute_id", "trigger"),
            "usage_policy_id",
        }
    ),
    LibraryBody: frozenset({"jar", "maven", "whl"}),
}
_NOT_HERE: Mapping[type[BaseModel], frozenset[str]] = {
    StartBody: frozenset({"replace_where_overrides", "reset_checkpoint_selection", "rewind_spec"}),
}
_MOST_NEAR = 3


def check_fields(body: BaseModel, path: str = "") -> None:
    """Go on only if a request has no other fields than those of its kind, in what is in it too.

    Raises:
        SpecInvalid: If a field is none.
        NotImplementedHere: If a field is Databricks', and would change what is done here.
    """
    kind = type(body)
    kept, absent = _KEPT.get(kind, frozenset()), _NOT_HERE.get(kind, frozenset())
    known = {field.alias or name for name, field in kind.model_fields.items()} | kept
    for name, value in (body.model_extra or {}).items():
        if name in absent and value:
            raise NotImplementedHere(f"{path}{name} is not supported here. Leave it out.", field=f"{path}{name}")
        if name not in known | absent:
            near = get_close_matches(name, known, _MOST_NEAR)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Valid: {', '.join(sorted(known))}."
            raise SpecInvalid(f"{path}{name}", f"is no field of this request. {hint}")
    for name, value in _inner(body):
        check_fields(value, f"{path}{name}.")


def _inner(body: BaseModel) -> Iterator[tuple[str, BaseModel]]:
    for name, field in type(body).model_fields.items():
        value = getattr(body, name)
        for number, one in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(one, BaseModel):
                yield f"{field.alias or name}{'' if number is None else f'[{number}]'}", one
