"""From names to relations that hold just what may be read: tables by path, views as their queries, row filters and masks applied.

The engine is never asked to govern. A name in a plan is replaced by a reference to a relation that was built here, with the
privileges of who reads: the asker, or inside a view or function its owner. What a policy hides is cut off before anything of
the asker's own is evaluated.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from boathouse.catalog.api import (
    Policy,
    PolicyInTheWay,
    Privilege,
    SecurableNotFound,
    SecurableType,
    TableInfo,
)
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.catalog_memory import PresentCatalog
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.effects import Effects
from boathouse.engine.gateway.forms.colon_paths import PATH, with_variants
from boathouse.engine.gateway.forms.day_frames import HAS_FRAME, types_of, with_day_frames
from boathouse.engine.gateway.forms.spelling import spell
from boathouse.engine.gateway.messages.protocol import empty_answer, local_relation, proto
from boathouse.engine.gateway.messages.spark_types import Struct
from boathouse.engine.gateway.names import table_functions
from boathouse.engine.gateway.names.functions import Functions
from boathouse.engine.gateway.names.governed_text import GovernedText
from boathouse.engine.gateway.names.pruning import Comparison, beside
from boathouse.engine.gateway.names.references import Reader, References
from boathouse.engine.gateway.names.shared_engine import SharedEngine
from boathouse.engine.gateway.paths.time_travel import version_of
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.relations import CallUse, Moment
from boathouse.engine.gateway.sql.statements import Edit, is_path_at
from boathouse.engine.gateway.sql.tokens import Token, quote, tokenize
from boathouse.iam.api import Principal
from boathouse.storage.paths import from_url
from boathouse.tables.api import Bound, forget_checkpoint_hint, last_version, names_at, require_sound, require_version


class Resolver:
    """Resolves the names of one request.

    Args:
        access: The catalog.
        principal: Who asks.
        session: The session of the request.
        numbers: Numbers that are unique in the request.
        effects: Is told which temporary views are read.

    Attributes:
        reads: The tables and views that were read, by full name.
        files: By the name of a reference that holds a table's files, the full name of the table.
        declares: Whether the client only declares a query: then its names are checked, and no rows are made for it.
        paths: What table functions have read, by its real path.
        functions: What the calls in its texts mean.
    """

    def __init__(
        self,
        access: CatalogAccess,
        principal: Principal,
        session: EngineSession,
        numbers: Iterator[int],
        effects: Effects,
    ) -> None:
        self._access = access
        self._principal = principal
        self._session = session
        self._numbers = numbers
        self._effects = effects
        self._asker = Reader(principal, is_asker=True)
        self.reads: dict[str, TableInfo] = {}
        self.files: dict[str, str] = {}
        self.declares = False
        self.paths: list[str] = []
        self._paths: dict[str, str] = {}
        self.functions = Functions(access, lambda: self._catalog, principal, session, numbers, effects, self.govern)
        self.rows_of: Callable[[TableInfo], Any | None] = lambda _: None
        """What stands for all of a table's files: where only some of its rows are to be read, still under its policies."""

    @cached_property
    def _catalog(self) -> PresentCatalog:
        return self._access.memory.at_present()

    # --------------------------------------------------------------------------------------------------------- texts

    def edits(
        self,
        sql: str,
        tokens: Sequence[Token],
        references: References | None,
        *,
        fragment: bool = False,
        aggregated: bool = False,
    ) -> list[Edit]:
        """How the asker's own text has to be changed so that its names are governed.

        Args:
            sql: The text.
            tokens: Its tokens.
            references: Where relations can be added; None where the protocol has no place for them.
            fragment: Whether the text is an expression and not a statement.
            aggregated: Whether such an expression stands in an aggregation.
        """
        text = GovernedText(self, sql, tokens, self._asker, references, {}, fragment=fragment, aggregated=aggregated)
        return text.edits()

    def govern(
        self,
        sql: str,
        reader: Reader,
        references: References,
        parameters: Mapping[str, str] | None = None,
        *,
        fragment: bool = False,
    ) -> str:
        """The text of a view or function with governed names, and with arguments for its parameters.

        Args:
            sql: The text.
            reader: Whose privileges count in it.
            references: Where the relations that it reads are added.
            parameters: What stands for its parameters, by their names in lower case.
            fragment: Whether it is an expression and not a query.

        Raises:
            StatementRefused: If it reads a path.
        """
        if not self._session.capabilities.reads_all_forms:
            sql = spell(sql, lambda text: self._schema_of(text, reader, parameters))
        tokens = tokenize(sql)
        path = next((index for index in range(len(tokens)) if is_path_at(tokens, index)), None)
        if path is not None:
            # Nobody's rights to it were looked at, and the engine would open it for whoever reads.
            message = f"{tokens[path].raw} is a path: a view or function reads tables and views of the catalog."
            raise StatementRefused(message)
        if self._session.capabilities.is_shared:
            SharedEngine(self._session.engine, reader.principal).check_text(sql, tokens)
        return self.spelled(GovernedText(self, sql, tokens, reader, references, parameters or {}, fragment=fragment).text())

    def _schema_of(self, text: str, reader: Reader, parameters: Mapping[str, str] | None) -> Struct | None:
        """What a query gives that stands in the text of a view or function."""
        references = References(self._numbers)
        relation = proto().Relation()
        relation.sql.query = self.govern(text, reader, references, parameters)
        references.wrap(relation)
        return self._session.struct(relation)

    def spelled(self, sql: str) -> str:
        """A text whose names are governed, with its windows and its paths into variants as the engine has to have them."""
        if self._session.capabilities.reads_all_forms or (HAS_FRAME.search(sql) is None and PATH not in sql):
            return sql
        types = types_of(table.columns for table in self.reads.values())
        return with_day_frames(with_variants(sql, types), types)

    # ----------------------------------------------------------------------------------------------------- relations

    def relation(
        self,
        name: Sequence[str],
        moment: Moment | None = None,
        reader: Reader | None = None,
        options: Mapping[str, str] | None = None,
        compared: Sequence[Comparison] = (),
    ) -> Any | None:
        """What may be read under a name; None where the engine knows it better (temporary views, other formats) or nobody.

        Raises:
            PermissionDenied: If the reader may not read it.
            SecurableNotFound: If there is nothing of this name, and it can be no temporary view's.
        """
        reader = reader or self._asker
        full = self._session.qualify(tuple(name)) if reader.is_asker else reader.named(tuple(name))
        if not reader.is_asker and len(full or ()) != 3:
            raise SecurableNotFound(SecurableType.TABLE, ".".join(name))
        if full is None or len(full) != 3 or (reader.is_asker and len(name) == 2 and "/" in name[1]):
            return None
        if len(name) == 1 and reader.is_asker and self._session.is_temporary(name[0]):
            self._effects.temporary.add(name[0].lower())
            return None
        virtual = self._virtual(reader.principal, full)
        if virtual is not None:
            return virtual
        table = self._catalog.readable(reader.principal, ".".join(full))
        if table is None:
            if reader.is_asker and len(name) < 3:
                return None
            raise SecurableNotFound(SecurableType.TABLE, ".".join(full))
        self.reads[table.full_name] = table
        if table.is_view:
            return self._view(table, moment, reader)
        version = self._version(table, moment)
        if table.has_policy:
            return self._protected(table, version, reader, compared)
        if reader.is_asker and table.data_source_format != "DELTA":
            return None
        return self._files(table, version, options or {})

    def _version(self, table: TableInfo, moment: Moment | None) -> int | None:
        """The version of a table at a moment, if it is to be read as of one; a table whose last commit is damaged is not read."""
        if table.data_source_format == "DELTA":
            require_sound(table.storage_location)
        elif moment is not None:
            message = f"{table.full_name} is a {table.data_source_format} table: only Delta tables can be read as of a version or time."
            raise StatementRefused(message)
        if moment is not None:
            version = version_of(moment, table.storage_location, self._session)
        else:
            version = self._session.reading.fixed.get(table.full_name)
        if version is not None:
            self._session.reading.note(table.full_name, require_version(table.storage_location, version))
        return version

    def stream(self, table: TableInfo, name: Sequence[str], options: Mapping[str, str]) -> Any | None:
        """A Delta table as a stream of its files, under its policies."""

        def files(one: TableInfo) -> Any | None:
            if one.full_name != table.full_name:
                return None
            relation = self.files_of(one.full_name, from_url(one.storage_location))
            relation.read.is_streaming = True
            relation.read.data_source.options.update(options)
            return relation

        before, self.rows_of = self.rows_of, files
        try:
            return self.relation(name)
        finally:
            self.rows_of = before

    def _virtual(self, principal: Principal, full: Sequence[str]) -> Any | None:
        """A relation without files."""
        if self.declares:
            return empty_answer() if self._access.is_virtual(principal, full) else None
        rows = self._access.virtual(principal, full)
        return None if rows is None else local_relation(rows)

    def exists(self, full: Sequence[str]) -> bool:
        """Whether the asker may read a relation of this full name.

        Raises:
            PermissionDenied: If it is there and may not be read.
        """
        if self._access.is_virtual(self._principal, full):
            return True
        table = self._access.table(self._principal, ".".join(full), Privilege.SELECT)
        if table is not None:
            self.reads[table.full_name] = table
        return table is not None

    def _view(self, view: TableInfo, moment: Moment | None, reader: Reader) -> Any:
        if moment is not None:
            message = f"{view.full_name} is a view: only tables can be read as of a version or time."
            raise StatementRefused(message)
        inner = reader.inside(self._catalog.owner(view.owner), "View", view.full_name)
        references = References(self._numbers)
        relation = proto().Relation()
        relation.sql.query = self.govern(view.view_definition or "", inner, references)
        references.wrap(relation)
        return relation

    def _protected(self, table: TableInfo, version: int | None, reader: Reader, compared: Sequence[Comparison]) -> Any:
        references = References(self._numbers)
        files = self._files(table, version, {})
        source = references.add("files", files)
        self.note(source, files)
        bound: list[str] = []
        columns = {column["name"].lower(): column for column in table.columns}

        gone = sorted(name for name in table.column_masks if name.lower() not in columns)
        if gone:
            message = f"{table.full_name} has a mask on {', '.join(gone)}, which it does not have. ALTER TABLE ... DROP MASK takes it off."
            raise StatementRefused(message)

        # Of another version only what the table still has is shown, under the name that it had then: no policy speaks of the rest.
        here = {str(column["name"]): name for name, column in columns.items()}
        names = here
        if version is not None and version != last_version(table.storage_location):
            names = {
                old: name.lower() for old, name in names_at(table.storage_location, version).items() if name.lower() in columns
            }
        then = {name: old for old, name in names.items()}

        def argument(text: str) -> str:
            column = columns.get(text.lower())
            if column is None:
                return text
            was = f"CAST(NULL AS {column['type_text']})" if text.lower() not in then else quote([then[text.lower()]])
            bound.append(f"{was} AS `__bha{len(bound)}`")
            return f"`__bha{len(bound) - 1}`"

        def call(policy: Policy, *first: str) -> str:
            function = self._catalog.function(None, policy.function_name)
            if function is None:
                raise SecurableNotFound(SecurableType.FUNCTION, policy.function_name)
            arguments = [argument(text) for text in (*first, *policy.using)]
            return self.functions.expression(function, arguments, reader, references)

        masks = {name.lower(): call(policy, name) for name, policy in table.column_masks.items()}
        condition = call(table.row_filter) if table.row_filter is not None else "TRUE"
        shown = [
            f"CAST({masks[name]} AS {columns[name]['type_text']}) AS {quote([old])}" if name in masks else quote([old])
            for old, name in names.items()
        ]
        inner = ", ".join(["*", *bound])
        # The asker's comparisons are of names of then, and whether a column has a mask is known of those of now.
        condition = " AND ".join([f"({condition})", *(beside(table, compared) if names == here else ())])
        relation = proto().Relation()
        # An error in the asker's expression must not tell of a row that the filter hides.
        before, after = self._session.capabilities.barrier
        relation.sql.query = (
            f"{before}SELECT {', '.join(shown)} FROM (SELECT {inner} FROM `{source}`) AS `__bhs` WHERE {condition}{after}"  # noqa: S608 - names are quoted
        )
        references.wrap(relation)
        return relation

    def _files(self, table: TableInfo, version: int | None, options: Mapping[str, str]) -> Any:
        """A table's files as a relation."""
        instead = self.rows_of(table)
        if instead is not None:
            return instead
        relation = self.files_of(table.full_name, from_url(table.storage_location), table.data_source_format.lower())
        source = relation.read.data_source
        source.options.update(options)
        if version is not None:
            source.options["versionAsOf"] = str(version)
            forget_checkpoint_hint(table.storage_location)
        elif self._session.fixes_versions and source.format == "delta":
            newest = last_version(table.storage_location)
            source.options["versionAsOf"] = str(newest)
            self._session.reading.note(table.full_name, newest)
        return relation

    def files_of(self, name: str, folder: Path, source: str = "delta") -> Any:
        """The files of a table as a relation; its name is what lineage calls it."""
        relation = proto().Relation()
        relation.read.data_source.format = source
        relation.read.data_source.paths.append(str(folder))
        self._paths[str(folder)] = name
        return relation

    def note(self, reference: str, relation: Any) -> None:
        """Remember under which name a table's files are known in the plan."""
        if relation.WhichOneof("rel_type") == "read" and relation.read.data_source.paths:
            table = self._paths.get(relation.read.data_source.paths[0])
            if table is not None:
                self.files[reference] = table

    def changes(self, name: Sequence[str], start: Bound, end: Bound | None, reader: Reader | None = None) -> Any:
        """The change data feed of a table between two versions or moments as a relation.

        Raises:
            SecurableNotFound: If there is no such table.
            PolicyInTheWay: If a policy hides a part of it from the reader.
            DeltaRefused: If the feed was off, or the bounds are not valid.
        """
        reader = reader or self._asker
        full = self._session.qualify(tuple(name)) if reader.is_asker else tuple(name)
        table = None if full is None else self._access.table(reader.principal, ".".join(full), Privilege.SELECT)
        if table is None:
            raise SecurableNotFound(SecurableType.TABLE, ".".join(full or name))
        if table.is_view:
            raise PolicyInTheWay(table.full_name)
        self._access.require_whole(reader.principal, table)
        self.reads[table.full_name] = table
        if self.declares:
            return empty_answer()
        return table_functions.change_feed(self._session, self._access, table.storage_location, start, end)

    def serves(self, call: CallUse) -> bool:
        """Whether a call is one of a table function of the server's."""
        return (
            call.is_relation
            and len(call.name) == 1
            and call.name[0].lower() in {table_functions.TABLE_CHANGES, *self._access.functions}
        )

    def served(self, name: str, texts: Sequence[str], reader: Reader, hidden: frozenset[str]) -> tuple[Any, tuple[str, ...]]:
        """The relation of a call of a table function of the server's, and the columns of it that are not hidden."""
        arguments = table_functions.read_arguments(name, texts, self._session, self.full_name)
        if name == table_functions.TABLE_CHANGES:
            return self.changes(*table_functions.bounds_of(arguments), reader), ()
        if self.declares:
            return empty_answer(), ()
        return self.called(name, arguments, reader, hidden)

    def called(
        self, name: str, arguments: Sequence[table_functions.Argument], reader: Reader, hidden: frozenset[str] = frozenset()
    ) -> tuple[Any, tuple[str, ...]]:
        """The relation of a table function of the server's with these arguments, and the columns of it that are not hidden."""
        answer = self._access.functions[name](
            arguments, table_functions.CallContext(reader.principal, self._access, self._session, hidden)
        )
        self.paths.extend(answer.paths)
        return answer.relation, answer.columns

    def full_name(self, name: Sequence[str]) -> str:
        """A table's name in three parts."""
        return ".".join(self._session.qualify(list(name)) or name)
