"""databricks/mlops-stacks, rendered by `boathouse init` from the archive that PROVENANCE.md tells of."""

import json
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from boathouse.cli import app

ARCHIVE = Path(__file__).with_name("mlops-stacks.tar.gz")


def unpack(folder: Path) -> Path:
    """The template in a folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def render_mlops_stacks(folder: Path, answers: Mapping[str, Any]) -> Path:
    """Render the template into a folder by its answers file, as a person does.

    Args:
        folder: Where the root folder of the project is made.
        answers: By the names of the template's properties; the others have their defaults.

    Returns:
        The project: the folder that `databricks.yml` lies in, or the root folder if only CI is asked for.
    """
    with tempfile.TemporaryDirectory() as held:
        template = unpack(Path(held) / "template")
        file = Path(held) / "answers.json"
        file.write_text(json.dumps(dict(answers)))
        command = ["init", str(template), "--config-file", str(file), "--output-dir", str(folder)]
        done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    name = answers.get("input_project_name", "my_mlops_project")
    root = folder / str(answers.get("input_root_dir", name))
    return next((path.parent for path in root.glob("*/databricks.yml")), root)
