"""MERGE, UPDATE and DELETE: values made to fit, columns added where that is asked, done again when their commit loses."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote as quote_path

from grpc.aio import AioRpcError

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import empty_answer, proto, sql_node
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, has_variant
from boathouse.engine.gateway.names.references import References
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.statements import Edit, Statement, apply, parse
from boathouse.engine.gateway.sql.tokens import Token, parts_of, quote, read_name, tokenize
from boathouse.engine.gateway.writes.assignments import Action, Assigned, Side, pairs_of, rewritten, side_of, top_level
from boathouse.engine.gateway.writes.by_path import shortened, target_text
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.engine.gateway.writes.counts import counted
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.evolution import evolve
from boathouse.engine.gateway.writes.frame_writes import require_readable
from boathouse.engine.gateway.writes.hidden_change import Said, change_hidden, next_value
from boathouse.engine.gateway.writes.insert_command import insert_target
from boathouse.engine.gateway.writes.kept_sources import KeptSource
from boathouse.engine.gateway.writes.merge_duplicates import Pairs, clauses_of
from boathouse.engine.gateway.writes.retry import Retry
from boathouse.engine.gateway.writes.rows_apart import has_rules
from boathouse.engine.write_errors import SEVERAL_ROWS, WriteRefused
from boathouse.tables.api import State


def change_rows(visit: Visit, command: Any, statement: Statement) -> Change | None:
    """SQL's MERGE, UPDATE and DELETE; None where they are not for a Delta table."""
    if not statement.targets:
        return None
    target = insert_target(visit, statement.targets[0])
    if target is None:
        return None
    require_readable(visit, target)
    before = target
    work = _Rewrite(visit, command, statement, target)
    if statement.verb[:1] == ("MERGE",):
        target = work.merge(target)
    elif statement.verb[:1] == ("UPDATE",):
        work.update(target)
    said = None if visit.session.capabilities.completes_changes else visit.session.user_metadata
    requires = target.requires_inside and not visit.session.capabilities.mixes_types and statement.verb[0] != "DELETE"
    if work.counters or said is not None or work.reads_itself or requires:
        return _hidden(visit, command, statement.verb[0], before, target, work, said)
    node = sql_node(command.sql_command.input)
    # The engine's client of the catalog does not read VARIANT among a table's columns.
    by_path = not visit.session.capabilities.knows_catalogs or has_variant(target.schema)
    if node is not None and by_path:
        node.query = target_text(parse(node.query), target)
    return Change(
        nothing,
        is_sql=True,
        retry=Retry(target),
        answer=lambda: counted(before, statement.verb[0]),
        queries=tuple(work.queries),
        kept=work.kept,
        otherwise=_otherwise(visit, target, work, said),
    )


def _hidden(
    visit: Visit, command: Any, verb: str, before: DeltaTarget, target: DeltaTarget, work: "_Rewrite", said: str | None
) -> Change | None:
    """What the engine's commit would not be all of: done in a hidden table, with values of identity columns after the last one."""
    asked = proto().Relation()
    asked.CopyFrom(command.sql_command.input)
    if sql_node(asked) is None:
        return None
    command.sql_command.input.CopyFrom(empty_answer())
    otherwise = _otherwise(visit, target, work, said)

    def finish() -> None:
        try:
            _change_hidden(visit, asked, target, work, work.kept, said)
        except WriteRefused as error:
            if otherwise is None or not otherwise(error):
                raise

    return Change(finish, is_sql=True, answer=lambda: counted(before, verb), queries=tuple(work.queries))


def _otherwise(visit: Visit, target: DeltaTarget, work: "_Rewrite", said: str | None) -> Callable[[WriteRefused], bool] | None:
    """Does a MERGE with several rows for one another way, where conditions may tell them apart; False if it cannot be known."""
    exact = work.exact

    def do(error: WriteRefused) -> bool:
        found = exact() if exact is not None and error.condition == SEVERAL_ROWS else None
        if found is None:
            return False
        _change_hidden(visit, found[0], target, work, found[1], said)
        return True

    return None if exact is None else do


def _change_hidden(
    visit: Visit, asked: Any, target: DeltaTarget, work: "_Rewrite", kept: KeptSource | None, said: str | None
) -> None:
    """Execute a statement in a hidden table, with the source of it computed before; blocks."""
    command = proto().Command()
    command.sql_command.input.CopyFrom(asked)
    node: Any = sql_node(command.sql_command.input)
    text = node.query

    def run(hidden: DeltaTarget, state: State) -> None:
        query = text
        for name, counter in work.counters.items():
            first, step = next_value(state, name)
            query = query.replace(counter.first, str(first)).replace(counter.step, str(step))
        node.query = target_text(parse(query), hidden)
        if kept is None:
            visit.session.run(command)
            return
        this = proto().Command()
        this.CopyFrom(command)
        with kept.there(this):
            visit.session.run(this)

    change_hidden(target, run, Said(visit.principal.name, said, tuple(work.counters)), visit.session.run)


