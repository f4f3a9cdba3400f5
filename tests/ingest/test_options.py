"""Options and schemas: what is not valid is named, with what would be."""

from pathlib import Path

import pytest

from boathouse.engine.api import Array, Atomic, Field, Map, Struct
from boathouse.errors import BoathouseError, InvalidState
from boathouse.ingest.errors import OptionNotBuilt, OptionUnknown, TypesDoNotMerge
from boathouse.ingest.options import Evolution, sql_options, stream_options
from boathouse.ingest.paths import Place, place
from boathouse.ingest.schema_log import Columns, SchemaLog, split_hints, with_hints


def stream(*, has_schema: bool = False, **given: str):
    options = {
        key if "_" not in key else "cloudFiles." + key.removeprefix("cf_").replace("__", "."): value
        for key, value in given.items()
    }
    return stream_options({"cloudFiles.format": "json", **options}, has_schema=has_schema)


def test_what_holds_without_options():
    options = stream()
    assert (options.evolution, options.rescued_column, options.max_files, options.include_existing) == (
        Evolution.ADD,
        "_rescued_data",
        1000,
        True,
    )
    assert not options.infer_column_types
    given = stream(has_schema=True)
    assert (given.evolution, given.rescued_column) == (Evolution.NONE, None)
    sql = sql_options({}, "json", has_schema=False, is_stream=False)
    assert (sql.evolution, sql.rescued_column, sql.infer_column_types) == (Evolution.NONE, "_rescued_data", True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cf_format": "xls"}, r"cloudFiles\.format cannot be 'xls'\. Valid: json, csv, parquet"),
        ({"cf_schemaEvolutionMode": "grow"}, r"Valid: addNewColumns, rescue, failOnNewColumns, none"),
        ({"cf_schemaEvolutionMode": "addNewColumns", "has_schema": True}, "schemaHints instead of a schema"),
        ({"cf_schemaHints": "id INT", "has_schema": True}, "a schema or hints, not both"),
        ({"cf_maxFilesPerTrigger": "0"}, r"maxFilesPerTrigger cannot be '0'\. Valid: a whole number above 0"),
        ({"cf_maxBytesPerTrigger": "much"}, "10g or 500mb"),
        ({"cf_backfillInterval": "daily"}, "1 day"),
        ({"cf_includeExistingFiles": "no"}, "Valid: true, false"),
        ({"cf_cleanSource": "MOVE"}, r"cleanSource\.moveDestination"),
        ({"cf_cleanSource__moveDestination": "/x"}, r"left out if not"),
        ({"modifiedAfter": "soon"}, "modifiedAfter cannot be 'soon'"),
        ({"mode": "STRICT"}, "PERMISSIVE, DROPMALFORMED, FAILFAST"),
        ({"encoding": "utf-9"}, "encoding cannot be 'utf-9'"),
        ({"cf_inferColumTypes": "true"}, r"cloudFiles\.inferColumTypes: did you mean cloudFiles\.inferColumnTypes\?"),
        ({"multiline": "true", "header": "true"}, "Unknown options: header"),
    ],
)
def test_what_is_not_valid(given: dict[str, str | bool], message: str):
    with pytest.raises(BoathouseError, match=message):
        stream(**given)  # type: ignore[arg-type]


def test_what_is_not_built_says_so():
    with pytest.raises(OptionNotBuilt, match=r"cloudFiles\.useNotifications is not supported: folders are listed"):
        stream(cf_useNotifications="true")
    assert stream(cf_useNotifications="false").file_format == "json"


def test_the_check_can_be_turned_off():
    assert stream(cf_region="eu", cf_validateOptions="false").file_format == "json"
    with pytest.raises(OptionUnknown, match=r"cloudFiles\.validateOptions=false"):
        stream(cf_region="eu")


def test_csv_options_contradict():
    with pytest.raises(BoathouseError, match="sep or delimiter"):
        stream(cf_format="csv", sep=";", delimiter=",")
    with pytest.raises(BoathouseError, match="quote cannot be"):
        stream(cf_format="csv", quote="''")


def test_paths_as_rows_show_them(tmp_path: Path):
    (tmp_path / "data").mkdir()
    volume = place("/Volumes/main/raw/v/data/*.json", f"{tmp_path}/data/*.json")
    assert (volume.base, volume.pattern) == (tmp_path / "data", "*.json")
    assert volume.shown("x y.json") == "dbfs:/Volumes/main/raw/v/data/x%20y.json"
    assert place("dbfs:/Volumes/main/raw/v", str(tmp_path)).shown("a") == "dbfs:/Volumes/main/raw/v/a"
    assert Place("file:/x", tmp_path).shown("a") == f"file://{tmp_path}/a"


def struct(**types: object) -> Struct:
    return Struct(tuple(Field(name, Atomic(kind) if isinstance(kind, str) else kind) for name, kind in types.items()))  # type: ignore[arg-type]


def test_versions_of_a_schema(tmp_path: Path):
    log = SchemaLog(tmp_path)
    assert log.latest() is None
    first = Columns(struct(id="long", o=struct(a="string")), struct(day="date"))
    assert log.append(0, first)
    assert not log.append(0, Columns(struct(other="long")))
    assert log.latest() == (0, first)
    grown = first.grown(struct(o=struct(b="long"), new="string"))
    assert log.append(1, grown)
    assert log.latest() == (1, Columns(struct(id="long", o=struct(a="string", b="long"), new="string"), struct(day="date")))
    assert sorted(path.name for path in (tmp_path / "_schemas").iterdir()) == ["0", "1"]
    assert grown.row("_rescued_data").names == ["id", "o", "new", "day", "_rescued_data"]
    (tmp_path / "_schemas" / "2").write_text("v1\n{}")
    with pytest.raises(InvalidState, match="_schemas/2 cannot be read"):
        log.latest()


def test_hints():
    assert split_hints("id BIGINT, `a.b`.c DECIMAL(10, 2), m MAP<STRING, STRUCT<x: INT, y: INT>>,") == [
        (["id"], "BIGINT"),
        (["a.b", "c"], "DECIMAL(10, 2)"),
        (["m"], "MAP<STRING, STRUCT<x: INT, y: INT>>"),
    ]
    with pytest.raises(TypesDoNotMerge, match="at 'id'"):
        split_hints("id, name STRING")
    columns = Columns(
        struct(id="string", o=struct(a="string"), l=Array(Atomic("string")), m=Map(Atomic("string"), Atomic("string"))),
        struct(day="string"),
    )
    hints = [
        *(
            [("ID",), Atomic("long")],
            [("o", "a"), Atomic("date")],
            [("o", "n"), Atomic("long")],
            [("l", "element"), Atomic("long")],
        ),
        *([("m", "value"), Atomic("double")], [("day",), Atomic("date")], [("new",), Atomic("boolean")]),
    ]
    assert with_hints(columns, [(list(path), kind) for path, kind in hints]) == Columns(  # type: ignore[misc,has-type]
        struct(
            id="long",
            o=struct(a="date", n="long"),
            l=Array(Atomic("long")),
            m=Map(Atomic("string"), Atomic("double")),
            new="boolean",
        ),
        struct(day="date"),
    )
