"""What can be wrong with the workspace."""

from boathouse.errors import AlreadyExists, BoathouseError, InvalidParameterValue, InvalidState, NotFound, PermissionDenied


class PathInvalid(InvalidParameterValue):
    """A path that nothing in the workspace can have."""

    def __init__(self, field: str, path: str, why: str) -> None:
        super().__init__(f"The {field} '{path}' is not valid: {why}", field=field)


class ObjectNotFound(NotFound):
    """Nothing at a path, or nothing that the asker may know of."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Path ({path}) does not exist.", path=path)


class ObjectIdNotFound(NotFound):
    """No object of an identifier, or none that the asker may know of."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"There is no object {object_id} among the {kind}.", object_id=object_id)


class ObjectExists(AlreadyExists):
    """Something is at a path already."""

    error_code = "RESOURCE_ALREADY_EXISTS"
    status = 400

    def __init__(self, path: str, what: str, hint: str = "") -> None:
        super().__init__(f"Path ({path}) is a {what} already.{hint}", path=path)


class FolderNotEmpty(InvalidState):
    """A folder that holds something is not deleted by mistake."""

    error_code = "DIRECTORY_NOT_EMPTY"

    def __init__(self, path: str) -> None:
        super().__init__(f"Folder ({path}) is not empty. Give recursive=true to delete it with all that it holds.", path=path)


class FolderProtected(InvalidState):
    """A folder that the workspace cannot be without."""

    error_code = "DIRECTORY_PROTECTED"

    def __init__(self, path: str) -> None:
        super().__init__(f"Folder ({path}) is protected: it can be neither moved nor deleted.", path=path)


class TooLarge(BoathouseError):
    """More than one file may have."""

    error_code = "MAX_NOTEBOOK_SIZE_EXCEEDED"
    status = 400

    def __init__(self, path: str, size: int, most: int) -> None:
        super().__init__(f"What is to be imported to {path} has {size} bytes; {most} is the most.", path=path)


class ObjectPermissionMissing(PermissionDenied):
    """The asker's level on an object is too low."""

    def __init__(self, principal: str, path: str, needed: str) -> None:
        super().__init__(f"{principal} does not have {needed} permissions on {path}.", path=path, needed=needed)


class DbfsPathInvalid(InvalidParameterValue):
    """A path of DBFS at which nothing can be."""

    def __init__(self, field: str, path: str, why: str) -> None:
        super().__init__(f"{field} '{path}' is not valid: {why}", field=field)


class DbfsNotFound(NotFound):
    """Nothing is at a path of DBFS."""

    def __init__(self, path: str) -> None:
        super().__init__(f"No file or folder is at {path}.", path=path)


class DbfsFailed(InvalidState):
    """The machine's file system has refused something, e.g. to remove a folder that is not empty."""

    error_code = "IO_ERROR"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}.", path=path)


class BlockTooLarge(InvalidParameterValue):
    """A request brings more bytes than it may."""

    error_code = "MAX_BLOCK_SIZE_EXCEEDED"

    def __init__(self, size: int, most: int) -> None:
        super().__init__(f"The content has {size} bytes; at most {most} come in one request. Use create, add-block and close.")
