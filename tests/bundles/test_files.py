"""Files: which are uploaded, how their paths are told to resources, what is built, what git knows."""

import subprocess
from pathlib import Path

import pytest

from boathouse.bundles.api import selected
from boathouse.bundles.checking import Problems
from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.files import compared
from boathouse.bundles.project import Options, prepare
from tests.bundles.project import ANA, NOTEBOOK, bodies, ready, write

PROJECT = {
    "databricks.yml": """
    bundle: {name: shop}
    include: [parts/*.yml]
    sync: {include: [out/kept.txt], exclude: ["*.tmp", docs/]}
    """,
    ".gitignore": "out/\n*.log\n!keep.log\n",
    "parts/jobs.yml": """
    resources:
      jobs:
        j:
          name: ${bundle.git.branch} ${bundle.git.origin_url}
          tasks:
            - {task_key: a, notebook_task: {notebook_path: ../src/n.py}}
            - {task_key: b, spark_python_task: {python_file: ../src/job.py}, libraries: [{requirements: ../r.txt}, {whl: ../dist/*.whl}]}
            - {task_key: c, notebook_task: {notebook_path: /Shared/there}}
            - {task_key: d, for_each_task: {inputs: "[1]", task: {task_key: e, notebook_task: {notebook_path: ../src/s.sql}}}}
          environments: [{environment_key: x, spec: {dependencies: ["-r ../r.txt", pandas==2, ../dist/*.whl]}}]
        g:
          git_source: {git_url: "https://example.com/x", git_provider: gitHub, git_branch: main}
          tasks: [{task_key: a, notebook_task: {notebook_path: nb/x}}]
      pipelines:
        p: {name: p, libraries: [{file: {path: ../src/job.py}}, {glob: {include: "../src/**"}}], root_path: ../src}
    """,
    "src/n.py": NOTEBOOK,
    "src/job.py": "print(1)\n",
    "src/s.sql": "-- Databricks notebook source\nSELECT 1\n",
    "src/.gitignore": "secret.txt\n",
    "src/secret.txt": "",
    "src/x.log": "",
    "src/keep.log": "",
    "src/a.tmp": "",
    "docs/x.md": "",
    "out/kept.txt": "",
    "out/not.txt": "",
    "r.txt": "pandas\n",
    "dist/shop-1-py3-none-any.whl": "old",
    ".databricks/x": "",
    "src/__pycache__/x.pyc": "",
}


