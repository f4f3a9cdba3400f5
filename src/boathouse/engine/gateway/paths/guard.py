"""Which paths a principal may name, and where they really lie."""

import os
import re
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from boathouse.catalog.api import REMOTE, SYSTEM, PolicyInTheWay, Privilege, TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import PathMissing, PathRefused
from boathouse.engine.gateway.sql.path_names import SCHEME
from boathouse.iam.api import Principal
from boathouse.storage.layout import is_under

_GLOB = re.compile(r"[*?\[{]")
# Also where braces would put one together: /{.,x}{.,x}/
_DOTS = re.compile(r"(?:^|[{},/])\.+(?=[{},/]|$)")
# Paths of Spark without a scheme are DBFS's on Databricks; here they are this machine's, but for these.
_OF_DBFS = ("/databricks-datasets", "/FileStore")
_VALID = "give /Volumes/<catalog>/<schema>/<volume>/<path>, or the name of a table."


class Use(Enum):
    """What is to be done with a path."""

    READ = (Privilege.READ_VOLUME, Privilege.SELECT, True)
    WRITE = (Privilege.WRITE_VOLUME, Privilege.MODIFY, True)
    FILES = (Privilege.WRITE_VOLUME, Privilege.MODIFY, False)
    """To write files as they are, and not a Delta table: not among those of one."""

    @classmethod
    def of_sink(cls, source: str) -> "Use":
        """What a writer of a format does with its path; without a format it is Delta's."""
        return cls.WRITE if source.lower() in {"", "delta"} else cls.FILES

    @property
    def of_volume(self) -> Privilege:
        """The privilege that it needs on a volume."""
        return self.value[0]

    @property
    def of_table(self) -> Privilege:
        """The privilege that it needs on a table."""
        return self.value[1]

    @property
    def keeps_logs(self) -> bool:
        """Whether what a Delta table's log says of its files is true afterwards, too."""
        return self.value[2]


