"""What the asker may do: with its own kernels everything, with others' nothing, with documents what the workspace's permissions allow."""

from typing import Any

from jupyter_server.auth.authorizer import Authorizer

_OPEN = frozenset(
    {"api", "contents", "csp", "kernelspecs", "settings", "workspaces", "translations", "themes", "licenses", "server"}
)


class OwnOnly(Authorizer):
    """Denies what it does not know."""

    async def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        """See the class."""
        del user, action
        if resource == "kernels":
            kernel_id = handler.path_kwargs.get("kernel_id")
            return kernel_id is None or bool(handler.kernel_manager.is_own(kernel_id))
        if resource == "sessions":
            # The session manager knows none but the asker's.
            return True
        if resource in {"events", "nbconvert"}:
            # Nothing is told there: see ``extensions``.
            return True
        document = getattr(handler, "document_path", None)
        if document is not None:
            path = document()
            return path is not None and bool(await handler.contents_manager.may_read(path))
        return resource in _OPEN
