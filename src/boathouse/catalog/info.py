"""What the catalog hands out: immutable values, never rows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import SecurableType

VIEW = "VIEW"
FEATURE_SPEC = "FEATURE_SPEC"
"""The language of a feature spec: a function of keys and times that endpoints answer; its body is JSON."""
TABLE_TYPE = "TABLE_TYPE"
"""The return type of a function that answers a table."""


@dataclass(frozen=True, kw_only=True)
class SecurableInfo:
    """What every securable has. Times are ms since the epoch."""

    id: str
    type: SecurableType
    name: str
    full_name: str
    owner: str
    comment: str | None
    properties: dict[str, str]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @property
    def catalog_name(self) -> str:
        """The first part of the full name."""
        return self.full_name.split(".")[0]

    @property
    def schema_name(self) -> str:
        """The second part of the full name."""
        return self.full_name.split(".")[1]


@dataclass(frozen=True)
class Policy:
    """A function bound to a table as its row filter, or to a column as its mask.

    Attributes:
        function_name: Full name of the function.
        using: Its arguments: names of columns, or literals as SQL text (``'EU'``, ``3``, ``TRUE``, ``NULL``). A mask's
            function gets the masked column before these.
    """

    function_name: str
    using: tuple[str, ...] = ()


_LITERAL = re.compile(r"(?is)'(?:[^'\\]|''|\\.)*'|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|true|false|null")


def is_literal(argument: str) -> bool:
    """Whether an argument of a policy is a literal rather than a column: a string, a number, TRUE, FALSE or NULL."""
    return _LITERAL.fullmatch(argument.strip()) is not None


@dataclass(frozen=True, kw_only=True)
class TableInfo(SecurableInfo):
    """A table or view.

    Attributes:
        table_type: ``MANAGED``, ``EXTERNAL`` or ``VIEW``.
        data_source_format: ``DELTA``, ``PARQUET``, ...; empty for a view.
        storage_location: ``file:///`` or ``s3://`` URL of its folder; empty for a view.
        columns: In order, each with ``name``, ``type_name``, ``type_text``, ``type_json``, ``position``, ``nullable``,
            ``comment``.
        view_definition: The query of a view; None for a table.
        row_filter: The function that decides which rows a reader gets.
        column_masks: By column, the function that a reader sees the column through.
        constraints: Each with one of the keys ``primary_key_constraint``, ``foreign_key_constraint`` and
            ``named_table_constraint``, in the wire form of Unity Catalog.
        tags: Tags of the table itself.
    """

    table_type: str
    data_source_format: str
    storage_location: str
    columns: tuple[dict[str, Any], ...]
    view_definition: str | None = None
    row_filter: Policy | None = None
    column_masks: Mapping[str, Policy] = field(default_factory=dict[str, Policy])
    constraints: tuple[dict[str, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def has_policy(self) -> bool:
        """Whether readers see less of it than there is."""
        return self.row_filter is not None or bool(self.column_masks)

    @property
    def is_view(self) -> bool:
        """Whether it is a query and has no files."""
        return self.table_type == VIEW


@dataclass(frozen=True, kw_only=True)
class VolumeInfo(SecurableInfo):
    """A volume: a folder of files. ``volume_type`` is ``MANAGED`` or ``EXTERNAL``."""

    volume_type: str
    storage_location: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function; ``default`` is SQL text."""

    name: str
    type_text: str
    default: str | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class FunctionInfo(SecurableInfo):
    """A function.

    Attributes:
        parameters: In order.
        return_type: SQL text of the type, or ``TABLE_TYPE``.
        return_columns: Name and SQL text of the type, for a function that answers a table.
        language: ``SQL``, ``PYTHON`` or ``FEATURE_SPEC``.
        body: An expression or query in SQL, Python source, or the JSON of a feature spec.
        is_deterministic: As declared.
    """

    parameters: tuple[Parameter, ...]
    return_type: str
    return_columns: tuple[tuple[str, str], ...]
    language: str
    body: str
    is_deterministic: bool

    @property
    def is_table(self) -> bool:
        """Whether it answers a table."""
        return self.return_type == TABLE_TYPE


