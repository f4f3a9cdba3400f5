"""What the workspace keeps by a principal's name: permissions, comments, and the folders of users."""

from collections.abc import Callable, Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session

from boathouse.storage.layout import Layout
from boathouse.workspace.comments.repository import CommentRepository
from boathouse.workspace.paths import REPOS, USERS, Parts, text_of
from boathouse.workspace.repository import WorkspaceRepository
from boathouse.workspace.service import home_of
from boathouse.workspace.tree import Tree


class WorkspaceReferences:
    """The workspace's use of principals' names, for the slice that deletes and renames principals.

    Args:
        layout: The lake's folders.
    """

    def __init__(self, layout: Layout) -> None:
        self._tree = Tree(layout.workspace)

    def held_by(self, session: Session, name: str) -> Sequence[str]:  # noqa: ARG002 - admins manage every folder
        """Nothing is left without an owner: admins manage every folder."""
        return ()

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A principal has a new name: its permissions and its folders follow."""
        WorkspaceRepository(session).rename_principal(old, new)
        CommentRepository(session).rename_principal(old, new)
        self._move(session, old, lambda top: _named(top, new))

    def deleted(self, session: Session, name: str) -> None:
        """A principal is gone: its permissions go and its folders get another name, so that nobody inherits them."""
        WorkspaceRepository(session).remove_permissions_of(name)
        CommentRepository(session).forget_principal(name)
        self._move(session, name, lambda top: self._backup(top, name))

    def _move(self, session: Session, name: str, named: Callable[[str], Parts | None]) -> None:
        for top in (USERS, REPOS):
            source, target = _named(top, name), named(top)
            node = None if source is None else self._tree.find(source)
            if node is None or target is None or self._tree.find(target) is not None:
                continue
            WorkspaceRepository(session).move(node.path, text_of(target))
            # Only once it is certain that the name changes.
            event.listen(
                session, "after_commit", lambda _session, node=node, target=target: self._tree.move(node, target), once=True
            )

    def _backup(self, top: str, name: str) -> Parts | None:
        number = 1
        while (found := _named(top, f"{name}-backup-{number}")) is not None and self._tree.find(found) is not None:
            number += 1
        return found


def _named(top: str, name: str) -> Parts | None:
    home = home_of(name)
    return (top, *home[1:]) if len(home) == 2 else None
