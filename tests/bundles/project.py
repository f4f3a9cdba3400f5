"""Projects for the tests: files in a folder, made ready for a target."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from boathouse.bundles.api import selected
from boathouse.bundles.checking import Problems
from boathouse.bundles.presets import User
from boathouse.bundles.project import Options, Project, prepare

ANA = User("ana.maria@example.com", is_service_principal=False)
NOTEBOOK = "# Databricks notebook source\nprint(1)\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files, whose texts may be indented."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return folder


def ready(folder: Path, target: str | None = None, user: User = ANA, **variables: str) -> tuple[Project, list[str]]:
    """A project made ready without a server, and what was warned of."""
    problems = Problems()
    project = prepare(selected(folder, target, problems), user, None, Options(variables), problems)
    return project, [f"{at}: {text}" for at, text in problems.warnings]


def bodies(project: Project) -> dict[str, dict[str, object]]:
    """The resources' bodies by their names."""
    return {one.name: dict(one.body) for one in project.resources}
