"""What can be wrong with SQL that is kept or run."""

from boathouse.errors import AlreadyExists, BoathouseError, InvalidParameterValue, NotFound, PermissionDenied


class StatementFailed(BoathouseError):
    """A statement was refused, or has failed."""

    error_code = "BAD_REQUEST"
    status = 400


class QueryInvalid(InvalidParameterValue):
    """A field of a saved query is not valid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", field=field)


class QueryNotFound(NotFound):
    """No such query, or none that the asker may know of."""

    def __init__(self, query_id: str) -> None:
        super().__init__(f"Query '{query_id}' does not exist.", query_id=query_id)


class QueryExists(AlreadyExists):
    """Another query of the folder has the name."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(
            f"{folder} has a query '{name}' already. Give another display_name, or auto_resolve_display_name=true.",
            field="query.display_name",
        )


class QueryPermissionMissing(PermissionDenied):
    """The asker lacks a level of permission on a query."""

    def __init__(self, principal: str, query_id: str, level: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {level} on query '{query_id}'. Its owner, or who manages its folder, can give it.",
            permission_level=level,
        )
