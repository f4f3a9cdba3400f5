"""What a client asks for, made real in its session: paths, schemas, hints, how times are read."""

import json
import re
from pathlib import Path

from grpc.aio import AioRpcError

from boathouse.engine.api import DataType, PathGuard, QuerySession, Struct, Use, type_from_json, type_from_message
from boathouse.ingest.errors import OptionInvalid, OptionNotBuilt, TypesDoNotMerge
from boathouse.ingest.inference import Sample
from boathouse.ingest.options import Options, size_of
from boathouse.ingest.paths import Place, place
from boathouse.ingest.schema_log import split_hints
from boathouse.ingest.values import Notation, notation

_SAMPLE = "spark.databricks.cloudFiles.schemaInference.sampleSize."
_STORE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def place_of(path: str, guard: PathGuard) -> Place:
    """Where files are looked for.

    Raises:
        PathRefused: If the principal may not read there.
        OptionNotBuilt: If it is in another store.
    """
    return place(path, str(local(guard, path, Use.READ)))


def local(guard: PathGuard, path: str, use: Use) -> Path:
    """The real place of a path.

    Raises:
        PathRefused: If the principal may not use it.
        OptionNotBuilt: If it is in another store.
    """
    real = guard.resolve(path, use)
    if _STORE.match(real):
        raise OptionNotBuilt(
            f"path '{path}'", "give a volume or a local folder; Auto Loader, and STREAM read_files, read s3:// locations, too"
        )
    return Path(real)


def schema_of(text: str, session: QuerySession) -> Struct:
    """A schema as a client gives it: the JSON of a StructType, or DDL.

    Raises:
        OptionInvalid: If it is neither.
        AioRpcError: If the engine cannot read the DDL.
    """
    if text.lstrip().startswith("{"):
        found = type_from_json(json.loads(text))
    else:
        try:
            found = type_from_message(session.data_type(text))
        except AioRpcError as error:
            raise OptionInvalid("schema", text, "columns with types, e.g. 'id BIGINT, name STRING'") from error
    if not isinstance(found, Struct):
        raise OptionInvalid("schema", text, "columns with types, e.g. 'id BIGINT, name STRING'")
    return found


def hints_of(options: Options, session: QuerySession) -> list[tuple[list[str], DataType]]:
    """The hints for the schema: paths of names, with types.

    Raises:
        TypesDoNotMerge: If one has no type that the engine knows.
    """
    found: list[tuple[list[str], DataType]] = []
    for path, text in split_hints(options.schema_hints):
        try:
            kind = type_from_message(session.data_type(f"hint {text}"))
        except AioRpcError as error:
            raise TypesDoNotMerge(f"{'.'.join(path)} {text}") from error
        found.append((path, kind.fields[0].type if isinstance(kind, Struct) else kind))
    return found


def notation_of(options: Options, session: QuerySession) -> Notation:
    """How values are written, with the session's time zone.

    Raises:
        OptionInvalid: If a pattern is not known.
    """
    return notation(options, session.setting("spark.sql.session.timeZone") or "UTC")


def sample_of(session: QuerySession) -> Sample:
    """How much is looked at to infer a schema."""
    standard = Sample()
    files, size = session.setting(f"{_SAMPLE}numFiles"), session.setting(f"{_SAMPLE}numBytes")
    return Sample(int(files) if files and files.isdigit() else standard.files, (size and size_of(size)) or standard.size)
