"""Where the flows of a pipeline keep how far they are, and the schemas of the files that they read."""

from collections.abc import Callable

from boathouse.pipelines.running.state import State


class Checkpoints:
    """The checkpoints of a pipeline's flows. A flow that begins anew gets another one.

    Args:
        state: What the pipeline remembers.
        storage: The folder of checkpoints, as the engine knows it; asked for when it is needed.
    """

    def __init__(self, state: State, storage: Callable[[], str]) -> None:
        self._state = state
        self._storage = storage

    def generation(self, flow: str) -> int:
        """How often a flow was begun anew."""
        return int(self._state.get(f"checkpoint:{flow}") or 0)

    def begin_anew(self, flow: str) -> None:
        """Give a flow another checkpoint."""
        self._state.set(f"checkpoint:{flow}", self.generation(flow) + 1)

    def folder(self, target: str, flow: str, *, renewed: bool = False) -> str:
        """The checkpoint of a flow.

        Args:
            target: Key of its dataset.
            flow: Its name.
            renewed: Whether it is to begin anew before it runs.
        """
        return f"{self._storage()}/checkpoints/{target}/{flow}/{self.generation(flow) + renewed}"
