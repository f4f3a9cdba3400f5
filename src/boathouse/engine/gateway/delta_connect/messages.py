"""The messages that delta-spark's client packs into plans, described here by their fields.

The client's own classes are no part of a server's installation. A pool of its own keeps these apart from them where both are
in one process.
"""

from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from boathouse.engine.gateway.messages.protocol import proto

PACKAGE = "delta.connect"
_SPARK = "spark.connect."
_TABLE = "table:1:DeltaTable"
# A message's fields as name:number:type; * for repeated, ? for optional. What is one of several needs no mark: it is just set.
_MESSAGES = {
    "DeltaTable": "path:1:DeltaTable.Path table_or_view_name:2:string?",
    "DeltaTable.Path": "path:1:string",
    "DeltaRelation": (
        "scan:1:OfTable describe_history:2:OfTable describe_detail:3:OfTable convert_to_delta:4:ConvertToDelta "
        "restore_table:5:RestoreTable is_delta_table:6:IsDeltaTable delete_from_table:7:DeleteFromTable "
        "update_table:8:UpdateTable merge_into_table:9:MergeIntoTable optimize_table:10:OptimizeTable"
    ),
    "OfTable": _TABLE,
    "ConvertToDelta": "identifier:1:string partition_schema_string:2:string? partition_schema_struct:3:spark.connect.DataType",
    "RestoreTable": f"{_TABLE} version:2:int64? timestamp:3:string?",
    "IsDeltaTable": "path:1:string",
    "DeleteFromTable": "target:1:spark.connect.Relation condition:2:spark.connect.Expression",
    "UpdateTable": "target:1:spark.connect.Relation condition:2:spark.connect.Expression assignments:3:Assignment*",
    "MergeIntoTable": (
        "target:1:spark.connect.Relation source:2:spark.connect.Relation condition:3:spark.connect.Expression "
        "matched_actions:4:Action* not_matched_actions:5:Action* not_matched_by_source_actions:6:Action* "
        "with_schema_evolution:7:bool?"
    ),
    "Action": (
        "condition:1:spark.connect.Expression delete_action:2:Assignments update_action:3:Assignments "
        "update_star_action:4:Assignments insert_action:5:Assignments insert_star_action:6:Assignments"
    ),
    "Assignments": "assignments:1:Assignment*",
    "Assignment": "field:1:spark.connect.Expression value:2:spark.connect.Expression",
    "OptimizeTable": f"{_TABLE} partition_filters:2:string* zorder_columns:3:string*",
    "DeltaCommand": (
        "clone_table:1:CloneTable vacuum_table:2:VacuumTable upgrade_table_protocol:3:UpgradeTableProtocol generate:4:Generate "
        "create_delta_table:5:CreateDeltaTable add_feature_support:6:Feature drop_feature_support:7:Feature"
    ),
    "CloneTable": (
        f"{_TABLE} target:2:string version:3:int32? timestamp:4:string? is_shallow:5:bool replace:6:bool properties:7:Property*"
    ),
    "Property": "key:1:string value:2:string",
    "VacuumTable": f"{_TABLE} retention_hours:2:double?",
    "UpgradeTableProtocol": f"{_TABLE} reader_version:2:int32 writer_version:3:int32",
    "Generate": f"{_TABLE} mode:2:string",
    "CreateDeltaTable": (
        "mode:1:int32 table_name:2:string? location:3:string? comment:4:string? columns:5:Column* "
        "partitioning_columns:6:string* properties:7:Property* clustering_columns:8:string*"
    ),
    "Column": (
        "name:1:string data_type:2:spark.connect.DataType nullable:3:bool generated_always_as:4:string? comment:5:string? "
        "identity_info:6:Identity"
    ),
    "Identity": "start:1:int64 step:2:int64 allow_explicit_insert:3:bool",
    "Feature": f"{_TABLE} feature_name:2:string truncate_history:3:bool?",
}
_SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
}


@cache
def _classes() -> dict[str, Any]:
    pool = DescriptorPool()
    _add(pool, proto().Relation.DESCRIPTOR.file, set())
    file = FileDescriptorProto(name="boathouse/delta_connect.proto", package=PACKAGE, syntax="proto3")
    file.dependency.extend(
        sorted(
            {
                proto().Relation.DESCRIPTOR.file.name,
                proto().Expression.DESCRIPTOR.file.name,
                proto().DataType.DESCRIPTOR.file.name,
            }
        )
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name.replace(".", "_"))
        for described in fields.split():
            _field(message, described)
    pool.Add(file)
    names = ("DeltaRelation", "DeltaCommand")
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in names}


def _add(pool: DescriptorPool, file: Any, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for needed in file.dependencies:
        _add(pool, needed, seen)
    described = FileDescriptorProto()
    file.CopyToProto(described)
    pool.Add(described)


def _field(message: DescriptorProto, described: str) -> None:
    name, number, kind = described.split(":")
    repeated, optional = kind.endswith("*"), kind.endswith("?")
    kind = kind.rstrip("*?")
    field = message.field.add(name=name, number=int(number))
    field.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{kind}" if kind.startswith(_SPARK) else f".{PACKAGE}.{kind.replace('.', '_')}"
    if optional:
        # Whether it is set can be asked, as for messages.
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


def unpack(extension: Any, name: str) -> Any | None:
    """The message of a kind in a plan's extension, or None if it holds another.

    Args:
        extension: A ``google.protobuf.Any``.
        name: ``DeltaRelation`` or ``DeltaCommand``.
    """
    if extension.type_url.rpartition("/")[2] != f"{PACKAGE}.{name}":
        return None
    return _classes()[name].FromString(extension.value)


def kind_of(message: Any) -> str:
    """Which of its fields a message of several kinds has set; empty for none."""
    return next((field.name for field, _ in message.ListFields()), "")


def as_relation(message: Any) -> Any:
    """A relation inside of an extension as one of the plan."""
    return proto().Relation.FromString(message.SerializeToString())


def as_expression(message: Any) -> Any:
    """An expression inside of an extension as one of the plan."""
    return proto().Expression.FromString(message.SerializeToString())


def as_data_type(message: Any) -> Any:
    """A type inside of an extension as one of the plan."""
    return proto().DataType.FromString(message.SerializeToString())