@dataclass(frozen=True, kw_only=True)
class LocationInfo(SecurableInfo):
    """An external location. ``url`` has no slash at its end; a folder of this machine may do without a credential."""

    url: str
    credential_id: str | None
    credential_name: str | None
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class CredentialInfo(SecurableInfo):
    """A storage credential without its secrets: ``kind`` (``aws_iam_role``, ...) and that kind's other fields."""

    kind: str
    values: Mapping[str, str]
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class ConnectionInfo(SecurableInfo):
    """A connection without its secret options; of those that refer to a secret, the reference."""

    connection_type: str
    options: Mapping[str, str]
    read_only: bool

    @property
    def credential_type(self) -> str:
        """How it signs in, as the API names it."""
        return "USERNAME_PASSWORD" if "user" in self.options else "BEARER_TOKEN"

    @property
    def url(self) -> str:
        """Where it leads, for people."""
        scheme = "" if self.connection_type == "HTTP" else f"jdbc://{self.connection_type.lower()}/"
        port = f":{self.options['port']}" if "port" in self.options else ""
        return f"{scheme}{self.options['host']}{port}{self.options.get('base_path', '')}"


def _common(row: SecurableRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": SecurableType(row.type),
        "name": row.name,
        "full_name": row.full_name,
        "owner": row.owner,
        "comment": row.comment,
        "properties": dict(row.properties),
        "created_at": row.created_at,
        "created_by": row.created_by,
        "updated_at": row.updated_at,
        "updated_by": row.updated_by,
    }


def _policy(recorded: Mapping[str, Any] | None) -> Policy | None:
    return Policy(recorded["function_name"], tuple(recorded["using"])) if recorded else None


def with_policies(details: Mapping[str, Any], changed: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """What only tables have, as it is recorded, with its row filter and column masks changed."""
    found = dict(details)
    if "row_filter" in found:
        found["row_filter"] = changed(found["row_filter"])
    if "column_masks" in found:
        found["column_masks"] = {column: changed(mask) for column, mask in found["column_masks"].items()}
    return found


def securable_info(row: SecurableRow) -> SecurableInfo:
    """The value of a catalog's, schema's or model's row."""
    return SecurableInfo(**_common(row))


def table_info(
    row: SecurableRow, columns: list[dict[str, Any]] | None = None, tags: Mapping[str, str] | None = None
) -> TableInfo:
    """The value of a table's row, with other columns than the row's where the Delta log knows better."""
    details = row.details or {}
    is_view = row.kind == VIEW
    return TableInfo(
        **_common(row),
        table_type=row.kind or "MANAGED",
        data_source_format="" if is_view else row.format or "DELTA",
        storage_location=row.location or "",
        columns=tuple(row.columns if columns is None else columns),
        view_definition=details.get("view_definition"),
        row_filter=_policy(details.get("row_filter")),
        column_masks={
            name: Policy(one["function_name"], tuple(one["using"])) for name, one in details.get("column_masks", {}).items()
        },
        constraints=tuple(details.get("constraints", ())),
        tags=dict(tags or {}),
    )


def volume_info(row: SecurableRow) -> VolumeInfo:
    """The value of a volume's row."""
    return VolumeInfo(**_common(row), volume_type=row.kind or "MANAGED", storage_location=row.location or "")


def function_info(row: SecurableRow) -> FunctionInfo:
    """The value of a function's row."""
    details = row.details
    return FunctionInfo(
        **_common(row),
        parameters=tuple(
            Parameter(one["name"], one["type_text"], one.get("default"), one.get("comment")) for one in details["parameters"]
        ),
        return_type=details["return_type"],
        return_columns=tuple((name, type_text) for name, type_text in details["return_columns"]),
        language=details["language"],
        body=details["body"],
        is_deterministic=details["is_deterministic"],
    )


def location_info(row: SecurableRow, credential_name: str | None) -> LocationInfo:
    """The value of an external location's row."""
    details = row.details
    return LocationInfo(
        **_common(row),
        url=details["url"],
        credential_id=details.get("credential_id"),
        credential_name=credential_name,
        read_only=bool(details.get("read_only")),
    )


def credential_info(row: SecurableRow) -> CredentialInfo:
    """The value of a storage credential's row, without the secret part."""
    details = row.details
    return CredentialInfo(
        **_common(row), kind=details["kind"], values=dict(details["public"]), read_only=bool(details.get("read_only"))
    )


def connection_info(row: SecurableRow) -> ConnectionInfo:
    """The value of a connection's row, without its secret options."""
    details = row.details
    return ConnectionInfo(
        **_common(row),
        connection_type=details["connection_type"],
        options={**details["options"], **details["references"]},
        read_only=bool(details["read_only"]),
    )
