"""What git says of a folder, as values."""

from dataclasses import dataclass

_WORDS = {"M": "MODIFIED", "A": "ADDED", "D": "DELETED", "R": "RENAMED", "C": "COPIED", "T": "MODIFIED", "U": "CONFLICTED"}


@dataclass(frozen=True)
class Change:
    """A file that is not as in the last commit; the path is relative to the folder."""

    path: str
    kind: str


@dataclass(frozen=True)
class Status:
    """A folder against its last commit, and that against the remote.

    Attributes:
        branch: None where no branch is checked out.
        commit: The last commit; None where there is none.
        ahead: Commits that the remote has not, as of the last fetch.
        behind: Commits of the remote that are not here, as of the last fetch.
        changes: Files that are not as in the last commit.
    """

    branch: str | None
    commit: str | None
    ahead: int
    behind: int
    changes: tuple[Change, ...]


def parse(text: str) -> Status:
    """Read ``git status --porcelain=v2 --branch -z``."""
    branch: str | None = None
    commit: str | None = None
    ahead = behind = 0
    changes: list[Change] = []
    fields = iter(text.split("\0"))
    for entry in fields:
        kind, _, rest = entry.partition(" ")
        if entry.startswith("# branch.oid "):
            commit = None if "(initial)" in entry else entry.split()[2]
        elif entry.startswith("# branch.head "):
            branch = None if "(detached)" in entry else entry.removeprefix("# branch.head ")
        elif entry.startswith("# branch.ab "):
            ahead, behind = (abs(int(number)) for number in entry.split()[2:4])
        elif kind == "?":
            changes.append(Change(rest, "ADDED"))
        elif kind in {"1", "2", "u"}:
            # Of a rename, the next field is where it was.
            count = {"1": 7, "2": 8, "u": 9}[kind]
            parts = rest.split(" ", count)
            if kind == "2":
                next(fields)
            letters = parts[0].replace(".", "")
            changes.append(Change(parts[-1], "CONFLICTED" if kind == "u" else _WORDS.get(letters[-1:], "MODIFIED")))
    return Status(branch, commit, ahead, behind, tuple(changes))
