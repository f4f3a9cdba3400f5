"""How user code ends a cell or a run on purpose. No exceptions of Python's usual kind: a cell's ``except Exception`` lets them through."""


class NotebookExit(BaseException):
    """``dbutils.notebook.exit``.

    Attributes:
        value: What it was called with.
    """

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class PythonRestart(BaseException):
    """``dbutils.library.restartPython``."""


class CellFailed(BaseException):
    """A cell of a notebook that ``%run`` runs has failed; it has been shown already.

    Attributes:
        error: The error.
        where: Which cell.
        trace: Its traceback.
    """

    def __init__(self, error: BaseException, where: str, trace: str) -> None:
        super().__init__(str(error))
        self.error, self.where, self.trace = error, where, trace
