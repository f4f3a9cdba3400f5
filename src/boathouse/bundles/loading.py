"""A project's files as one value, and what it is for one target."""

import glob
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from boathouse.bundles.checking import Checker, Problems
from boathouse.bundles.errors import BundleInvalid, BundleMissing
from boathouse.bundles.kinds import ELSEWHERE, KINDS, all_fields
from boathouse.bundles.reading import read
from boathouse.bundles.schema import MERGED, Root
from boathouse.bundles.values import NOWHERE, Path, Place, Value, merged, shown

FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
NO_TARGET = "default"
"""The target of a bundle that names none."""


@dataclass(frozen=True)
class Source:
    """A project as it is written, before any target.

    Attributes:
        folder: Where its ``databricks.yml`` is.
        root: All its files as one.
    """

    folder: FilePath
    root: Value

    @property
    def targets(self) -> list[str]:
        """Their names."""
        found = self.root.get("targets")
        return list(found.fields) if found is not None else []


@dataclass(frozen=True)
class Selected:
    """A project for one target.

    Attributes:
        folder: Where its ``databricks.yml`` is.
        name: The target's.
        target: What it says.
        root: The project with the target laid over it.
    """

    folder: FilePath
    name: str
    target: Value
    root: Value

    @property
    def mode(self) -> str | None:
        """``development``, ``production`` or None."""
        mode = self.target.get("mode")
        return None if mode is None or mode.data is None else str(mode.data)


