"""Spark Connect's messages, imported on first use: pyspark needs more than a second."""

from functools import cache
from types import ModuleType
from typing import Any

import pyarrow as pa

from boathouse.kit.pyspark_import import import_pyspark


@cache
def proto() -> ModuleType:
    """The module of all message classes."""
    import_pyspark()
    import pyspark.sql.connect.proto as module  # noqa: PLC0415
    from google.protobuf.internal import api_implementation  # noqa: PLC0415

    # A chain of fifty DataFrame operations is deeper than the hundred levels that are read otherwise.
    implementation: Any = api_implementation
    implementation._c_module.SetAllowOversizeProtos(True)  # noqa: FBT003, SLF001
    return module


def function_call(name: str, *arguments: Any) -> Any:
    """A function's call as an expression."""
    made = proto().Expression()
    made.unresolved_function.function_name = name
    for one in arguments:
        made.unresolved_function.arguments.add().CopyFrom(one)
    return made


def text_literal(value: str) -> Any:
    """A string as an expression."""
    made = proto().Expression()
    made.literal.string = value
    return made


def local_relation(table: pa.Table) -> Any:
    """A relation with the rows of an Arrow table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        # The engine takes the schema from the first batch, so there has to be one.
        for batch in table.to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]:
            writer.write_batch(batch)
    relation = proto().Relation()
    relation.local_relation.data = sink.getvalue().to_pybytes()
    return relation


def nullable_schema(data_type: Any) -> tuple[pa.Schema, bool]:
    """The Arrow schema of an analysed plan with every column nullable, and whether some were not."""
    from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type  # noqa: PLC0415
    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415

    schema: Any = proto_schema_to_pyspark_data_type(data_type)
    nullable = schema.toNullable()
    return to_arrow_schema(nullable, timezone="UTC"), nullable != schema


def empty_answer() -> Any:
    """What a command without a result gives: a relation of no columns and no rows."""
    return local_relation(pa.table({}))


def without_command(request: bytes) -> bytes:
    """An ExecutePlanRequest that does nothing in the place of its command."""
    parsed = proto().ExecutePlanRequest.FromString(request)
    parsed.plan.command.sql_command.Clear()
    parsed.plan.command.sql_command.input.CopyFrom(empty_answer())
    return parsed.SerializeToString()


def command_result(request: Any, relation: Any) -> bytes:
    """The response that carries a SQL command's result."""
    response = proto().ExecutePlanResponse(
        session_id=request.session_id,
        server_side_session_id=request.session_id,
        operation_id=request.operation_id,
    )
    response.sql_command_result.relation.CopyFrom(relation)
    return response.SerializeToString()


def rows_result(request: Any, relation: Any) -> bytes:
    """The response that carries the rows of a local relation."""
    response = proto().ExecutePlanResponse(
        session_id=request.session_id,
        server_side_session_id=request.session_id,
        operation_id=request.operation_id,
    )
    response.arrow_batch.data = relation.local_relation.data
    response.arrow_batch.row_count = pa.ipc.open_stream(relation.local_relation.data).read_all().num_rows
    return response.SerializeToString()


def of_today(command: Any) -> bool:
    """Bring a SqlCommand of an older client into the form of today's, in place; whether it was one."""
    if command.HasField("input") or not command.sql:
        return False
    node = command.input.sql
    node.query = command.sql
    for key, value in command.args.items():
        node.args[key].CopyFrom(value)
    node.pos_args.extend(command.pos_args)
    for key, value in command.named_arguments.items():
        node.named_arguments[key].CopyFrom(value)
    node.pos_arguments.extend(command.pos_arguments)
    command.ClearField("sql")
    return True


def sql_node(relation: Any) -> Any | None:
    """The SQL message of a relation that is a SQL text, or a SQL text with DataFrames that it refers to."""
    match relation.WhichOneof("rel_type"):
        case "sql":
            return relation.sql
        case "with_relations":
            return sql_node(relation.with_relations.root)
        case _:
            return None
