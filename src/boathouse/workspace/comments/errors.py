"""What can be wrong with comments."""

from boathouse.errors import InvalidParameterValue, InvalidState, NotFound, PermissionDenied


class CommentNotFound(NotFound):
    """No such comment or thread, or none that the asker may know of."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"There is no {what} {number}.", id=str(number))


class NotCommentable(InvalidParameterValue):
    """Comments hang on notebooks and files."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} is a {what}: comments are on notebooks and files.", field="path")


class CellUnknown(InvalidParameterValue):
    """A cell that the notebook does not have."""

    def __init__(self, path: str, position: int, count: int) -> None:
        has = f"the cells 0 to {count - 1}" if count else "no cells"
        super().__init__(f"The cell {position} is not valid: {path} has {has}.", field="cell.position")


class NotTheAuthor(PermissionDenied):
    """A comment is its author's."""

    def __init__(self, principal: str, number: int, who: str) -> None:
        super().__init__(f"{principal} may not change comment {number}: {who}.")


class TooManyComments(InvalidState):
    """More than one notebook or thread may have."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(f"The {what} has {most} comments or threads, which is the most. Delete some first.")
