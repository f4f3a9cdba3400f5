"""Where the files of a lake really lie: /Workspace, /Volumes and /dbfs have no mount, they are looked up."""

import errno
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WORKSPACE, VOLUMES, DBFS = "/Workspace", "/Volumes", "/dbfs"
TEMPORARY = "/tmp"  # noqa: S108 - a name, which stands for a folder of the process's own
_SCHEMES = ("dbfs:", "file:")


@dataclass(frozen=True)
class Place:
    """A file or folder: where it really is, and how it is told of."""

    real: str
    shown: str


class Places:
    """Resolves the paths that user code names.

    Args:
        workspace: Folder of the workspace.
        dbfs: Folder of the DBFS root.
        volumes: Folders of the volumes, by their names with dots.
        why_not: Tells why a volume is not among them, as the error that opening a file in it is to raise.
        temporary: Stands for /tmp, if the process has no right on that.
        packages: Where those of notebooks are.
    """

    def __init__(
        self,
        workspace: str,
        dbfs: str,
        volumes: Mapping[str, str],
        why_not: Callable[[str, str], OSError],
        temporary: str | None = None,
        packages: str | None = None,
    ) -> None:
        self._volumes = {name.lower(): folder.rstrip("/") for name, folder in volumes.items()}
        self._why_not = why_not
        self._roots = {WORKSPACE: workspace.rstrip("/"), DBFS: dbfs.rstrip("/")}
        # A lake, or Python itself, may lie in /tmp; the runtime names their files by where they really are.
        python = (folder for folder in (packages or "", *sys.path, sys.prefix, sys.base_prefix) if folder.startswith("/"))
        self._real = (*self._roots.values(), *self._volumes.values(), *python)
        if temporary is not None:
            self._roots[TEMPORARY] = temporary
            self._real += (os.path.dirname(temporary),)

    def real(self, path: str) -> str:
        """Where a path of plain Python really is; one of this machine stays as it is.

        Raises:
            OSError: If it is in a volume that cannot be reached.
        """
        if not path.startswith("/"):
            return path
        # As the kernel has it: several slashes are one.
        normal = os.path.normpath("/" + path.lstrip("/")) if _may_be_ours(path) else path
        top = "/" + normal.split("/", 2)[1]
        if top == DBFS and normal.startswith(f"{DBFS}{VOLUMES}/"):
            return self.real(normal.removeprefix(DBFS))
        if top == VOLUMES and normal.count("/") >= 4:
            return self._in_volume(normal)
        if top in self._roots and not (top == TEMPORARY and self._is_real(normal)):
            return self._roots[top] + normal.removeprefix(top)
        return path

    def _is_real(self, path: str) -> bool:
        if path == TEMPORARY:
            return False
        return any(path == root or path.startswith(f"{root}/") or root.startswith(f"{path}/") for root in self._real)

    def _in_volume(self, path: str) -> str:
        parts = path.split("/", 5)
        name = ".".join(parts[2:5])
        folder = self._volumes.get(name.lower())
        if folder is None:
            raise self._why_not(name, path)
        return "/".join([folder, *parts[5:]])

    def of(self, url: str) -> Place:
        """Where a path of ``dbutils.fs`` is: without a scheme it is one of DBFS.

        Raises:
            OSError: If it is in a volume that cannot be reached.
        """
        scheme, path = next(((one, url.removeprefix(one)) for one in _SCHEMES if url.startswith(one)), ("", url))
        if "://" in url and not scheme:
            raise OSError(errno.EPROTONOSUPPORT, f"dbutils.fs reaches dbfs:/, /Volumes, /Workspace and file:/, not {url}")
        path = os.path.normpath("/" + path.lstrip("/"))
        if scheme == "file:":
            return Place(self.real(path), f"file:{path}")
        if path == WORKSPACE or path.startswith(f"{WORKSPACE}/"):
            return Place(self.real(path), f"file:{path}" if not scheme else f"dbfs:{path}")
        if path == VOLUMES or path.startswith(f"{VOLUMES}/"):
            return Place(self.real(path), f"dbfs:{path}")
        return Place(self._roots[DBFS] + (path if path != "/" else ""), f"dbfs:{path}")

    def names_in(self, path: str) -> list[str] | None:
        """What is in a folder above the volumes: catalogs, schemas or volumes; None for any other."""
        parts = [part for part in path.removeprefix("dbfs:").split("/") if part]
        if not parts or f"/{parts[0]}" != VOLUMES or len(parts) > 3:
            return None
        above = [part.lower() for part in parts[1:]]
        named = (name.split(".") for name in self._volumes)
        return sorted({name[len(above)] for name in named if name[: len(above)] == above})

    def shown(self, real: str) -> str:
        """How user code names a path: the other way round."""
        for top, root in self._roots.items():
            if real == root or real.startswith(f"{root}/"):
                return top + real.removeprefix(root)
        for name, folder in self._volumes.items():
            if real == folder or real.startswith(f"{folder}/"):
                return f"{VOLUMES}/{name.replace('.', '/')}{real.removeprefix(folder)}"
        return real


def _may_be_ours(path: str) -> bool:
    return ".." in path or path.lstrip("/").startswith((WORKSPACE[1:], VOLUMES[1:], DBFS[1:], "tmp"))
