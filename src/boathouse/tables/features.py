"""ALTER TABLE ... DROP FEATURE: what a table's protocol need not name any more, since nothing of it is left."""

from boathouse.tables import properties
from boathouse.tables.alter import Edit, alter
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import FEATURES_WRITER, Action, Operation, State

_LEFT_IN_FILES = frozenset({"deletionVectors", "columnMapping", "typeWidening", "v2Checkpoint", "inCommitTimestamp"})
_SIMPLE = frozenset({"appendOnly", "invariants"})
_SIMPLE_WRITER = 2


def drop_feature(location: str, feature: str, user: str | None, *, truncates: bool = False) -> None:
    """Take a feature out of a table's protocol, in one commit.

    Args:
        location: The table.
        feature: Its name in the protocol, in any case.
        user: Who drops it.
        truncates: Whether ``TRUNCATE HISTORY`` is said.

    Raises:
        DeltaRefused: If the table does not have it, something still needs it, or it cannot be dropped.
    """

    def work(edit: Edit) -> None:
        there = sorted(edit.state.writer_features)
        name = next((one for one in there if one.lower() == feature.lower()), None)
        if name is None:
            message = (
                f"Cannot drop {feature} from this table because it is not currently present in the table's protocol. Features "
                f"there: {', '.join(there)}."
            )
            raise DeltaRefused("DELTA_FEATURE_DROP_FEATURE_NOT_PRESENT", message)
        _require_droppable(edit, name)
        if truncates:
            message = f"The feature {name} does not require history truncation. Leave TRUNCATE HISTORY out."
            raise DeltaRefused("DELTA_FEATURE_DROP_HISTORY_TRUNCATION_NOT_ALLOWED", message)
        edit.protocol = _without(edit.state, name)

    alter(location, Operation("DROP FEATURE", {"featureName": feature}, user), work)


def _require_droppable(edit: Edit, name: str) -> None:
    if name in _LEFT_IN_FILES:
        message = (
            f"Dropping {name} is not supported here: it is in the table's files and history. A copy is without it: CREATE TABLE ... "
            "AS SELECT."
        )
        raise DeltaRefused("DELTA_FEATURE_DROP_UNSUPPORTED_CLIENT_FEATURE", message)
    if name != "checkConstraints":
        message = f"Cannot drop {name} because dropping this feature is not supported. Delta lets checkConstraints go."
        raise DeltaRefused("DELTA_FEATURE_DROP_NONREMOVABLE_FEATURE", message)
    constraints = sorted(
        key.removeprefix(properties.CONSTRAINT) for key in edit.configuration if key.startswith(properties.CONSTRAINT)
    )
    if constraints:
        message = (
            "Cannot drop the CHECK constraints table feature. The following constraints must be dropped first: "
            f"{', '.join(constraints)}."
        )
        raise DeltaRefused("DELTA_CANNOT_DROP_CHECK_CONSTRAINT_FEATURE", message)


def _without(state: State, name: str) -> Action:
    """The protocol without a feature of writers."""
    if state.writer_features - {name} <= _SIMPLE and not state.reader_features:
        return {"minReaderVersion": 1, "minWriterVersion": _SIMPLE_WRITER}
    left = sorted(properties.written_out(state, state.configuration) - {name})
    return state.protocol | {"minWriterVersion": FEATURES_WRITER, "writerFeatures": left}