@dataclass(frozen=True)
class _Counter:
    """What stands for the next value of an identity column, and for the step to the one after, until they are known."""

    first: str
    step: str


class _Rewrite:
    """Changes the text of one statement in place.

    Attributes:
        queries: What is assigned, as queries that the engine can explain: each column of one becomes the table's of that name.
        counters: The identity columns that inserted rows get values of, and what stands for them in the text.
        kept: The source of a MERGE, where it is computed before.
        exact: How a MERGE that the engine refuses since several rows of the source match one is made otherwise, if it can be.
        reads_itself: Whether that may read the table which is changed: then nobody else may have changed it meanwhile.
    """

    def __init__(self, visit: Visit, command: Any, statement: Statement, target: DeltaTarget) -> None:
        self._visit = visit
        self._input = command.sql_command.input
        self._asked = proto().Relation()
        self._asked.CopyFrom(self._input)
        self._target = _reference(visit, target, self._asked)
        self._sql, self._name = statement.sql, statement.targets[0]
        self.queries: list[Any] = []
        self.counters: dict[str, _Counter] = {}
        self.kept: KeptSource | None = None
        self.reads_itself = False
        self.exact: Callable[[], tuple[Any, KeptSource] | None] | None = None
        self._tokens = list(statement.tokens)

    def update(self, target: DeltaTarget) -> None:
        """``UPDATE table [AS alias] SET ... [WHERE ...]``."""
        sets = top_level(self._tokens, "SET")
        if not sets:
            return
        ends = top_level(self._tokens, "WHERE", begin=sets[0] + 1)
        end = ends[0] if ends else len(self._tokens)
        table = self._table(side_of(self._sql, self._tokens, 1, sets[0]))
        action = self._action(sets[0] + 1, end, table.text, inserts=False)
        assigned = None if action is None else rewritten(action, target, table, None, self._types, evolve=False)
        if action is not None and assigned is not None:
            self._note(action, assigned)
            self._apply([assigned.edit])

    def merge(self, target: DeltaTarget) -> DeltaTarget:
        """MERGE INTO; answers the table, with the columns that were added."""
        tokens = self._tokens
        evolves = tokens[1].is_word("WITH")
        # The engine alone would drop each NOT NULL with new columns.
        edits = [Edit(tokens[1].start, tokens[3].end, "")] if evolves else []
        into, using, on = (top_level(tokens, word) for word in ("INTO", "USING", "ON"))
        if not (into and using and on and into[0] < using[0] < on[0]):
            return target
        table = self._table(side_of(self._sql, tokens, into[0] + 1, using[0]))
        source = side_of(self._sql, tokens, using[0] + 1, on[0])
        if source is None:
            return target
        columns = self._types(["*"], source.text)
        source = replace(source, columns=columns)
        actions = [action for at in self._clauses(on[0]) if (action := self._clause(at, table, source)) is not None]
        if evolves and columns is not None:
            target = evolve(target, _new_columns(columns, actions))
        number = f"__bh_number_{uuid.uuid4().hex}"
        count = None if self._visit.session.capabilities.completes_changes else lambda name: self._count(name, source, number)
        for action in actions:
            assigned = rewritten(action, target, table, source, self._types, evolve=evolves, counted=count)
            if assigned is not None:
                self._note(action, assigned)
                edits.append(assigned.edit)
        is_apart = self._visit.session.capabilities.filters_by_rules and has_rules(target) and bool(actions)
        place = tokens[using[0] + 1 : on[0]]
        known = number if self.counters else None
        clauses = None if count is None else clauses_of(self._sql, tokens, self._clauses(on[0]), self._short)
        if clauses is not None and source.label is not None and table.alias is not None and "/" not in source.label:
            first, last = tokens[on[0] + 1], tokens[self._clauses(on[0])[0][0] - 1]
            text = self._short(self._sql[first.start : last.end])
            pairs = Pairs(clauses, text, self._target, table.alias, source.text, source.label, target.schema)
            if pairs.are_all_matched:
                edits += pairs.edits((first, last))
            elif pairs.may_be_told_apart:
                self.exact = self._exact(pairs, target, [*edits, *pairs.edits((first, last))], place, known, is_apart=is_apart)
        references = References(self._visit.numbers)
        edits += self._source(place, source, target, references, known, is_apart)
        self._apply(edits)
        references.wrap(self._input)
        return target

    def _short(self, text: str) -> str:
        """A text in which the table's columns have no more than its last name before them."""
        return apply(text, shortened(list(tokenize(text)), self._name))

    def _exact(
        self,
        pairs: Pairs,
        target: DeltaTarget,
        edits: list[Edit],
        place: Sequence[Token],
        number: str | None,
        *,
        is_apart: bool,
    ) -> Callable[[], tuple[Any, KeptSource] | None]:
        """How a MERGE is made of which the pairs are found first: with its source; None where the engine cannot find them."""
        given = proto().Relation()
        given.CopyFrom(self._input)

        def make() -> tuple[Any, KeptSource] | None:
            rows = self._query("*", pairs.found())
            try:
                self._visit.session.schema(rows)
            except AioRpcError:
                return None
            kept = KeptSource(rows, target, self._visit.session)
            references = References(self._visit.numbers)
            name = quote([references.add("pairs", kept.relation())])
            text = self._wrapped(name, pairs.label, number, is_apart=is_apart) or f"{name} AS {quote([pairs.label])}"
            node: Any = sql_node(given)
            node.query = apply(self._sql, [*edits, Edit(place[0].start, place[-1].end, text)])
            references.wrap(given)
            return given, kept

        return make

    def _source(
        self,
        tokens: Sequence[Token],
        source: Side,
        target: DeltaTarget,
        references: References,
        number: str | None,
        is_apart: bool,
    ) -> list[Edit]:
        """What takes the place of the source of a MERGE."""
        rows = self._query("*", source.text) if self._is_computed(tokens, source) else None
        text, alias = source.text, "" if source.label is None else f" AS {quote([source.label])}"
        if rows is not None:
            self.kept = KeptSource(rows, target, self._visit.session)
            self.reads_itself = self._may_read(source, target)
            text = quote([references.add("source", self.kept.relation())])
        wrapped = self._wrapped(text, source.label, number, is_apart=is_apart)
        if wrapped is None and rows is None:
            return []
        return [Edit(tokens[0].start, tokens[-1].end, wrapped or f"{text}{alias}")]

    def _wrapped(self, text: str, label: str | None, number: str | None, *, is_apart: bool) -> str | None:
        """The source of a MERGE as a query with an end of its own, and with a number in each row; None where it needs neither."""
        if number is None and not (is_apart and label and "/" not in label):
            return None
        counted = f", row_number() OVER (ORDER BY NULL) AS {quote([number])}" if number is not None else ""
        end = self._visit.session.capabilities.barrier[1] if is_apart else ""
        alias = f" AS {quote([label])}" if label is not None else ""
        return f"(SELECT *{counted} FROM {text}{end}){alias}"  # noqa: S608 - pieces of the statement itself

    def _is_computed(self, tokens: Sequence[Token], source: Side) -> bool:
        """Whether the source of a MERGE has to be computed, and can be before."""
        is_query = tokens[0].is_mark("(")
        if self._visit.session.capabilities.computes_sources_once or "/" in (source.label or ""):
            return False
        if source.label is None and not (is_query and tokens[-1].is_mark(")")):
            return False
        named = {one.subquery_alias.alias: one.subquery_alias.input for one in self._references()}
        read = None if is_query else named.get(tokens[0].identifier)
        return read is None or read.WhichOneof("rel_type") not in {"read", "local_relation"}

    def _references(self) -> Sequence[Any]:
        return self._input.with_relations.references if self._input.WhichOneof("rel_type") == "with_relations" else ()

    def _may_read(self, source: Side, target: DeltaTarget) -> bool:
        """Whether the source of a MERGE may read the table that is changed."""
        visit = self._visit
        made_of = [visit.session.names.views.get((visit.session.request.session_id, name)) for name in visit.effects.temporary]
        tables = {*visit.resolver.reads, *(name for one in made_of if one is not None for name in one.tables)}
        given = [source.text.encode(), *(one.SerializeToString() for one in self._references())]
        given += [path.encode() for one in made_of if one is not None for path in one.paths]
        folder = str(target.folder)
        paths = (folder.encode(), quote_path(folder).encode())
        return None in made_of or target.name in tables or any(path in one for path in paths for one in given)

    def _count(self, name: str, source: Side, number: str) -> str:
        """The value of an identity column of an inserted row: the first that is free, and one step on for each row of the source."""
        if source.label is None:
            message = f"MERGE that inserts into a table with the identity column {name} needs an alias of its source: USING (...) AS s."
            raise StatementRefused(message)
        counter = self.counters.setdefault(name, _Counter(f"__bh_first_{uuid.uuid4().hex}", f"__bh_step_{uuid.uuid4().hex}"))
        return f"CAST({counter.first} + {counter.step} * ({quote([source.label, number])} - 1) AS BIGINT)"

    def _clauses(self, begin: int) -> list[tuple[int, int]]:
        """Where clauses begin and end."""
        starts = top_level(self._tokens, "WHEN", begin=begin)
        return list(zip(starts, [*starts[1:], len(self._tokens)], strict=True))

    def _clause(self, place: tuple[int, int], table: Side, source: Side) -> Action | None:
        begin, end = place
        tokens = self._tokens
        then = next((at for at in top_level(tokens, "THEN", begin=begin + 1) if at < end), None)
        if then is None or then + 2 >= end:
            return None
        words = [token.value for token in tokens[begin + 1 : begin + 5]]
        both = f"{table.text} CROSS JOIN {source.text}"
        if tokens[then + 1].is_word("UPDATE") and tokens[then + 2].is_word("SET"):
            by_source = words[:4] == ["NOT", "MATCHED", "BY", "SOURCE"]
            return self._action(then + 3, end, table.text if by_source else both, inserts=False)
        if tokens[then + 1].is_word("INSERT"):
            return self._action(then + 2, end, source.text, inserts=True)
        return None

    def _action(self, begin: int, end: int, relations: str, *, inserts: bool) -> Action | None:
        tokens = self._tokens[begin:end]
        if not tokens:
            return None
        start, stop = tokens[0].start, tokens[-1].end
        if len(tokens) == 1 and tokens[0].is_mark("*"):
            return Action(inserts, start, stop, None, relations)
        pairs = self._inserted(tokens) if inserts else pairs_of(self._sql, tokens)
        return None if pairs is None else Action(inserts, start, stop, pairs, relations)

    def _inserted(self, tokens: Sequence[Token]) -> tuple[tuple[tuple[str, ...], str], ...] | None:
        """``(a, b) VALUES (1, 2)``."""
        values = next(iter(top_level(tokens, "VALUES")), None)
        if values is None or values < 2 or values + 2 >= len(tokens):
            return None
        columns = [tuple(read_name(part, 0)[0]) for part in split(list(tokens[1 : values - 1]))]
        texts = [self._sql[part[0].start : part[-1].end] for part in split(list(tokens[values + 2 : -1])) if part]
        return tuple(zip(columns, texts, strict=True)) if len(columns) == len(texts) and all(columns) else None

    def _table(self, side: Side | None) -> Side:
        """The table that is changed."""
        alias = None if side is None or "/" in (side.alias or "") else side.alias
        return Side(f"{self._target} AS {quote([alias])}" if alias is not None else self._target, alias)

    def _types(self, expressions: Sequence[str], relations: str) -> Struct | None:
        """The types of expressions; None where the engine cannot tell: then it says itself what is wrong."""
        listed = ", ".join(one if one == "*" else f"({one}) AS `c{number}`" for number, one in enumerate(expressions))
        asked = self._query(listed, relations)
        if asked is None:
            return None
        try:
            found = from_message(self._visit.session.schema(asked))
        except AioRpcError:
            return None
        return found if isinstance(found, Struct) else None

    def _query(self, listed: str, relations: str) -> Any | None:
        asked = proto().Relation()
        asked.CopyFrom(self._asked)
        node = sql_node(asked)
        if node is None:
            return None
        node.query = f"SELECT {listed} FROM {relations}"  # noqa: S608 - pieces of the statement itself
        return asked

    def _note(self, action: Action, assigned: Assigned) -> None:
        listed = ", ".join(f"({value}) AS {quote([name])}" for name, value in assigned.values)
        query = self._query(listed, action.relations) if listed else None
        if query is not None:
            self.queries.append(query)

    def _apply(self, edits: list[Edit]) -> None:
        node = sql_node(self._input)
        if node is not None and edits:
            node.query = apply(self._sql, edits)


def files_of(visit: Visit, target: DeltaTarget) -> Any:
    """The table that is changed as a relation; lineage calls one that is named by its path by that."""
    is_path = is_path_name(parts_of(target.name))
    return visit.resolver.files_of(str(target.folder) if is_path else target.name, target.folder)


def _reference(visit: Visit, target: DeltaTarget, relation: Any) -> str:
    """Make the table that is changed known inside a relation; its name there."""
    references = References(visit.numbers)
    files = files_of(visit, target)
    name = references.add("target", files)
    visit.resolver.note(name, files)
    references.wrap(relation)
    return quote([name])


def _new_columns(source: Struct, actions: Sequence[Action]) -> Struct:
    """Those columns of a source that a MERGE is to add: all for ``*``, else those that are assigned."""
    if any(action.pairs is None for action in actions):
        return source
    named = {column[-1].lower() for action in actions for column, _ in action.pairs or ()}
    return Struct(tuple(one for one in source.fields if one.name.lower() in named))
