"""`boathouse ship` on notebooks as people write them."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from boathouse.cli import app
from boathouse.shipping.project import project_name
from boathouse.workspace.notebooks.parsing import parse

NOTEBOOKS = Path(__file__).parent / "notebooks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(NOTEBOOKS, tmp_path / "notebooks"))


def run(*arguments: object, said: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, arguments)], input=said, catch_exceptions=False)


def became(output: str) -> dict[int, str]:
    """The step of each cell, as the table says it."""
    return {int(found[1]): found[2] for found in re.finditer(r"^(\d+) .*? (ingest|train|validate) ", output, re.MULTILINE)}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Bike rentals.ipynb", "bike_rentals"),
        ("2024 über.ipynb", "project_2024_ber"),
        ("test.ipynb", "test_project"),
        ("pandas.py", "pandas_project"),
    ],
)
def test_names(file: str, name: str) -> None:
    assert project_name(Path(file)) == name


def notebook(project: Path, step: str) -> list[str]:
    cells = parse((project / f"src/notebooks/{step}.py").read_bytes(), ".py").cells
    return [cell.source for cell in cells]


def test_a_notebook_that_is_parted(folder: Path) -> None:
    out = folder / "out"
    declined = run("ship", folder / "Bike rentals.ipynb", "--output-dir", out, said="n\n")
    assert declined.exit_code == 1
    assert not out.exists()
    done = run("ship", folder / "Bike rentals.ipynb", "--output-dir", out, "--ci", "gitlab", said="y\n")
    assert done.exit_code == 0, done.output
    assert became(done.output) == dict.fromkeys(range(1, 8), "ingest") | dict.fromkeys(range(8, 11), "train") | dict.fromkeys(
        range(11, 14), "validate"
    )
    assert "reads data: pandas.read_csv" in done.output
    assert "measures: mean_absolute_error, r2_score" in done.output
    assert (
        "model (sklearn.ensemble.RandomForestRegressor, cell 10) goes from train to validate as a model in MLflow."
        in done.output
    )
    project = out / "bike_rentals"
    assert (project / ".gitlab-ci.yml").exists()
    assert (project / "src/notebooks/data/rentals.csv").read_bytes() == (folder / "data/rentals.csv").read_bytes()
    assert (project / "notebook/Bike rentals.ipynb").exists()
    assert not (project / "resources/pipeline.yml").exists()
    tasks = yaml.safe_load((project / "resources/jobs.yml").read_text())["resources"]["jobs"]["training"]["tasks"]
    assert [(task["task_key"], task.get("depends_on")) for task in tasks] == [
        ("ingest", None),
        ("train", [{"task_key": "ingest"}]),
        ("validate", [{"task_key": "train"}]),
    ]
    # Every cell is there, once, and as it was.
    original = [cell.source for cell in parse((folder / "Bike rentals.ipynb").read_bytes(), ".ipynb").cells]
    written = "\n".join(cell for step in ("ingest", "train", "validate") for cell in notebook(project, step))
    assert all(line in written for cell in original for line in cell.splitlines())
    assert notebook(project, "train")[-1].splitlines() == [
        '_steps.keep("X_test", X_test)',
        '_steps.keep("features", features)',
        '_steps.keep("y_test", y_test)',
        '_steps.keep_model("model", model, "sklearn", example=X_train)',
    ]
    again = run("ship", folder / "Bike rentals.ipynb", "--output-dir", out, "--yes")
    assert again.exit_code == 1
    assert "RESOURCE_ALREADY_EXISTS" in again.stderr


def test_notebooks_that_stay_together(folder: Path) -> None:
    churn = run("ship", folder / "churn.ipynb", "--output-dir", folder, "--yes")
    assert churn.exit_code == 0, churn.output
    assert became(churn.output) == {1: "ingest", 2: "ingest", 3: "train", 4: "train", 5: "train"}
    assert "models (a dict with sklearn.linear_model.LogisticRegression; made in cell 4, used in cell 5)" in churn.output
    assert '_steps.keep_table("joined", joined)' in notebook(folder / "churn", "ingest")
    digits = run("ship", folder / "digits.ipynb", "--output-dir", folder, "--name", "figures", "--yes")
    assert digits.exit_code == 0, digits.output
    assert set(became(digits.output).values()) == {"train"}
    for told in (
        "cell 3 both trains and measures",
        "Cell 4 uses classifer, which no cell before it makes.",
        "Cell 2 sets MLflow's address",
    ):
        assert told in digits.output
    assert "%pip install -q some-plots==1.0" in notebook(folder / "figures", "train")
    assert (folder / "figures/requirements.txt").read_text().endswith("# what the notebook installs\nsome-plots==1.0\n")
    assert (folder / "figures/tests/test_values.py").exists()


def test_what_cannot_be_shipped(folder: Path) -> None:
    (folder / "plain.py").write_text("print(1)\n")
    (folder / "query.sql").write_text("-- Databricks notebook source\nSELECT 1\n")
    (folder / "nothing.py").write_text("# Databricks notebook source\nprint(1)\n")
    (folder / "broken.ipynb").write_text("{}")
    for name, why in (
        ("plain.py", "is no notebook"),
        ("query.sql", "only those in Python can be shipped"),
        ("nothing.py", "No cell trains a model"),
        ("broken.ipynb", "It is no notebook"),
        ("absent.ipynb", "cannot be read"),
    ):
        refused = run("ship", folder / name, "--output-dir", folder / "out", "--yes")
        assert refused.exit_code == 1
        assert why in refused.stderr
    assert "ci: 'jenkins' is not valid" in run("ship", folder / "digits.ipynb", "--ci", "jenkins", "--yes").stderr
    assert "--name statistics is not valid" in run("ship", folder / "digits.ipynb", "--name", "statistics", "--yes").stderr
    assert "project_name: 'No name' is not valid" in run("ship", folder / "digits.ipynb", "--name", "No name", "--yes").stderr


def test_files_that_are_elsewhere_are_told(folder: Path) -> None:
    reads = [
        f"pd.read_csv({path!r})"
        for path in ("gone.csv", "../above.csv", str(folder / "data/rentals.csv"), "https://x.org/a.csv")
    ]
    source = "\n".join(
        [
            "# Databricks notebook source",
            "import pandas as pd",
            *reads,
            "from sklearn.svm import SVC",
            "SVC().fit([[0], [1]], [0, 1])",
        ]
    )
    (folder / "reads.py").write_text(source)
    (folder.parent / "above.csv").write_text("")
    done = run("ship", folder / "reads.py", "--output-dir", folder, "--yes")
    assert "Cell 1 reads gone.csv, which is not there: put it into a volume" in done.output
    assert "Cell 1 reads ../above.csv, which lies outside of the notebook's folder" in done.output
    assert f"Cell 1 reads {folder}/data/rentals.csv, which lies outside" in done.output
    assert "x.org" not in done.output.partition("Warning")[2]
