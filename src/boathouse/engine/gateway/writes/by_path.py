"""Commands for engines that do not know the catalog: what they write is named by its path, or they do not get it."""

from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.statements import CreateTable, Edit, Statement, apply, parse, without_clustering
from boathouse.engine.gateway.sql.tokens import Token, quote, read_name
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.engine.gateway.writes.delta_target import DeltaTarget

_CHANGING = ("INSERT", "MERGE", "UPDATE", "DELETE", "CREATE", "REPLACE", "TRUNCATE", "COPY", "WITH")


def path_text(statement: Statement, create: CreateTable, path: str) -> str:
    """CREATE TABLE with columns as a statement on the table at a path."""
    edits = [Edit(0, create.name_end, f"CREATE OR REPLACE TABLE delta.{quote([path])}")]
    if create.using is None:
        at = create.columns_end or create.name_end
        edits.append(Edit(at, at, " USING delta"))
    if create.location is not None:
        edits.append(Edit(create.location_start, create.location.end, ""))
    return apply(statement.sql, [*edits, *without_clustering(create)])


def target_text(statement: Statement, target: DeltaTarget) -> str:
    """UPDATE, DELETE or MERGE with the path of its target in the place of the name."""
    tokens = list(statement.tokens)
    name = statement.targets[0]
    at = _target_at(tokens)
    parts, end = read_name(tokens, at)
    if tuple(parts) != name:
        return statement.sql
    following = tokens[end] if end < len(tokens) else None
    has_alias = following is not None and following.is_identifier and not following.is_word("SET", "WHERE", "USING")
    alias = "" if has_alias else f" AS {quote([name[-1]])}"
    edits = [Edit(tokens[at].start, tokens[end - 1].end, f"delta.{quote([str(target.folder)])}{alias}")]
    if not has_alias and len(name) > 1:
        edits += shortened(tokens[end:], name)
    return apply(statement.sql, edits)


def _target_at(tokens: list[Token]) -> int:
    """The index of the first token of the name."""
    for index, token in enumerate(tokens):
        if token.is_word("UPDATE") or (token.is_word("INTO") and tokens[0].is_word("MERGE")):
            return index + 1
        if token.is_word("DELETE"):
            return index + 2
    return 0


def shortened(tokens: list[Token], name: tuple[str, ...]) -> list[Edit]:
    """Columns with the whole name of the target before them get only its last part."""
    edits: list[Edit] = []
    wanted = [part.lower() for part in name]
    at = 0
    while at < len(tokens):
        parts, end = read_name(tokens, at)
        if len(parts) > len(name) and [part.lower() for part in parts[: len(name)]] == wanted:
            edits.append(Edit(tokens[at].start, tokens[at + 2 * (len(name) - 1)].end, quote([name[-1]])))
        at = max(end, at + 1)
    return edits


def named_by_path(visit: Visit, request: Any, change: Change | None) -> Change | None:
    """Bring a command into a form that the engine can execute without knowing a name.

    Raises:
        StatementRefused: If there is no such form.
    """
    command = request.plan.command
    match command.WhichOneof("command_type"):
        case "sql_command":
            return _sql(visit, command, change)
        case "write_operation" if command.write_operation.WhichOneof("save_type") == "table":
            table = command.write_operation.table.table_name
            raise _refused(visit, f"Writing {command.write_operation.source or 'this'} to the table {table}")
        case "write_operation_v2":
            raise _refused(visit, f"Writing to the table {command.write_operation_v2.table_name}")
            return change
        case _:
            return change


def answered(command: Any, relation: Any, change: Change | None = None) -> Change:
    """Give the engine a SQL command that does nothing, and the client a relation of the gateway's."""
    command.sql_command.input.sql.query = "SELECT 1"
    done = change or Change()
    return Change(done.finish or nothing, done.undo, is_sql=True, answer=done.answer or (lambda: relation))


def _sql(visit: Visit, command: Any, change: Change | None) -> Change | None:
    given = command.sql_command.input
    node = sql_node(given)
    if node is None:
        # A statement that the gateway has answered: the engine gets one that does nothing.
        rows = proto().Relation()
        rows.CopyFrom(given)
        return answered(command, rows, change)
    statement = parse(node.query)
    if _is_temporary_view(statement):
        _create_view(visit, command, statement)
        return Change(nothing, is_sql=True)
    verb = statement.verb[:1]
    if verb and verb[0] in _CHANGING:
        create = () if statement.create is None else (statement.create.name,)
        names = [*statement.targets, *create]
        is_query = verb == ("WITH",) and not names
        if not is_query and not (names and all(is_path_name(name) for name in names)) and not _into_directory(statement):
            raise _refused(visit, " ".join(statement.verb[:2]))
    return change


def _into_directory(statement: Statement) -> bool:
    return any(token.is_word("DIRECTORY") for token in statement.tokens[:4])


def _is_temporary_view(statement: Statement) -> bool:
    words = [token.value for token in statement.tokens[:6]]
    return bool(statement.temporary_views) and "VIEW" in words and not _using(statement)


def _using(statement: Statement) -> bool:
    """Whether a view is one of files: CREATE TEMPORARY VIEW v USING json OPTIONS (...)."""
    for token in statement.tokens:
        if token.is_word("AS"):
            return False
        if token.is_word("USING"):
            return True
    return False


def _create_view(visit: Visit, command: Any, statement: Statement) -> None:
    """CREATE TEMPORARY VIEW: as one of a DataFrame, which keeps what its names meant; a text would be read anew."""
    tokens = list(statement.tokens)
    at = next(index for index, token in enumerate(tokens) if token.is_word("VIEW")) + 1
    if_missing = tokens[at].is_word("IF")
    parts, end = read_name(tokens, at + 3 if if_missing else at)
    columns: list[str] = []
    if end < len(tokens) and tokens[end].is_mark("("):
        while not tokens[end].is_mark(")"):
            end += 1
            if tokens[end].is_identifier:
                columns.append(tokens[end].identifier)
        end += 1
    if end >= len(tokens) or not tokens[end].is_word("AS"):
        raise _refused(visit, "CREATE TEMPORARY VIEW with anything but names of columns")
    if if_missing and visit.session.is_temporary(parts[-1]):
        command.sql_command.input.sql.query = "SELECT 1"
        return
    rows = proto().Relation()
    rows.CopyFrom(command.sql_command.input)
    node = sql_node(rows)
    if node is not None:
        node.query = statement.sql[tokens[end + 1].start :].rstrip().rstrip(";")
    if columns:
        renamed = proto().Relation()
        renamed.to_df.input.CopyFrom(rows)
        renamed.to_df.column_names.extend(columns)
        rows = renamed
    view = proto().CreateDataFrameViewCommand(name=parts[-1], replace=tokens[1].is_word("OR"))
    view.input.CopyFrom(rows)
    command.create_dataframe_view.CopyFrom(view)


def _refused(visit: Visit, what: str) -> StatementRefused:
    return StatementRefused(
        f"{what} is not supported with {visit.session.capabilities.name} as the engine: only Delta tables of the catalog, and "
        "paths, are written there."
    )
