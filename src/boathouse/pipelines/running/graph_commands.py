"""Graphs that a client defines over Spark Connect (``PipelineCommand``), as ``spark-pipelines`` does: their commands as declarations."""

import base64
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.sql.expression_text import expression_text
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import AutoCdc, Column, Dataset, Declarations, Flow, Kind, Location
from boathouse.pipelines.running.session import Session
from boathouse.pipelines.running.update import Declare
from boathouse.pipelines.source.sql_source import SqlContext, SqlFile, columns_of


def declare_commands(session: Session, commands: Sequence[str], configuration: Mapping[str, str]) -> Declare:
    """What puts the declarations of some commands, as texts in base 64, into others."""

    @contextmanager
    def declare(into: Declarations) -> Generator[None]:
        for key, value in configuration.items():
            session.spark.conf.set(key, value)
        for text in commands:
            _declare(proto().PipelineCommand.FromString(base64.b64decode(text)), into, configuration)
        yield

    return declare


def _declare(command: Any, into: Declarations, configuration: Mapping[str, str]) -> None:
    match command.WhichOneof("command_type"):
        case "define_output":
            into.datasets.append(_dataset(command.define_output))
        case "define_flow":
            into.flows.append(_flow(command.define_flow))
        case "define_sql_graph_elements":
            said = command.define_sql_graph_elements
            SqlFile(said.sql_text, said.sql_file_path or "unknown", into, SqlContext(configuration)).read()
        case other:
            raise DefinitionInvalid("UNSUPPORTED_COMMAND", f"A graph cannot be defined with {other}.")


def _location(message: Any) -> Location:
    said = message.source_code_location
    return Location(said.file_name or "unknown", said.line_number or None)


def _dataset(output: Any) -> Dataset:
    types = proto().OutputType
    kinds = {
        types.MATERIALIZED_VIEW: Kind.MATERIALIZED_VIEW,
        types.TABLE: Kind.STREAMING_TABLE,
        types.TEMPORARY_VIEW: Kind.TEMPORARY_VIEW,
        types.SINK: Kind.SINK,
    }
    details, sink = output.table_details, output.sink_details
    return Dataset(
        output.output_name,
        kinds[output.output_type],
        _location(output),
        comment=output.comment or None,
        columns=_columns(details),
        partition_by=tuple(details.partition_cols),
        cluster_by=tuple(details.clustering_columns),
        properties=dict(details.table_properties),
        format=sink.format or details.format or None,
        options=dict(sink.options),
    )


def _columns(details: Any) -> tuple[Column, ...]:
    match details.WhichOneof("schema"):
        case "schema_string":
            return columns_of(details.schema_string)
        case "schema_data_type":
            kind: Any = proto_schema_to_pyspark_data_type(details.schema_data_type)
            return tuple(
                Column(one.name, one.dataType.simpleString(), one.metadata.get("comment"), not one.nullable)
                for one in kind.fields
            )
        case _:
            return ()


def _flow(flow: Any) -> Flow:
    name = flow.flow_name or flow.target_dataset_name
    relation = flow.relation_flow_details.relation
    query = (lambda: relation) if flow.HasField("relation_flow_details") else None
    cdc = _cdc(flow.auto_cdc_flow_details) if flow.HasField("auto_cdc_flow_details") else None
    settings = dict(flow.sql_conf)
    return Flow(name, flow.target_dataset_name, _location(flow), query, cdc, once=flow.once, settings=settings)


def _cdc(details: Any) -> AutoCdc:
    def names(expressions: Sequence[Any]) -> tuple[str, ...]:
        return tuple(parts_of(expression_text(one))[-1] for one in expressions)

    ignoring = names(details.ignore_null_updates_column_list)
    return AutoCdc(
        source=details.source,
        keys=names(details.keys),
        sequence_by=expression_text(details.sequence_by),
        ignore_null_updates=bool(ignoring),
        ignore_null_columns=ignoring or None,
        apply_as_deletes=expression_text(details.apply_as_deletes) if details.HasField("apply_as_deletes") else None,
        apply_as_truncates=expression_text(details.apply_as_truncates) if details.HasField("apply_as_truncates") else None,
        columns=names(details.column_list) or None,
        except_columns=names(details.except_column_list),
    )
