"""What can be wrong with SQL that is kept or run."""

from boathouse.errors import AlreadyExists, BoathouseError, Conflict, InvalidParameterValue, NotFound, PermissionDenied


class StatementFailed(BoathouseError):
    """A statement was refused, or has failed."""

    error_code = "BAD_REQUEST"
    status = 400


class StatementsTooMany(BoathouseError):
    """A principal has too many statements that have not ended."""

    error_code = "RESOURCE_EXHAUSTED"
    status = 429
    retriable = True

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} of your statements have not ended yet, which is the most: wait for some, or cancel them.")


class ObjectInvalid(InvalidParameterValue):
    """A field of a saved query, an alert or a dashboard is not valid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", field=field)


class ObjectNotFound(NotFound):
    """No such object, or none that the asker may know of."""

    def __init__(self, noun: str, object_id: str) -> None:
        super().__init__(f"{noun.capitalize()} '{object_id}' does not exist.", **{f"{noun}_id": object_id})


class ObjectExists(AlreadyExists):
    """Another object of the folder has the name."""

    def __init__(self, noun: str, name: str, folder: str) -> None:
        article = "an" if noun[0] in "aeiou" else "a"
        super().__init__(
            f"{folder} has {article} {noun} '{name}' already. Give another display_name, or auto_resolve_display_name=true.",
            field=f"{noun}.display_name",
        )


class ObjectPermissionMissing(PermissionDenied):
    """The asker lacks a level of permission on an object."""

    def __init__(self, principal: str, noun: str, object_id: str, level: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {level} on {noun} '{object_id}'. Its owner, or who manages its folder, can give it.",
            permission_level=level,
        )


class DashboardUnpublished(NotFound):
    """Nothing of a dashboard was published."""

    def __init__(self, dashboard_id: str) -> None:
        super().__init__(f"Dashboard '{dashboard_id}' is not published.", dashboard_id=dashboard_id)


class DashboardChanged(Conflict):
    """Somebody else has changed a dashboard since the asker looked."""

    def __init__(self, dashboard_id: str, etag: str) -> None:
        super().__init__(
            f"Dashboard '{dashboard_id}' was changed meanwhile: its etag is {etag}. Get it again and repeat the change.",
            field="etag",
        )
