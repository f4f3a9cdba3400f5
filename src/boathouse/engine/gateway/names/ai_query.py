"""``ai_query('endpoint', request, ...)``, or ``predict``: a call of a serving endpoint as a function of the session, which the engine's process carries out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from boathouse.engine.endpoint_function import ERROR, RESULT, EndpointCall, packed_type
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.effects import Effects
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, nullable
from boathouse.engine.gateway.messages.spark_types import sql as type_text
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import Kind, tokenize
from boathouse.history.api import AssetRef
from boathouse.iam.api import Principal

AI_QUERY, PREDICT = "ai_query", "predict"
_ARGUMENTS = ("endpoint", "request", "returnType", "failOnError", "modelParameters")
_NOT_SERVED = ("responseFormat", "files")
_BY_LOWER = {name.lower(): name for name in (*_ARGUMENTS, *_NOT_SERVED)}
_USAGE = (
    "(endpoint, request [, returnType => 'DOUBLE'] [, failOnError => false] [, modelParameters => named_struct('name', value)])"
)


@dataclass(frozen=True)
class EndpointShape:
    """What an endpoint takes and gives.

    Attributes:
        name: Of the endpoint.
        columns: Those that it takes; empty where it does not say.
        required: Those of them that it needs.
        returns: Spark's type of an answer, as SQL writes it; None where the endpoint does not say.
        serves: The model versions and feature specs that get some of its traffic.
    """

    name: str
    columns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    returns: str | None = None
    serves: tuple[AssetRef, ...] = ()


Endpoints: TypeAlias = Callable[[Principal, str], EndpointShape]
"""Takes who asks and an endpoint's name; raises ``BoathouseError`` where it is not there, or that one may not query it."""


def call_of(
    word: str,
    texts: Sequence[str],
    endpoints: Endpoints | None,
    principal: Principal,
    session: EngineSession,
    effects: Effects,
    *,
    aggregated: bool = False,
) -> str:
    """A call as it goes to the engine.

    Args:
        word: The function's name, for messages.
        texts: The arguments, as the engine can read them.
        endpoints: Knows the endpoints.
        principal: Who asks.
        session: Evaluates what is constant, and is given the function.
        effects: Is told what is asked.
        aggregated: Whether it stands in an aggregation, where engines take only functions that they may call as often as they like.

    Raises:
        StatementRefused: If an argument is missing or not valid, or the engine cannot ask endpoints.
    """
    if endpoints is None:
        message = f"{word} is not served here: this server has no endpoints."
        raise StatementRefused(message)
    given = _given(word, texts)
    name = _constant(word, given, "endpoint", str, session)
    shape = endpoints(principal, name)
    effects.asks(AssetRef(kind="ENDPOINT", name=shape.name), *shape.serves)
    strict = _constant(word, given, "failOnError", bool, session) if "failOnError" in given else True
    asked = _constant(word, given, "returnType", str, session) if "returnType" in given else shape.returns
    if asked is None:
        message = (
            f"The model of endpoint '{name}' does not say what it returns: say it with returnType => 'DOUBLE', for example."
        )
        raise StatementRefused(message)
    result = _type_of(word, asked, session)
    parameters = _parameters(word, given, session)
    text = result if strict else f"STRUCT<{RESULT}: {result}, {ERROR}: STRING>"
    arrow = session.query(f"SELECT CAST(NULL AS {text}) AS value").schema.field(0).type
    call = EndpointCall(shape.name, shape.columns, shape.required, packed_type(arrow), strict, parameters)
    return f"{session.endpoint_function(call, text, repeatable=aggregated)}({given['request']})"


def _given(word: str, texts: Sequence[str]) -> dict[str, str]:
    """The arguments' texts by their names."""
    found: dict[str, str] = {}
    any_named = False
    for index, text in enumerate(texts):
        tokens = tokenize(text)
        is_named = len(tokens) > 3 and tokens[0].is_identifier and tokens[1].is_mark("=") and tokens[2].is_mark(">")
        if is_named:
            name = _BY_LOWER.get(tokens[0].identifier.lower())
        else:
            name = _ARGUMENTS[index] if index < len(_ARGUMENTS) and not any_named else None
        any_named = any_named or is_named
        if name is None or name in found:
            message = f"{word}: '{text}' is not valid here. Valid: {word}{_USAGE}."
            raise StatementRefused(message)
        if name in _NOT_SERVED:
            message = f"{word}: {name} is of language models, which endpoints here do not serve. Valid: {word}{_USAGE}."
            raise StatementRefused(message)
        found[name] = text[tokens[3].start :] if is_named else text
    missing = [name for name in _ARGUMENTS[:2] if name not in found]
    if missing:
        message = f"{word}: {missing[0]} is missing. Valid: {word}{_USAGE}."
        raise StatementRefused(message)
    return found


def _constant(word: str, given: dict[str, str], name: str, kind: type, session: EngineSession) -> Any:
    text = given[name]
    tokens = tokenize(text)
    value: Any = None
    if len(tokens) == 1 and tokens[0].kind is Kind.STRING and not tokens[0].opaque:
        value = tokens[0].value
    elif len(tokens) == 1 and tokens[0].is_word("TRUE", "FALSE"):
        value = tokens[0].is_word("TRUE")
    elif not any(token.is_word("SELECT", "FROM", "TABLE") or token.is_identifier for token in tokens):
        value = session.value(text)
    if not isinstance(value, kind) or value == "":
        what = "a string" if kind is str else "TRUE or FALSE"
        message = f"{word}: {name} has to be {what}, as a constant; it is {text}."
        raise StatementRefused(message)
    return value


def _type_of(word: str, text: str, session: EngineSession) -> str:
    """A type that a client has written, in the engine's spelling; of several columns, a struct of them."""
    try:
        kind = nullable(from_message(session.data_type(text)))
    except Exception as error:
        message = f"{word}: the returnType '{text}' is no type. Valid: 'DOUBLE', 'ARRAY<STRING>', 'STRUCT<label: STRING, score: DOUBLE>'."
        raise StatementRefused(message) from error
    if isinstance(kind, Struct) and not text.lstrip().lower().startswith("struct") and len(kind.fields) == 1:
        kind = kind.fields[0].type
    return type_text(kind)


def _parameters(word: str, given: dict[str, str], session: EngineSession) -> dict[str, Any] | None:
    if "modelParameters" not in given:
        return None
    text = given["modelParameters"]
    value = None if any(token.is_word("SELECT", "FROM", "TABLE") for token in tokenize(text)) else session.value(text)
    if not isinstance(value, dict):
        message = f"{word}: modelParameters has to be a constant struct, such as named_struct('threshold', 0.5); it is {text}."
        raise StatementRefused(message)
    # What SQL writes as 0.5 is a decimal.
    return {
        str(key): one if isinstance(one, str | int | float | bool | list) or one is None else float(one)
        for key, one in value.items()
    }