class PathGuard:
    """Resolves the paths that one principal names.

    An admin may name any path, but nobody writes into an external location that is for reading alone. Others reach volumes and tables on which they have the privilege, and nothing else: no other
    file of the machine, no other store.
    """

    def __init__(self, access: CatalogAccess, principal: Principal) -> None:
        self._access = access
        self._principal = principal

    def resolve(self, text: str, use: Use) -> str:
        """Where a path really lies, glob patterns kept.

        Raises:
            PathRefused: If it is not allowed, or not absolute.
            LocationReadOnly: If it is to be written to and lies in an external location that is for reading alone.
            PermissionDenied: If the privilege on the volume or table is missing.
        """
        path = self._local(text)
        if path is None:
            return self._elsewhere(text, use)
        if not path.startswith("/"):
            raise PathRefused(text, f"it is not absolute; {_VALID}")
        if "%2e" in path.lower() or "\0" in path:
            raise PathRefused(text, "it holds an encoded dot.")
        fixed, pattern = split_pattern(path)
        if fixed == "/Volumes" or fixed.startswith("/Volumes/"):
            self._refuse_dots(text, path)
            real = self._access.volume_path(self._principal, fixed, use.of_volume)
            path = f"{real}{pattern}"
        elif self._is_of_dbfs(text, fixed):
            self._refuse_dots(text, path)
            path = f"{self._in_dbfs(text, fixed)}{pattern}"
        elif not self._principal.is_admin:
            self._refuse_dots(text, path)
            self._require(text, Path(os.path.realpath(fixed)), use)
        else:
            self._refuse_governed(text, Path(os.path.realpath(fixed)), use)
            if use is not Use.READ:
                self._refuse_records(text, Path(os.path.realpath(fixed)))
                self._access.require_writable(self._principal, os.path.realpath(fixed))
        if use is Use.READ and not Path(split_pattern(path)[0]).exists():
            # The engine would read no rows and say nothing.
            raise PathMissing(text)
        return path

    def _elsewhere(self, text: str, use: Use) -> str:
        """An address in another store."""
        if not self._principal.is_admin:
            raise PathRefused(text, f"only admins may name other stores; {_VALID}")
        if use is not Use.READ and text.lower().startswith(REMOTE):
            self._access.require_writable(self._principal, text)
        return text

    def _is_of_dbfs(self, text: str, path: str) -> bool:
        found = SCHEME.match(text)
        if found is not None:
            return found[1].lower() == "dbfs"
        return any(path == top or path.startswith(f"{top}/") for top in _OF_DBFS)

    def _in_dbfs(self, text: str, path: str) -> Path:
        """Where a path of the DBFS root is: everybody's, so what lies there is, too."""
        root = Path(os.path.realpath(self._access.layout.dbfs))
        real = Path(os.path.realpath(root / path.lstrip("/")))
        if not is_under(real, root):
            raise PathRefused(text, "it leads out of the DBFS root.")
        return real

    def touches_lake(self, text: str) -> bool:
        """Whether a text, wherever it stands, names something inside the lake's root."""
        path = self._local(text)
        return path is not None and path.startswith("/") and is_under(Path(split_pattern(path)[0]), self._access.layout.root)

    def _local(self, text: str) -> str | None:
        found = SCHEME.match(text)
        if found is None:
            return text
        scheme, rest = found[1].lower(), text[found.end() :]
        if scheme == "dbfs":
            return "/" + rest.lstrip("/")
        if scheme != "file":
            return None
        if not rest.startswith("//"):
            return unquote(rest)
        parts = urlsplit(text)
        return unquote(rest[2 + len(parts.netloc) :]) if parts.netloc in {"", "localhost"} else None

    def _refuse_dots(self, text: str, path: str) -> None:
        if _DOTS.search(path):
            raise PathRefused(text, "it holds '.' or '..' as a part; write it without.")

    def _refuse_governed(self, text: str, path: Path, use: Use) -> None:
        """Not even an admin reads a table past its policies by accident (who manages it can take them off), a private one, or breaks one."""
        securable = self._access.securable_at(self._principal, path)
        if isinstance(securable, TableInfo):
            self._require_table(text, securable, None)
            _require_log_kept(text, securable, use)

    def _refuse_records(self, text: str, path: Path) -> None:
        """Not even an admin writes what the server records."""
        records = Path(os.path.realpath(self._access.layout.tables)) / SYSTEM
        if is_under(path, records) or is_under(records, path):
            raise PathRefused(text, f"the tables of the catalog {SYSTEM} are written by the server alone.")

    def _require(self, text: str, path: Path, use: Use) -> None:
        securable = self._access.securable_at(self._principal, path)
        if securable is None:
            raise PathRefused(text, f"it belongs to no table or volume that you may use; {_VALID}")
        if isinstance(securable, TableInfo):
            self._require_table(text, securable, use.of_table)
            _require_log_kept(text, securable, use)
        else:
            self._access.require_volume(self._principal, securable.full_name, use.of_volume)

    def _require_table(self, text: str, table: TableInfo, privilege: Privilege | None) -> None:
        if self._access.table(self._principal, table.full_name, privilege) is None:
            raise PathRefused(text, "it belongs to a table that is private to a pipeline.")
        if table.has_policy:
            raise PolicyInTheWay(table.full_name)


def _require_log_kept(text: str, table: TableInfo, use: Use) -> None:
    if table.data_source_format == "DELTA" and not use.keeps_logs:
        why = f"it is in the folder of the Delta table {table.full_name}, which files of another format would break; write to the table."
        raise PathRefused(text, why)


def split_pattern(path: str) -> tuple[str, str]:
    """A path's fixed folders, and the rest from the first one with a pattern."""
    found = _GLOB.search(path)
    if found is None:
        return path, ""
    cut = path.rfind("/", 0, found.start())
    return path[:cut] or "/", path[cut:]
