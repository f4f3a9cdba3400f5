"""What a call in a text means: a function of the catalog's, one that the asker has registered, an endpoint, or a constant."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from boathouse.catalog.api import FEATURE_SPEC, FunctionInfo, SecurableNotFound, SecurableType
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.catalog_memory import PresentCatalog
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.effects import Effects
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.ai_query import AI_QUERY, PREDICT, call_of
from boathouse.engine.gateway.names.references import Reader, References
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.parameters import given
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.iam.api import Principal


class Govern(Protocol):
    """Puts governed names into the text of a function, and arguments in the places of its parameters."""

    def __call__(
        self,
        sql: str,
        reader: Reader,
        references: References,
        parameters: Mapping[str, str] | None = None,
        *,
        fragment: bool = False,
    ) -> str:
        """The governed text."""
        ...


class Functions:
    """The functions that one request can call.

    Args:
        access: The catalog, and the endpoints.
        present: Answers the catalog as the request sees it.
        principal: Who asks.
        session: The session of the request.
        numbers: Numbers that are unique in the request.
        effects: Is told which endpoints and model versions are asked.
        govern: Governs the texts of the catalog's functions.
    """

    def __init__(
        self,
        access: CatalogAccess,
        present: Callable[[], PresentCatalog],
        principal: Principal,
        session: EngineSession,
        numbers: Iterator[int],
        effects: Effects,
        govern: Govern,
    ) -> None:
        self._access = access
        self._present = present
        self._principal = principal
        self._session = session
        self._numbers = numbers
        self._effects = effects
        self._govern = govern

    def named(self, name: Sequence[str], reader: Reader) -> FunctionInfo | None:
        """The catalog's function of a name, or None."""
        if len(name) == 1 and reader.is_asker:
            temporary = self._session.temporary_functions.get(name[0].lower())
            if temporary is not None:
                return temporary
            self._effects.asks(*self._session.models_of(name[0]))
        if len(name) == 1 and not (reader.is_asker and self._is_catalogs(name[0])):
            return None
        full = self._session.qualify(tuple(name)) if reader.is_asker else tuple(name)
        found = None if full is None or len(full) != 3 else self._present().function(reader.principal, ".".join(full))
        if found is not None and found.language == FEATURE_SPEC:
            message = f"{found.full_name} is a feature spec: endpoints serve it, and SQL does not call it."
            raise StatementRefused(message)
        return found

    def require_engines(self, name: Sequence[str], reader: Reader) -> None:
        """Go on only if a name that is none of the catalog's can be one of the engine's functions.

        Raises:
            SecurableNotFound: If it has several parts, or the asker has registered it: texts of views and functions never mean that.
        """
        if len(name) > 1 or (not reader.is_asker and self._session.is_registered(name[0])):
            raise SecurableNotFound(SecurableType.FUNCTION, ".".join(name))

    def is_guest(self, name: Sequence[str], reader: Reader) -> bool:
        """Whether a call of a name is one of a function in Python, the session's or the catalog's, or asks an endpoint, where that matters to the engine."""
        if self._session.capabilities.reads_all_forms:
            return False
        if self.asks_endpoint(name, reader) or (len(name) == 1 and reader.is_asker and self._session.is_registered(name[0])):
            return True
        found = self.named(name, reader)
        return found is not None and found.language == "PYTHON"

    def _is_catalogs(self, name: str) -> bool:
        return name.lower() in self._present().function_names() and not self._session.is_registered(name)

    def expression(self, function: FunctionInfo, arguments: Sequence[str], reader: Reader, references: References) -> str:
        """A call of a scalar function as an expression in its place."""
        inner = reader.inside(self._present().owner(function.owner), "Function", function.full_name)
        values = given(function, arguments, lambda text: self._govern(text, inner, references, fragment=True))
        if function.language == "PYTHON":
            why = self._session.engine.refuses_python(self._present().owner(function.owner))
            if why is not None:
                raise StatementRefused(why)
            return f"{self._session.python_function(function)}({', '.join(values.values())})"
        body = self._govern(function.body, inner, references, values)
        return f"CAST(({body}) AS {function.return_type})"

    def asks_endpoint(self, name: Sequence[str], reader: Reader) -> bool:
        """Whether a call of a name asks a serving endpoint. ``predict`` may be a name of the user's, and is that then."""
        if (
            len(name) != 1
            or name[0].lower() not in {AI_QUERY, PREDICT}
            or (reader.is_asker and self._session.is_registered(name[0]))
        ):
            return False
        return name[0].lower() == AI_QUERY or self.named(name, reader) is None

    def ask_endpoint(self, name: str, arguments: Sequence[str], *, aggregated: bool) -> str:
        """A call of a serving endpoint as an expression in its place; in views and functions too, the asker has to be allowed to query it.

        Args:
            name: By which it is called.
            arguments: Their texts.
            aggregated: Whether it stands in an aggregation.
        """
        return call_of(
            name.lower(),
            arguments,
            self._access.endpoints,
            self._principal,
            self._session,
            self._effects,
            aggregated=aggregated,
        )

    def table_function(self, function: FunctionInfo, arguments: Sequence[str], reader: Reader) -> Any:
        """A call of a table function as a relation."""
        inner = reader.inside(self._present().owner(function.owner), "Function", function.full_name)
        references = References(self._numbers)
        relation = proto().Relation()
        values = given(function, arguments, lambda text: self._govern(text, inner, references, fragment=True))
        body = self._govern(function.body, inner, references, values)
        names = ", ".join(quote([name]) for name, _ in function.return_columns)
        relation.sql.query = f"SELECT * FROM ({body}) AS `{function.name}`{f'({names})' if names else ''}"  # noqa: S608
        references.wrap(relation)
        return relation

    def constant(self, name: str) -> str | None:
        """The value of a function that the engine would answer wrongly: it knows neither the principal nor the current schema."""
        capabilities = self._session.capabilities
        match name.lower():
            case "current_user" | "session_user" | "user" if not capabilities.knows_principal:
                return self._principal.name
            case "current_catalog":
                return self._session.namespace[0]
            case "current_schema" | "current_database":
                return self._session.namespace[1]
            case _:
                return None

    def is_member(self, group: str) -> bool:
        """Whether the asker is in a group, inside views and functions too."""
        return group in self._principal.groups
