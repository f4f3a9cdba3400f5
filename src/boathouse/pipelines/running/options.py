"""What an update is to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.pipelines.planning.plan import Names


@dataclass(frozen=True)
class Options:
    """What an update is to do.

    Attributes:
        pipeline_id: Whose tables they are.
        update_id: Of the update.
        full_refresh: Whether everything is done anew.
        full_refresh_selection: Names of the datasets that are done anew.
        refresh_selection: Names of the datasets that are brought up to date; all if neither is given.
        validate_only: Whether to end once the plan is made.
        retries: How often a flow that failed is tried again.
        parallel: How many flows run at once.
        continuous: Whether to go on with what is new until the update is stopped.
        failed: Messages of what failed before, by the name of its table.
        interval: Seconds between two rounds of a continuous update.
        storage: Folder of the checkpoints, as the engine knows it; asked for when it is needed.
        heeded: The settings that the engine knows, as its capabilities have them; None for all.
        private: Name of the schema that only the pipeline knows of; None where private tables stand among the others.
    """

    pipeline_id: str
    update_id: str
    full_refresh: bool = False
    full_refresh_selection: tuple[str, ...] = ()
    refresh_selection: tuple[str, ...] = ()
    validate_only: bool = False
    retries: int = 0
    parallel: int = 4
    continuous: bool = False
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    interval: float = 2.0
    storage: Callable[[], str] = str
    heeded: tuple[str, ...] | None = None
    private: str | None = None

    def renews(self, key: str, names: Names) -> bool:
        """Whether a dataset is done anew, by its key."""
        anew, chosen = (
            {names.key(parts_of(one)) for one in some} for some in (self.full_refresh_selection, self.refresh_selection)
        )
        return key in anew or (self.full_refresh and (key in chosen or not (anew or chosen)))
