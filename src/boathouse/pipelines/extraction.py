"""The process that reads the source of an ingestion pipeline. It alone imports dlt, whose module name is the older pipelines' too."""

import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from boathouse.catalog.open_connection import OpenConnection
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.ingest.connectors.api import (
    Connector,
    Definition,
    Extraction,
    Landed,
    Landing,
    Reader,
    Stopped,
    TableObject,
    parse_definition,
    told,
)
from boathouse.kit.wire import Wire, read_assignment
from boathouse.pipelines.errors import SpecInvalid
from boathouse.pipelines.events import Event, Level, UpdateState, update_progress
from boathouse.pipelines.running.remembered import Remembered


def main() -> NoReturn:
    """Read the source of the assignment on standard input."""
    assignment = read_assignment()
    wire = Wire(int(assignment["descriptor"]))
    # Neither files of this machine's user nor anything of the working folder are dlt's settings, and it tells nobody.
    folder = str(assignment["folder"])
    os.chdir(folder)
    os.environ.update(
        HOME=folder, DLT_DATA_DIR=folder, TMPDIR=folder, RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="ERROR"
    )
    logging.captureWarnings(capture=True)
    wire.listen()
    try:
        _Process(assignment, wire).run()
    except Stopped:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the update has failed with it
        if assignment.get("release"):
            wire.send(left=told(error))
        elif assignment.get("confirm"):
            # The rows are in their tables: the next update lets the source know.
            traceback.print_exc()
        else:
            wire.send(event=update_progress(str(assignment["update_id"]), UpdateState.FAILED, error=error).to_json())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Process:
    """One run of this process."""

    def __init__(self, assignment: Mapping[str, Any], wire: Wire) -> None:
        self._assignment = assignment
        self._wire = wire
        source = assignment["source"]
        self._connection = OpenConnection(**source["connection"])
        self._definition = parse_definition(source["definition"])
        self._options: Mapping[str, Any] = assignment["options"]
        self._remembered = Remembered(wire, dict(assignment["remembered"]))
        landing = Landing(
            assignment["base_url"],
            assignment["token"],
            catalog=assignment["catalog"],
            schema=assignment["schema"],
            pipeline_id=assignment["pipeline_id"],
            scratch=Path(assignment["folder"]),
        )
        self._extraction = Extraction(landing, self._remembered, wire.stopping, self._is_anew)

    def run(self) -> None:
        """Bring what is new, and tell the server."""
        reader = self._reader()
        try:
            if self._assignment.get("release"):
                reader.release()
                self._wire.send(left=None)
            elif self._assignment.get("confirm"):
                reader.confirm()
            else:
                self._read(reader)
        finally:
            reader.close()

    def _reader(self) -> Reader:
        # Heavy, and only this process may have what they import.
        if self._connection.type == "HTTP":
            from boathouse.ingest.connectors.rest import RestReader  # noqa: PLC0415

            return RestReader(self._connection, self._assignment["source"]["rest_api"], self._extraction)
        if self._definition.connector is Connector.CDC:
            from boathouse.ingest.connectors.changes import ChangeReader  # noqa: PLC0415

            return ChangeReader(self._connection, self._definition, self._extraction, self._assignment["pipeline_id"])
        from boathouse.ingest.connectors.reader import DatabaseReader  # noqa: PLC0415

        return DatabaseReader(self._connection, self._definition, self._extraction)

    def _read(self, reader: Reader) -> None:
        objects = self._expanded(reader, self._definition)
        if self._options.get("validate_only"):
            for one in objects:
                reader.check(one)
            self._tell(update_progress(str(self._assignment["update_id"]), UpdateState.COMPLETED))
            return
        self._extraction.landing.prepare()
        reader.begin(objects)
        tables, failed = self._read_each(reader, [one for one in objects if self._is_chosen(one.destination)])
        if failed and not tables:
            raise next(iter(failed.values()))
        if not tables:
            self._tell(update_progress(str(self._assignment["update_id"]), UpdateState.COMPLETED))
            return
        messages = {name: told(error) for name, error in failed.items()}
        landed = {"tables": [one.to_json() for one in tables], "failed": messages, "confirm": reader.confirms}
        self._wire.send(landed=landed)

    def _read_each(self, reader: Reader, objects: Sequence[TableObject]) -> tuple[list[Landed], dict[str, Exception]]:
        """The tables that have landed, and why others have not."""
        tables: list[Landed] = []
        failed: dict[str, Exception] = {}
        for one in objects:
            try:
                table = reader.read(one)
            except Stopped:
                raise
            except Exception as error:  # noqa: BLE001 - of one table; the others go on
                failed[one.destination] = error
                self._progress(one, "FAILED", told(error), level=Level.ERROR)
                continue
            if table.columns:
                tables.append(table)
            told_rows = f"{table.rows} rows of {one.source} have landed. {table.notice}".rstrip()
            self._progress(one, "COMPLETED", told_rows, table.rows, Level.WARN if table.notice else Level.INFO)
        return tables, failed

    def _expanded(self, reader: Reader, definition: Definition) -> list[TableObject]:
        """The tables, those of whole schemas among them."""
        found: dict[str, TableObject] = {}
        named = {one.source.lower() for one in definition.objects if one.source_table}
        for one in definition.objects:
            if one.source_table:
                found[one.destination] = one
                continue
            for table in reader.tables(one.source_schema):
                if one.of(table).source.lower() not in named:
                    found.setdefault(one.of(table).destination, one.of(table))
        for field in ("refresh_selection", "full_refresh_selection"):
            for name in self._options.get(field, ()):
                if self._full(name) not in found:
                    raise SpecInvalid(field, f"names {name}, which is no table of this pipeline. It has: {', '.join(found)}.")
        return list(found.values())

    def _full(self, name: str) -> str:
        parts = parts_of(name)
        before = (self._assignment["catalog"], self._assignment["schema"])[: max(0, 3 - len(parts))]
        return ".".join([*before, *parts]).lower()

    def _is_anew(self, destination: str) -> bool:
        names = {self._full(name) for name in self._options.get("full_refresh_selection", ())}
        return bool(self._options.get("full_refresh")) or destination in names

    def _is_chosen(self, destination: str) -> bool:
        fields = ("refresh_selection", "full_refresh_selection")
        names = {self._full(name) for field in fields for name in self._options.get(field, ())}
        return not names or destination in names

    def _progress(
        self, one: TableObject, status: str, message: str, rows: int | None = None, level: Level = Level.INFO
    ) -> None:
        details: dict[str, Any] = {"type": "INGESTION_EXTRACT", "status": status, "source": one.source}
        if rows is not None:
            details["num_output_rows"] = rows
        self._tell(Event("operation_progress", message, level, details, one.destination))

    def _tell(self, event: Event) -> None:
        self._wire.send(event=event.to_json())


if __name__ == "__main__":
    main()
