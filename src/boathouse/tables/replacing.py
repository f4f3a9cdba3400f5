"""Replacing a table by an empty one: its schema, properties and features, in one commit, with the history kept."""

from collections.abc import Sequence

from boathouse.kit.clock import now_ms
from boathouse.tables.log import Action, Operation, State, change, removal, replay, require_removable
from boathouse.tables.properties import with_features


def replace_by(location: str, model: str, user: str | None = None) -> None:
    """Make a table like an empty one that lies elsewhere; its rows are gone with this version.

    Args:
        location: The table.
        model: The empty one.
        user: Who replaces it.

    Raises:
        DeltaRefused: If the table only takes appends, or cannot be written here.
        CommitLost: If other writers were faster every time.
    """
    wanted = replay(model)

    def work(state: State) -> Sequence[Action]:
        if state.files:
            require_removable(state)
        features = sorted(wanted.writer_features - state.writer_features - {"changeDataFeed"})
        protocol = with_features(state.protocol, features, state.configuration)
        now = now_ms()
        actions: list[Action] = [] if protocol == state.protocol else [{"protocol": protocol}]
        actions.append({"metaData": wanted.metadata | {"id": state.metadata["id"]}})
        return [*actions, *(removal(add, now) for add in state.files.values())]

    change(location, Operation("CREATE OR REPLACE TABLE", {}, user), work)
