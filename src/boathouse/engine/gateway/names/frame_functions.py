"""Functions in the plans of DataFrames: those that the gateway answers, those of model versions, and those that a client registers."""

from typing import TYPE_CHECKING, Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.model_functions import models_in
from boathouse.engine.gateway.messages.protocol import function_call, proto
from boathouse.engine.gateway.names.pandas_calls import NAMES
from boathouse.engine.gateway.names.references import Reader
from boathouse.engine.gateway.session import OWN_FUNCTIONS
from boathouse.engine.python_modules import WithModules

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit


def look_at_function(visit: "Visit", function: Any) -> None:
    """A function of a DataFrame; those that ask for the asker's groups are answered."""
    constant = visit.resolver.functions.constant(function.function_name)
    if constant is not None:
        function.function_name = "coalesce"
        function.arguments.add().literal.string = constant
        visit.changed = True
        return
    if function.function_name == "weekday" and not visit.session.capabilities.reads_all_forms and len(function.arguments) == 1:
        # Of a Sunday the engine says -1. What is put here is looked at again, so it must not be the same function.
        day = function_call("dayofweek", function.arguments[0])
        function.CopyFrom(function_call("pmod", function_call("+", day, _number(5)), _number(7)).unresolved_function)
        visit.changed = True
        return
    if function.function_name in NAMES:
        visit.texts.look_at_late_form()
        return
    if function.function_name.lower() not in {"is_account_group_member", "is_member"}:
        return
    group = function.arguments[0].literal.string if len(function.arguments) == 1 else ""
    if not group:
        message = f"{function.function_name} takes the name of a group as a plain string."
        raise StatementRefused(message)
    function.function_name = "coalesce"
    function.arguments[0].literal.boolean = visit.resolver.functions.is_member(group)
    visit.changed = True


def _number(value: int) -> Any:
    made = proto().Expression()
    made.literal.integer = value
    return made


def look_at_python(visit: "Visit", function: Any) -> None:
    """A function of a DataFrame in Python; that of a model version is told. The modules that its client has sent go with it."""
    visit.effects.asks(*models_in(function.command))
    put_modules(visit, function)


def put_modules(visit: "Visit", function: Any) -> None:
    """Have a function in Python find the modules that its client has sent."""
    modules = visit.session.names.modules.get(visit.session.request.session_id)
    if modules:
        function.command = WithModules(function.command, modules).pickled()
        visit.changed = True


def look_at_call(visit: "Visit", call: Any) -> None:
    """A function of a DataFrame, called by its name."""
    if visit.resolver.functions.asks_endpoint([call.function_name], Reader(visit.principal, is_asker=True)):
        name = call.function_name.lower()
        message = f"{name} is called in SQL: expr(\"{name}('endpoint', struct(a, b))\"), selectExpr or spark.sql."
        raise StatementRefused(message)


def look_at_registration(visit: "Visit", command: Any) -> None:
    """A function of the session, scalar or table: from now on its name hides one of the catalog."""
    kind = command.WhichOneof("command_type")
    if kind in {"register_function", "register_table_function"}:
        name = getattr(command, kind).function_name
        if name.lower().startswith(OWN_FUNCTIONS) or visit.session.is_engines(name):
            # The texts of views, row filters and masks mean the engine's functions and operators, and the gateway's own.
            message = (
                f"A function cannot be registered as '{name}': that is a function or operator of the engine's own, which views, "
                "row filters and column masks use. Give it another name."
            )
            raise StatementRefused(message)
        key = (visit.session.request.session_id, name.lower())
        visit.session.names.functions.add(key)
        python = getattr(command, kind).python_udf if kind == "register_function" else None
        visit.session.names.models[key] = models_in(python.command) if python is not None else ()
