"""The rules of the workspace: what is where, and who may read, run, change and manage it."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import ACCOUNT_USERS, ADMINS, Access, AccessBody, IamService, Principal, access_of
from boathouse.iam.errors import PrincipalNotFound
from boathouse.storage.layout import Layout
from boathouse.workspace.comments.following import follow_cells
from boathouse.workspace.errors import (
    FolderNotEmpty,
    FolderProtected,
    ObjectExists,
    ObjectIdNotFound,
    ObjectNotFound,
    ObjectPermissionMissing,
    PathInvalid,
    TooLarge,
)
from boathouse.workspace.formats import Incoming, archive, check_format, incoming, outgoing
from boathouse.workspace.info import LEVELS, Exported, ObjectInfo, Permission, Permissions, number_of
from boathouse.workspace.models import ObjectPermissionRow, ObjectRow
from boathouse.workspace.paths import REPOS, SHARED, USERS, Parts, above, parts_of, text_of
from boathouse.workspace.repository import WorkspaceRepository
from boathouse.workspace.tree import Kind, Node, Tree

MOST_BYTES = 500 * 1024 * 1024
"""Of one file."""
MOST_NOTEBOOK_BYTES = 10 * 1024 * 1024
_ASIDE = "aside:"
"""Begins what stands for the path of an object that is set aside; no path begins so."""
_TOP = frozenset({(), (USERS,), (SHARED,), (REPOS,)})
_OPEN = frozenset({(), (USERS,), (REPOS,)})
"""Folders that everybody sees, each with what the asker may see in them."""
KINDS = {
    "directories": Kind.DIRECTORY,
    "notebooks": Kind.NOTEBOOK,
    "files": Kind.FILE,
    "repos": Kind.REPO,
    "dashboards": Kind.DASHBOARD,
}
"""The permissions API's names of what an object is."""


