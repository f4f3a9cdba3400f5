"""What can be wrong with features."""

from boathouse.errors import AlreadyExists, BoathouseError, Conflict, InvalidParameterValue, InvalidState, NotFound


class KeysUndeclared(InvalidParameterValue):
    """A table that is no feature table: it does not say its keys, or not rightly."""

    def __init__(self, table: str, problem: str) -> None:
        super().__init__(
            f"Table '{table}' is no feature table: it {problem}. A feature table has a primary key, and may have a time in it, for "
            f"example: ALTER TABLE {table} ADD CONSTRAINT keys PRIMARY KEY (origin, time_hour TIMESERIES). Its key columns are NOT "
            "NULL.",
            table=table,
        )


class KeyIsNull(InvalidState):
    """Rows of the source table have no key."""

    def __init__(self, table: str, column: str, rows: int) -> None:
        super().__init__(
            f"Table '{table}' cannot be published: {rows} rows have no value in the key column '{column}'. "
            "Remove or fill them; nothing was published.",
            table=table,
            column=column,
        )


class OnlineStoreNotFound(NotFound):
    """No online store of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Online store '{name}' does not exist. Create it with feature_store.create_online_store.", name=name)


class OnlineStoreExists(AlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Online store '{name}' already exists.", name=name)


class OnlineStoreNotEmpty(InvalidState):
    """An online store that still holds tables."""

    def __init__(self, name: str, tables: list[str]) -> None:
        super().__init__(
            f"Online store '{name}' still holds {', '.join(tables[:5])}. Delete its online tables first.", name=name
        )


class OnlineTableNotFound(NotFound):
    """No online table of this name, or its file is gone."""

    error_code = "TABLE_DOES_NOT_EXIST"

    def __init__(self, full_name: str) -> None:
        super().__init__(
            f"Online table '{full_name}' does not exist. Publish its source table with feature_store.publish_table.",
            full_name=full_name,
        )


class OnlineTableReplaced(OnlineTableNotFound):
    """An online table was published anew, in a file that this confined process may not open: one that is started from now on may."""


class OnlineStoreUnavailable(BoathouseError):
    """A store that does not answer, or refuses. Its address is no part of the message: it may hold a password."""

    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    retriable = True

    def __init__(self, store: str, error: Exception) -> None:
        super().__init__(f"The online store in {store} is not available: {type(error).__name__}.")


class OnlineStoreUnreachable(InvalidState):
    """A store that is to be made, or published into, and does not answer: whoever waits is told, and does not try again for minutes."""

    def __init__(self, store: str, error: OnlineStoreUnavailable, what: str = "Nothing was published into") -> None:
        super().__init__(
            f"{what} the online store '{store}'. {error.message} Does it run, and is its address in "
            "BOATHOUSE_ONLINE_STORES right?",
            store=store,
        )


class OnlineTableOfOther(Conflict):
    """An online table that is fed from another table or lies in another store."""

    retriable = False

    def __init__(self, full_name: str, source: str, store: str) -> None:
        super().__init__(
            f"Online table '{full_name}' is published from '{source}' in the online store '{store}'. "
            "Use another name, or delete it first.",
            full_name=full_name,
        )


class FeatureSpecInvalid(InvalidParameterValue):
    """A model's feature spec that does not fit its schema, or the online tables."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"The feature spec is not valid: {field} {problem}", field=field)


class FeatureFunctionFailed(BoathouseError):
    """A function of the catalog raised when a request asked for its value."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"The function {name} failed: {type(error).__name__}: {error}", function=name)