def test_paths_and_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "repo" / "shop", PROJECT)
    write(tmp_path / "repo", {".gitignore": "r2.txt\n", "shop/r2.txt": ""})
    for arguments in (
        ("init", "-q", "-b", "trunk"),
        ("remote", "add", "origin", "https://me:token@example.com/shop.git"),
    ):
        subprocess.run(["git", "-C", str(tmp_path / "repo"), *arguments], check=True)
    (folder / "dist" / "shop-2-py3-none-any.whl").write_text("new")
    project, _ = ready(folder)
    files = "/Workspace/Users/ana.maria@example.com/.bundle/shop/default/files"
    wheel = "/Workspace/Users/ana.maria@example.com/.bundle/shop/default/artifacts/.internal/shop-2-py3-none-any.whl"
    found = bodies(project)
    assert found["jobs.j"] == {
        "name": "trunk https://example.com/shop.git",
        "tasks": [
            {"task_key": "a", "notebook_task": {"notebook_path": f"{files}/src/n"}},
            {
                "task_key": "b",
                "spark_python_task": {"python_file": f"{files}/src/job.py"},
                "libraries": [{"requirements": f"{files}/r.txt"}, {"whl": wheel}],
            },
            {"task_key": "c", "notebook_task": {"notebook_path": "/Shared/there"}},
            {
                "task_key": "d",
                "for_each_task": {
                    "inputs": "[1]",
                    "task": {"task_key": "e", "notebook_task": {"notebook_path": f"{files}/src/s"}},
                },
            },
        ],
        "environments": [{"environment_key": "x", "spec": {"dependencies": [f"-r {files}/r.txt", "pandas==2", wheel]}}],
    }
    assert found["jobs.g"]["tasks"] == [{"task_key": "a", "notebook_task": {"notebook_path": "nb/x"}}]
    assert found["pipelines.p"]["libraries"] == [
        {"file": {"path": f"{files}/src/job.py"}},
        {"glob": {"include": f"{files}/src/**"}},
    ]
    assert found["pipelines.p"]["root_path"] == f"{files}/src"
    assert {path.removeprefix(f"{files}/") for path in project.files} == {
        ".gitignore",
        "databricks.yml",
        "dist/shop-1-py3-none-any.whl",
        "dist/shop-2-py3-none-any.whl",
        "out/kept.txt",
        "parts/jobs.yml",
        "r.txt",
        "src/.gitignore",
        "src/job.py",
        "src/keep.log",
        "src/n",
        "src/s",
        wheel,
    }
    held = {path: one.hash for path, one in project.files.items()} | {f"{files}/gone": "x", f"{files}/r.txt": "other"}
    changes = compared(project.files, held)
    assert (list(changes.upload), changes.delete, changes.unchanged) == ([f"{files}/r.txt"], (f"{files}/gone",), 12)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    text = """
    bundle: {name: shop}
    resources:
      jobs:
        j:
          tasks:
            - {task_key: a, notebook_task: {notebook_path: n}}
            - {task_key: b, notebook_task: {notebook_path: plain.py}}
            - {task_key: c, spark_python_task: {python_file: n.py}}
            - {task_key: d, spark_python_task: {python_file: ../up.py}, libraries: [{whl: dist/*.whl}]}
    """
    folder = write(tmp_path / "shop", {"databricks.yml": text, "n.py": NOTEBOOK, "plain.py": "", "../up.py": ""})
    with pytest.raises(BundleInvalid) as error:
        ready(folder)
    assert [line.split(":", 2)[1:] for line in error.value.message.splitlines()] == [
        ["7", " the notebook n is not there. There is n.py: a notebook is named with its suffix."],
        [
            "8",
            " plain.py is no notebook: its first line has to be '# Databricks notebook source'. A plain file is run by spark_python_task.",
        ],
        ["9", " n.py is a notebook: name it where notebooks are named."],
        ["10", f" ../up.py lies outside of {folder}, which is uploaded. Add its folder to sync.paths."],
        ["10", " dist/*.whl finds no file. Build it first, or let an artifact with type: whl build it."],
    ]
    write(
        folder,
        {
            "databricks.yml": "bundle: {name: shop}\nsync: {paths: [., ../common], exclude: [a.*, /b.txt, deep/*.txt]}\n",
            "../common/c.py": "",
            "../common/b.txt": "",
            "a.txt": "",
            "b.txt": "",
            "deep/a.py": "",
            "deep/b.txt": "",
        },
    )
    project, _ = ready(folder)
    assert {path.partition("/files/")[2] for path in project.files} == {
        "common/b.txt",
        "common/c.py",
        "shop/databricks.yml",
        "shop/n",
        "shop/plain.py",
    }
    write(folder, {"n.ipynb": "{}"})
    with pytest.raises(BundleInvalid, match=r"would both be .*/shop/n: notebooks have no suffix there. Rename one."):
        ready(folder)


def test_artifacts_are_built(tmp_path: Path) -> None:
    text = """
    bundle: {name: shop}
    artifacts:
      lib: {type: whl, path: lib, build: "mkdir -p dist && cp a.txt dist/${PREFIX:-shop}-1.whl"}
    resources: {jobs: {j: {tasks: [{task_key: a, libraries: [{whl: ./lib/dist/*.whl}], condition_task: {op: EQUAL_TO, left: a, right: b}}]}}}
    """
    folder = write(tmp_path, {"databricks.yml": text, "lib/a.txt": "wheel"})
    problems = Problems()
    # Where nothing is built, a path stands for what will be.
    assert "/.internal/*.whl" in str(bodies(ready(folder)[0])["jobs.j"])
    project = prepare(selected(folder, None, problems), ANA, None, Options(build=True), problems)
    assert project.files["/Workspace/Users/ana.maria@example.com/.bundle/shop/default/artifacts/.internal/shop-1.whl"]
    write(folder, {"databricks.yml": text.replace("cp a.txt", "cp none.txt")})
    with pytest.raises(BundleInvalid, match=r"databricks.yml:4: the build of the artifact lib failed with status 1:"):
        prepare(selected(folder, None, problems), ANA, None, Options(build=True), problems)