def find_folder(start: FilePath) -> FilePath:
    """The folder of the project that a folder is in.

    Raises:
        BundleMissing: If it is in none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if any((folder / name).is_file() for name in FILES):
            return folder
    raise BundleMissing(str(start.resolve()))


def load(folder: FilePath, problems: Problems) -> Source:
    """Read a project's files.

    Raises:
        BundleInvalid: If one cannot be read, or has something of a wrong type.
    """
    checker = Checker(all_fields(), problems)
    main = next(name for name in FILES if (folder / name).is_file())
    root = checker.checked(_read(folder, folder / main), Root)
    at = root.at  # the files that it includes have places of their own
    for file in _included(folder, main, root, problems):
        part = checker.checked(_read(folder, file), Root)
        _refuse_twice(root, part, problems)
        if (nested := part.get("include")) is not None:
            problems.warn(nested.at, f"include is heeded in {main} alone; this one is left out.")
        root = merged(root, part.without("include"))
    _refuse_unserved(root, problems)
    name = root.get("bundle", "name")
    if name is None or not str(name.data or "").strip():
        problems.error(bundle.at if (bundle := root.get("bundle")) else at, "bundle.name is missing. Valid: a text.")
    problems.raise_errors()
    return Source(folder, root)


def _read(folder: FilePath, file: FilePath) -> Value:
    shown = str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleInvalid([(Place(shown), f"cannot be read: {error}")]) from None
    return read(text, shown)


def _included(folder: FilePath, main: str, root: Value, problems: Problems) -> list[FilePath]:
    found: dict[FilePath, None] = {}
    for pattern in (root.get("include") or Value([])).entries:
        text = str(pattern.data)
        matches = sorted(glob.glob(text, root_dir=folder, recursive=True))  # noqa: PTH207 - relative patterns with ** and ./
        if not matches and not glob.has_magic(text):
            problems.error(pattern.at, f"the file {text} of include is not there.")
        for match in matches:
            file = FilePath(folder, match).resolve()
            if file.is_file() and file != (folder / main).resolve():
                found[file] = None
    return list(found)


def _refuse_twice(root: Value, part: Value, problems: Problems) -> None:
    for kind, resources in (part.get("resources") or Value({})).fields.items():
        for key, one in resources.fields.items():
            first = root.get("resources", kind, key)
            if first is not None:
                problems.error(one.at, f"resources.{kind}.{key} is defined in {first.at} already.")


def _refuse_unserved(root: Value, problems: Problems) -> None:
    python = root.get("python")
    if python is not None and python.data:
        message = (
            "python (resources defined by code) is not served here: write these resources in YAML, or generate YAML from the code "
            "and include it."
        )
        problems.error(python.at, message)
    experimental = root.get("experimental")
    if experimental is not None and experimental.data:
        problems.warn(experimental.at, "experimental settings are left out.")
    _tell_unheeded(root, problems)
    places = [root.get("resources"), *(one.get("resources") for one in (root.get("targets") or Value({})).fields.values())]
    for resources in places:
        for name, one in (resources or Value({})).fields.items():
            if name in KINDS:
                continue
            valid = f" Valid: {', '.join(KINDS)}."
            why = (
                f"resources.{name} are deployed to Databricks only: take them out, or keep them in a target of their own."
                if name in ELSEWHERE
                else f"resources.{name} is no kind of resource."
            )
            problems.error(one.at, why + valid)


_UNHEEDED = (
    ("bundle", "databricks_cli_version"),
    ("presets", "artifacts_dynamic_version"),
    ("presets", "source_linked_deployment"),
    ("workspace", "resource_path"),
    ("scripts",),
)


def _tell_unheeded(root: Value, problems: Problems) -> None:
    """Keys that bundles have and that change nothing here are not passed over in silence."""
    targets = (root.get("targets") or Value({})).fields
    for layer in (root, *targets.values()):
        found: list[tuple[Path, Value | None]] = [(path, layer.get(*path)) for path in _UNHEEDED]
        for name, one in (layer.get("artifacts") or Value({})).fields.items():
            found.append((("artifacts", name, "dynamic_version"), one.get("dynamic_version")))
        for kind, of_kind in (layer.get("resources") or Value({})).fields.items():
            for key, one in of_kind.fields.items():
                found.append((("resources", kind, key, "lifecycle", "started"), one.get("lifecycle", "started")))
        for path, value in found:
            if value is not None and value.data not in (None, False):
                problems.warn(value.at, f"{shown(path)} is not heeded here.")


def select(source: Source, wanted: str | None) -> Selected:
    """The project for a target: the one that is asked for, the default one, or the only one.

    Raises:
        BundleInvalid: If there is no such target, or it is not clear which one is meant.
    """
    targets = source.root.get("targets") or Value({})
    names = list(targets.fields)
    if not names:
        if wanted not in {None, NO_TARGET}:
            raise BundleInvalid([(NOWHERE, f"there is no target '{wanted}': the bundle names none.")])
        return Selected(source.folder, NO_TARGET, Value({}), source.root)
    wanted = wanted or _default(targets)
    if wanted not in targets.fields:
        raise BundleInvalid([(targets.at, f"there is no target '{wanted}'. Valid: {', '.join(names)}.")])
    target = targets.fields[wanted]
    root = source.root
    for part in MERGED:
        over = target.get(part)
        if over is not None and over.data is not None:
            root = root.with_field(part, merged(root.get(part), over, part))
    for part in ("cluster_id", "compute_id", "git"):
        over = target.get(part)
        if over is not None and over.data is not None:
            root = root.set(("bundle", part), merged(root.get("bundle", part), over))
    return Selected(source.folder, wanted, target, _keyed(root))


def _default(targets: Value) -> str:
    names = list(targets.fields)
    default = [name for name, one in targets.fields.items() if (flag := one.get("default")) is not None and flag.data is True]
    if len(default) > 1:
        at = targets.fields[default[1]].at
        raise BundleInvalid([(at, f"more than one target is the default: {', '.join(default)}.")])
    if not default and len(names) > 1:
        raise BundleInvalid([(targets.at, f"no target is the default. Choose one with -t: {', '.join(names)}.")])
    return (default or names)[0]


def _keyed(root: Value) -> Value:
    """Entries of a list with the same key are one, also within one file."""

    def once(value: Value, name: str = "") -> Value:
        if isinstance(value.data, dict):
            return replace(value, data={key: once(one, key) for key, one in value.fields.items()})
        if isinstance(value.data, list):
            entries = replace(value, data=[once(one) for one in value.entries])
            return merged(replace(value, data=[]), entries, name)
        return value

    resources = root.get("resources")
    return root if resources is None else root.with_field("resources", once(resources))


def text_at(value: Value, *path: str) -> str | None:
    """A text at a path, or None."""
    found: Any = value.get(*path)
    return None if found is None or found.data is None else str(found.data)
