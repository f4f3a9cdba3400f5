"""One text on its way to governed names: what stands in the place of each relation, call and constant in it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.forms.grouped_calls import by_number
from boathouse.engine.gateway.names import table_functions
from boathouse.engine.gateway.names.pruning import comparisons
from boathouse.engine.gateway.names.references import Reader, References
from boathouse.engine.gateway.sql.constants import constant_edits, group_of
from boathouse.engine.gateway.sql.relations import CallUse, RelationUse, find_uses, starts_alias
from boathouse.engine.gateway.sql.select_items import standing
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Token, after_parentheses, literal, quote, read_name

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.resolver import Resolver

_GROUP_CHECKS = frozenset({"is_account_group_member", "is_member"})


class GovernedText:
    """A text, and who reads it."""

    def __init__(
        self,
        resolver: "Resolver",
        sql: str,
        tokens: Sequence[Token],
        reader: Reader,
        references: References | None,
        parameters: Mapping[str, str],
        *,
        fragment: bool,
        aggregated: bool = False,
    ) -> None:
        self._resolver = resolver
        self._functions = resolver.functions
        self._aggregated = aggregated
        self._sql = sql
        self._tokens = list(tokens)
        self._reader = reader
        self._references = references
        self._parameters = parameters
        self._uses = find_uses(self._tokens, sql, fragment=fragment)
        self._leaves: list[Edit] = []
        self._unnamed: set[tuple[int, int]] = set()
        self._prefixes: dict[tuple[str, ...], str] = {}

    def text(self) -> str:
        """The whole text, changed."""
        changed = self._collect()
        return self._render(0, len(self._sql), changed)

    def edits(self) -> list[Edit]:
        """The changes, none inside another."""
        return self._collect()

    def _collect(self) -> list[Edit]:
        for use in self._uses.relations:
            self._relation(use)
        self._names()
        self._leaves += constant_edits(self._tokens, self._functions.constant)
        served = [edit for call in self._uses.calls if self._resolver.serves(call) for edit in self._served(call)]
        served += by_number(self._tokens, self._uses.calls, lambda call: self._functions.is_guest(call.name, self._reader))
        self._leaves = [leaf for leaf in self._leaves if not any(one.start <= leaf.start < one.end for one in served)]
        leaves = sorted([*self._leaves, *served], key=lambda edit: edit.start)
        calls: list[Edit] = []
        for call in reversed(self._uses.calls):
            if any(one.start <= call.start < one.end for one in served):
                continue
            # Inner calls come after outer ones: those are done first and become part of the outer one's arguments.
            edit = self._call(call, [*leaves, *calls])
            if edit is not None:
                calls = [one for one in calls if not (edit.start <= one.start and one.end <= edit.end)]
                calls.append(edit)
        leaves = [leaf for leaf in leaves if not any(one.start <= leaf.start and leaf.end <= one.end for one in calls)]
        return self._named([*leaves, *calls])

    def _named(self, edits: list[Edit]) -> list[Edit]:
        """The changes, and columns that ask endpoints named as they are written, and not as what stands in their place."""
        for start, end in self._unnamed:
            if any(one.start < end < one.end for one in edits):
                continue
            name = f" AS {quote([' '.join(self._sql[start:end].split())])}"
            last = next((one for one in edits if one.end == end), Edit(end, end, ""))
            edits = [*(one for one in edits if one is not last), Edit(last.start, end, last.text + name)]
        return edits

    def _render(self, start: int, end: int, edits: Sequence[Edit]) -> str:
        pieces: list[str] = []
        at = start
        for edit in sorted(edits, key=lambda one: one.start):
            if start <= edit.start and edit.end <= end:
                pieces += [self._sql[at : edit.start], edit.text]
                at = edit.end
        return "".join([*pieces, self._sql[at:end]])

    def _relation(self, use: RelationUse) -> None:
        if use.expression is not None:
            if use.name[0] != use.expression:
                # The engine compares these names with their case.
                alias = "" if use.has_alias else f" AS {quote([use.name[0]])}"
                self._leaves.append(Edit(use.start, use.end, quote([use.expression]) + alias))
            return
        if self._reader.is_asker and len(use.name) == 2 and "/" in use.name[1]:
            return
        # A name that is a parameter is no column.
        compared = () if self._parameters else comparisons(self._tokens, use)
        named = self._reader.named(use.name)
        key = (tuple(part.lower() for part in named), use.moment, self._reader.principal.id, compared)
        name = self._references.known(key) if self._references is not None else None
        if name is None:
            relation = self._resolver.relation(use.name, use.moment, self._reader, compared=compared)
            if relation is None:
                return
            if self._references is None:
                if relation.WhichOneof("rel_type") == "read" and use.moment is None and self._reader.is_asker:
                    return
                message = f"{'.'.join(use.name)} cannot be read in an expression here; read it in a query of its own."
                raise StatementRefused(message)
            name = self._references.add(key, relation)
            self._resolver.note(name, relation)
        alias = "" if use.has_alias else f" AS {quote([use.name[-1]])}"
        self._leaves.extend(self._reference(use, f"`{name}`", alias))
        if not use.has_alias and len(use.name) > 1:
            self._prefixes[tuple(part.lower() for part in use.name)] = use.name[-1]

    def _reference(self, use: RelationUse, name: str, alias: str) -> list[Edit]:
        """A reference in the place of a name; its alias stands where the engine reads one."""
        after = next((number for number, token in enumerate(self._tokens) if token.start >= use.clause_end), len(self._tokens))
        following = self._tokens[after] if alias and after < len(self._tokens) else None
        if following is not None and following.is_word("PIVOT", "UNPIVOT"):
            alias = ""
        elif following is not None and following.is_word("TABLESAMPLE"):
            end = after_parentheses(self._tokens, after + 1)
            if end < len(self._tokens) and self._tokens[end].is_word("REPEATABLE"):
                end = after_parentheses(self._tokens, end + 1)
            is_named = end < len(self._tokens) and starts_alias(self._tokens[end])
            at = self._tokens[end - 1].end
            return [Edit(use.start, use.clause_end, name), *([] if is_named else [Edit(at, at, alias)])]
        return [Edit(use.start, use.clause_end, name + alias)]

    def _names(self) -> None:
        """Columns with the whole name of their table before them, and parameters."""
        if not self._prefixes and not self._parameters:
            return
        spans = [(use.start, use.clause_end) for use in self._uses.relations]
        at = 0
        while at < len(self._tokens):
            parts, end = read_name(self._tokens, at)
            if not parts:
                at += 1
                continue
            first, last = self._tokens[at], self._tokens[end - 1]
            called = end < len(self._tokens) and self._tokens[end].is_mark("(")
            if not called and not any(start <= first.start < stop for start, stop in spans):
                self._name(parts, at, first, last)
            at = end

    def _name(self, parts: list[str], at: int, first: Token, last: Token) -> None:
        lower = tuple(part.lower() for part in parts)
        if len(parts) == 1:
            after_as = at > 0 and self._tokens[at - 1].is_word("AS")
            if lower[0] in self._parameters and not after_as:
                self._leaves.append(Edit(first.start, last.end, self._parameters[lower[0]]))
            return
        for length in (3, 2):
            alias = self._prefixes.get(lower[:length])
            if alias is not None and len(parts) > length:
                stop = self._tokens[at + 2 * (length - 1)].end
                self._leaves.append(Edit(first.start, stop, quote([alias])))
                return

    def _call(self, call: CallUse, edits: Sequence[Edit]) -> Edit | None:
        """What stands in the place of a call, or None where the engine knows the function."""
        if len(call.name) == 1 and call.name[0].lower() in _GROUP_CHECKS:
            return Edit(call.start, call.end, str(self._functions.is_member(group_of(call, self._tokens))).upper())
        constant = self._functions.constant(call.name[0]) if len(call.name) == 1 and not call.arguments else None
        if constant is not None:
            return Edit(call.start, call.end, literal(constant))
        if self._functions.asks_endpoint(call.name, self._reader):
            arguments = [self._render(start, end, edits) for start, end in call.arguments]
            place = standing(self._tokens, call)
            if place.unnamed is not None:
                self._unnamed.add(place.unnamed)
            aggregated = self._aggregated or place.aggregated
            return Edit(call.start, call.end, self._functions.ask_endpoint(call.name[0], arguments, aggregated=aggregated))
        function = self._functions.named(call.name, self._reader)
        if function is None:
            self._functions.require_engines(call.name, self._reader)
            return None
        arguments = [self._render(start, end, edits) for start, end in call.arguments]
        if self._references is None:
            message = f"{function.full_name} cannot be called in an expression here; call it in a query."
            raise StatementRefused(message)
        if not function.is_table:
            return Edit(call.start, call.end, self._functions.expression(function, arguments, self._reader, self._references))
        if not call.is_relation:
            message = f"{function.full_name} answers a table: call it after FROM."
            raise StatementRefused(message)
        relation = self._functions.table_function(function, arguments, self._reader)
        name = self._references.add((function.full_name, tuple(arguments)), relation)
        alias = "" if call.has_alias else f" AS {quote([function.name])}"
        return Edit(call.start, call.end, f"`{name}`{alias}")

    def _served(self, call: CallUse) -> list[Edit]:
        """A table function of the server's, and the stars beside it, which leave out hidden columns."""
        function = call.name[0].lower()
        if self._references is None:
            message = f"{function} cannot be read in an expression here; read it in a query of its own."
            raise StatementRefused(message)
        texts = [self._sql[start:end] for start, end in call.arguments]
        hidden = table_functions.hidden_names(self._tokens)
        relation, shown = self._resolver.served(function, texts, self._reader, hidden)
        name = self._references.add((function, *texts, *sorted(hidden)), relation)
        alias = "" if call.has_alias else f" AS {quote([function])}"
        stars = table_functions.stars_beside(self._tokens, call.start, shown) if hidden else []
        return [Edit(call.start, call.end, f"`{name}`{alias}"), *stars]
