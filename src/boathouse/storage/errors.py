"""What can be wrong with a place."""

from pathlib import Path

from boathouse.errors import BoathouseError, InvalidParameterValue


class RootNotWritable(BoathouseError):
    """The lake's root cannot be made or written."""

    error_code = "ROOT_NOT_WRITABLE"

    def __init__(self, root: Path, cause: OSError) -> None:
        super().__init__(
            f"The root {root} cannot be written ({cause.strerror or cause}). Give a folder that you own with --root, "
            f"or change its rights: chmod u+rwx {root}",
            root=str(root),
        )


class PathOutsideRoot(InvalidParameterValue):
    """A path leaves the folder that it has to stay in."""

    def __init__(self, path: str) -> None:
        super().__init__(f"The path {path!r} leaves its folder; give one without '..' or links that lead outside.", path=path)
