"""What can be wrong with making a run again."""

from boathouse.errors import NotFound


class CodeMissing(NotFound):
    """Nobody has told what a run ran."""

    def __init__(self) -> None:
        super().__init__(
            "The code of this run is not recorded: it was begun outside of Boathouse's notebooks and jobs, or its code is gone."
        )