class WorkspaceService:
    """The workspace for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._rows = WorkspaceRepository(session)
        self._principal = principal
        self._tree = Tree(layout.workspace)
        self._git = layout.git

    @cached_property
    def home(self) -> Parts:
        """The folder of the one who asks; Users itself for a name that no folder can have."""
        return home_of(self._principal.name)

    @property
    def home_path(self) -> str:
        """The path of the asker's folder."""
        return text_of(self.home)

    # ------------------------------------------------------------------------------------------------------ objects

    def get(self, path: str) -> ObjectInfo:
        """What is at a path.

        Raises:
            ObjectNotFound: If nothing is, or nothing that the asker may know of.
        """
        return self._told([self._node(path)])[0]

    def children(self, path: str, modified_after: int | None = None) -> list[ObjectInfo]:
        """What a folder holds and the asker may see; a file or notebook is told by itself.

        Args:
            path: The folder.
            modified_after: Only notebooks that were changed since, in ms since the epoch.
        """
        node = self._node(path)
        nodes = [one for one in self._tree.children(node) if self._sees(one.parts)] if node.file.is_dir() else [node]
        told = self._told(nodes)
        if modified_after is None:
            return told
        return [one for one in told if one.kind is Kind.NOTEBOOK and one.modified_at >= modified_after]

    def of_kind(self, kind: Kind) -> list[ObjectInfo]:
        """All files of a kind that the asker may see, by their paths."""
        tops = [self._tree.find(parts_of(path)) for path in self.roots()]
        files = [one for top in tops if top is not None for one in (self._tree.walk(top) if top.file.is_dir() else [top])]
        found = {one.path: one for one in files if one.kind is kind and self._sees(one.parts)}
        return self._told([found[path] for path in sorted(found)])

    def named(self, kind: str, resource_id: str, level: str = "CAN_READ") -> ObjectInfo:
        """An object by what the API for its kind calls it.

        Raises:
            ObjectIdNotFound: If there is none, or none that the asker may know of.
            ObjectPermissionMissing: If the asker's level on it is lower.
        """
        _, node = self._by_id(kind, resource_id)
        self._require(node, level)
        return self._told([node])[0]

    def locate(self, path: str, level: str = "CAN_READ") -> Path:
        """The file or folder on disk behind a path. Nothing is written, not even an identifier.

        Raises:
            ObjectNotFound: If nothing is there, or nothing that the asker may know of.
            ObjectPermissionMissing: If the asker's level on it is lower.
        """
        return self.find(path, level).file

    def find(self, path: str, level: str = "CAN_READ") -> Node:
        """What is at a path, without writing anything.

        Raises:
            ObjectNotFound: If nothing is there, or nothing that the asker may know of.
            ObjectPermissionMissing: If the asker's level on it is lower.
        """
        parts = parts_of(path)
        node = self._tree.find(parts) if self._sees(parts) else None
        if node is None:
            raise ObjectNotFound(path)
        self._require(node, level)
        return node

    def level(self, path: str) -> str | None:
        """The asker's level on a path, by itself or by a folder above, whether anything is there or not."""
        return self._level(parts_of(path))

    def access_at(self, path: str) -> list[Access]:
        """Who may what at a path by the folders above it and by itself, whether anything is there or not, but for admins."""
        parts = parts_of(path)
        given = self._rows.permissions([text_of(one) for one in above(parts)])
        return [*self._at_home(parts), *(Access(row.grantee, row.kind, row.level) for rows in given.values() for row in rows)]

    def granted_paths(self) -> list[str]:
        """The paths at which the asker has a level, with all below them; the folder that is everybody's is left out."""
        own = [text_of(one) for one in (self.home, (REPOS, *self.home[1:])) if len(one) == 2]
        return [*own, *(text_of(one) for one in self._granted)]

    def roots(self) -> list[str]:
        """The folders and objects of which, and of what they hold, the asker may know."""
        always: list[Parts] = [()] if self._principal.is_admin else [self.home, (REPOS, *self.home[1:]), (SHARED,)]
        return [text_of(parts) for parts in dict.fromkeys([*always, *self._granted]) if parts != (USERS,)]

    def require_folder(self, path: str) -> str:
        """See that a folder is there to which the asker may add; its path in the API.

        Raises:
            ObjectNotFound: If it is not.
            ObjectPermissionMissing: If the asker may not.
        """
        folder = self._folder(parts_of(path, "parent_path"), path)
        self._require(folder, "CAN_MANAGE")
        return folder.path

    def within_reach(self) -> tuple[list[Path], list[Path]]:
        """The files and folders on disk that the asker may read with all that they hold, and those that it may change."""
        roots: list[Parts] = [()] if self._principal.is_admin else [self.home, (REPOS, *self.home[1:]), (SHARED,)]
        levels = dict(self._granted) | {parts: LEVELS.names[-1] for parts in roots if parts != (USERS,)}
        nodes = [(self._tree.find(parts), level) for parts, level in levels.items()]
        read = [node.file for node, _ in nodes if node is not None]
        return read, [node.file for node, level in nodes if node is not None and LEVELS.reaches(level, "CAN_EDIT")]

    def may_see(self, path: str) -> bool:
        """Whether the asker may know of a path."""
        return self._sees(parts_of(path))

    def place_for(self, path: str) -> Path:
        """The folder on disk in which something new may be made at a path.

        Raises:
            ObjectExists: If something is there already.
            ObjectPermissionMissing: If the asker may not add to the folder.
        """
        parts = parts_of(path)
        folder = self._folder(parts[:-1], path)
        self._require(folder, "CAN_MANAGE")
        found = self._tree.find(parts)
        if found is not None:
            raise ObjectExists(path, found.kind.lower())
        return folder.file

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; one that is there stays."""
        parts = parts_of(path)
        self._ensure_home(parts)
        found = self._tree.find(parts)
        if found is not None and self._sees(parts):
            if not found.file.is_dir():
                raise ObjectExists(path, found.kind.lower())
            return
        deepest = next((one for one in above(parts)[1:] if self._tree.find(one) is not None), ())
        parent = self._tree.get(deepest)
        if not self._sees(deepest):
            raise ObjectNotFound(text_of(parts[:-1]))
        if not parent.file.is_dir():
            raise PathInvalid("path", path, f"{parent.path} is a {parent.kind.lower()}, not a folder.")
        self._require(parent, "CAN_MANAGE")
        self._tree.make_folder(parts)
        self._rows.identified(
            [text_of(parts[:count]) for count in range(len(deepest) + 1, len(parts) + 1)], self._principal.name
        )

    def write(self, path: str, content: bytes, given: str, language: str | None, *, overwrite: bool) -> ObjectInfo:
        """Import a notebook or a file.

        Raises:
            ObjectExists: If something is there and is not to be overwritten, or cannot be.
            ObjectNotFound: If there is no such folder.
            TooLarge: If it is.
        """
        parts = parts_of(path)
        if not parts:
            raise PathInvalid("path", path, "it is the workspace's root.")
        arriving = incoming(parts[-1], content, check_format(given), language)
        most = MOST_NOTEBOOK_BYTES if arriving.is_notebook else MOST_BYTES
        if len(content) > most:
            raise TooLarge(path, len(content), most)
        return self._write((*parts[:-1], arriving.name), arriving, overwrite=overwrite)

    def _write(self, parts: Parts, arriving: Incoming, *, overwrite: bool) -> ObjectInfo:
        path = text_of(parts)
        folder = self._folder(parts[:-1], path)
        found = self._tree.find(parts)
        if found is None or not self._sees(parts):
            self._require(folder, "CAN_MANAGE")
        if found is not None:
            if found.file.is_dir():
                raise ObjectExists(path, "folder", " Give the path of a file in it.")
            if not overwrite:
                raise ObjectExists(path, found.kind.lower(), " Give overwrite=true to replace it.")
            if (found.kind is Kind.NOTEBOOK) is not arriving.is_notebook:
                what = "notebook" if arriving.is_notebook else "file"
                raise ObjectExists(path, found.kind.lower(), f" It cannot be replaced by a {what}.")
            self._require(found, "CAN_EDIT")
        self._tree.write(parts, arriving.suffix, arriving.content)
        row = self._rows.identified([path], self._principal.name)[path]
        if arriving.is_notebook:
            follow_cells(self._session, row.id, arriving.content, arriving.suffix)
        return self._told([self._tree.get(parts)])[0]

    def export(self, path: str, given: str) -> Exported:
        """The content of a file or notebook; a folder's as a zip file. Nothing is written."""
        node = self.find(path)
        wanted = check_format(given)
        if node.file.is_dir():
            if wanted not in {"AUTO", "SOURCE"}:
                message = f"The format {given} is not valid for a folder. Valid: AUTO, SOURCE."
                raise InvalidParameterValue(message, field="format")
            content = archive(self._tree, node, lambda path: self._level(parts_of(path)) is not None, MOST_BYTES)
            return Exported(content, "zip")
        return outgoing(node, wanted)

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete a file, a notebook or a folder.

        Raises:
            FolderNotEmpty: If the folder holds something and ``recursive`` is not given.
            FolderProtected: If it is one that the workspace cannot be without.
        """
        node = self._node(path, "CAN_MANAGE")
        self._refuse_protected(node)
        if node.kind is Kind.DIRECTORY and not recursive and not self._tree.is_empty(node):
            raise FolderNotEmpty(node.path)
        repos = [row.object_id for row, _ in self._rows.repos(node.path)]
        self._rows.forget(node.path)
        self._tree.delete(node)
        for object_id in repos:
            shutil.rmtree(self._git / str(object_id), ignore_errors=True)

    def set_aside(self, path: str) -> bytes:
        """Delete a file that can come back by ``bring_back``: its number stays its own; what it held."""
        node = self._node(path, "CAN_MANAGE")
        content = node.file.read_bytes()
        self._rows.move(node.path, f"{_ASIDE}{self._rows.identified([node.path])[node.path].id}")
        self._tree.delete(node)
        return content

    def bring_back(self, number: int, path: str, content: bytes) -> ObjectInfo:
        """Have a file again that was set aside."""
        parts = parts_of(path)
        self.place_for(path)
        self._rows.move(f"{_ASIDE}{number}", text_of(parts))
        self._tree.write(parts, "", content)
        return self._told([self._tree.get(parts)])[0]

    def forget_aside(self, number: int) -> None:
        """Give up what was set aside."""
        self._rows.forget(f"{_ASIDE}{number}")

    def move(self, path: str, to: str) -> ObjectInfo:
        """Give an object another path; it keeps its identifier and its permissions."""
        node = self._node(path, "CAN_MANAGE")
        self._refuse_protected(node)
        parts = parts_of(to, "destination_path")
        if not parts or parts[: len(node.parts)] == node.parts:
            raise PathInvalid("destination_path", to, f"it lies in what is to be moved, {node.path}.")
        self.place_for(to)
        self._rows.move(node.path, text_of(parts))
        self._tree.move(node, parts)
        return self._told([self._tree.get(parts)])[0]

    def _refuse_protected(self, node: Node) -> None:
        if node.parts in _TOP or (len(node.parts) == 2 and node.parts[0] == USERS):
            raise FolderProtected(node.path)

    def _folder(self, parts: Parts, path: str) -> Node:
        self._ensure_home(parts)
        found = self._tree.find(parts)
        if found is None or not self._sees(parts):
            raise ObjectNotFound(text_of(parts))
        if not found.file.is_dir():
            raise PathInvalid("path", path, f"{found.path} is a {found.kind.lower()}, not a folder.")
        return found

    def _node(self, path: str, level: str | None = None) -> Node:
        parts = parts_of(path)
        self._ensure_home(parts)
        if not self._sees(parts):
            raise ObjectNotFound(path)
        node = self._tree.find(parts)
        if node is None:
            # Deleted beside the API: what the path held must not hand its permissions to what comes there later.
            if self._rows.holds_repo([text_of(one) for one in above(parts)[1:]]):
                # Another branch may have it, with what was said about it.
                self._rows.clear_under(text_of(parts))
            else:
                self._rows.forget(text_of(parts))
            raise ObjectNotFound(path)
        if level is not None:
            self._require(node, level)
        return node

    def _ensure_home(self, parts: Parts) -> None:
        """The folders that are always there are made when somebody first looks."""
        if parts in _TOP or parts[0] == SHARED:
            for top in (self.home, (SHARED,), (REPOS,)):
                self._tree.make_folder(top)
        elif parts[0] in {USERS, REPOS} and self._tree.find(parts[:2]) is None:
            with suppress(PrincipalNotFound):
                self._tree.make_folder((parts[0], *home_of(IamService(self._session).get_principal(parts[1]).name)[1:]))

    def _told(self, nodes: Sequence[Node]) -> list[ObjectInfo]:
        rows = self._rows.identified([node.path for node in nodes])
        repos = self._rows.which_are_repos([row.id for row in rows.values()])
        told: list[ObjectInfo] = []
        for node in nodes:
            row, stat = rows[node.path], node.file.stat()
            told.append(
                ObjectInfo(
                    object_id=row.id,
                    path=node.path,
                    kind=Kind.REPO if row.id in repos else node.kind,
                    language=node.language,
                    size=None if node.file.is_dir() else stat.st_size,
                    created_at=min(row.created_at, int(stat.st_mtime * 1000)),
                    modified_at=int(stat.st_mtime * 1000),
                    level=self._level(node.parts),
                )
            )
        return told

    # ------------------------------------------------------------------------------------------------- permissions

    @cached_property
    def _granted(self) -> dict[Parts, str]:
        """The levels that the asker and its groups have been given, the highest of each path."""
        found: dict[Parts, str] = {}
        for path, level in self._rows.granted([self._principal.name, *self._principal.groups]):
            if path.startswith(_ASIDE):
                continue
            parts = parts_of(path)
            if not LEVELS.reaches(found.get(parts), level):
                found[parts] = level
        return found

    def _level(self, parts: Parts) -> str | None:
        """The highest level that the asker has on a path, by itself or by a folder above."""
        own = len(self.home) == 2 and parts[:2] in (self.home, (REPOS, *self.home[1:]))
        if self._principal.is_admin or own or parts[:1] == (SHARED,):
            return LEVELS.names[-1]
        held = [self._granted[one] for one in above(parts) if one in self._granted]
        return max(held, key=LEVELS.names.index) if held else None

    def _sees(self, parts: Parts) -> bool:
        """Whether the asker may know of a path: it has a level on it or on something in it."""
        if parts in _OPEN or self._level(parts) is not None:
            return True
        return any(one[: len(parts)] == parts for one in self._granted)

    def _require(self, node: Node, level: str) -> None:
        if not LEVELS.reaches(self._level(node.parts), level):
            raise ObjectPermissionMissing(self._principal.name, node.path, level)

    def _by_id(self, kind: str, object_id: str) -> tuple[ObjectRow, Node]:
        number = number_of(KINDS[kind], object_id)
        row = None if number is None else self._rows.by_id(number)
        if row is None or not self._sees(parts_of(row.path)):
            raise ObjectIdNotFound(kind, object_id)
        node = self._tree.find(parts_of(row.path))
        found = Kind.REPO if self._rows.repo(row.id) is not None else None if node is None else node.kind
        if node is None or found is not KINDS[kind]:
            raise ObjectIdNotFound(kind, object_id)
        return row, node

    def permissions(self, kind: str, object_id: str) -> Permissions:
        """Who may what on an object, by itself or by a folder above it."""
        _, node = self._by_id(kind, object_id)
        self._require(node, "CAN_READ")
        return self._permissions(node)

    def _permissions(self, node: Node) -> Permissions:
        paths = [text_of(one) for one in above(node.parts)]
        ids = self._rows.identified(paths)
        given = self._rows.permissions(paths)
        told = [
            Permission(Access(row.grantee, row.kind, row.level), None if path == node.path else ids[path].id)
            for path in paths
            for row in given[path]
        ]
        told += self._always(node, {path: row.id for path, row in ids.items()})
        return Permissions(self._told([node])[0], tuple(told))

    def _always(self, node: Node, ids: dict[str, int]) -> Iterable[Permission]:
        """What holds without anybody having given it."""

        def inherited(parts: Parts) -> int | None:
            return None if node.parts == parts else ids[text_of(parts)]

        highest = LEVELS.names[-1]
        if node.parts[:1] == (SHARED,):
            yield Permission(Access(ACCOUNT_USERS, "group_name", highest), inherited((SHARED,)))
        for access in self._at_home(node.parts):
            yield Permission(access, inherited(node.parts[:2]))
        yield Permission(Access(ADMINS, "group_name", highest), inherited(()))

    def _at_home(self, parts: Parts) -> Iterable[Access]:
        """Whose folder a path lies in."""
        if len(parts) > 1 and parts[0] in {USERS, REPOS}:
            with suppress(PrincipalNotFound):
                found = IamService(self._session).get_principal(parts[1])
                kind = "service_principal_name" if found.kind == "service_principal" else "user_name"
                yield Access(parts[1], kind, LEVELS.names[-1])

    def set_permissions(self, kind: str, object_id: str, changes: Sequence[AccessBody], *, replace_all: bool) -> Permissions:
        """Give levels on an object; with ``replace_all``, its own ones that are not named go.

        Raises:
            InvalidParameterValue: If a level is none, or an entry names nobody.
            PrincipalNotFound: If a grantee is nobody.
        """
        row, node = self._by_id(kind, object_id)
        self._require(node, "CAN_MANAGE")
        wanted = access_of(self._session, LEVELS, changes)
        if replace_all:
            self._rows.clear(row.id)
        for one in wanted:
            self._rows.permit(ObjectPermissionRow(object_id=row.id, grantee=one.grantee, kind=one.kind, level=one.level))
        self.__dict__.pop("_granted", None)
        return self._permissions(node)


def home_of(name: str) -> Parts:
    """The folder of a principal; Users itself if no folder can have its name."""
    with suppress(PathInvalid):
        parts = parts_of(f"/{USERS}/{name}")
        if len(parts) == 2:
            return parts
    return (USERS,)
