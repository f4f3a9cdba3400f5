"""databricks/mlops-stacks renders as it does with Go, in all of its forms."""

import hashlib
import json
import re
import tarfile
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml

from boathouse.templates import answers, rendering, schema
from boathouse.templates.rendering import File, Renderer
from tests.templates.mlops_stacks import render_mlops_stacks, unpack
from tests.templates.workspace import Nobody

# Hashes of what Go 1.26's text/template makes of the same files and answers.
GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("mlops_stacks_golden.json").read_text())
ROOT, PROJECT = "taxi-fares", "taxi-fares/taxi_fares"
UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("mlops-stacks"))


def test_init_writes_what_go_renders(tmp_path: Path) -> None:
    assert render_mlops_stacks(tmp_path, GOLDEN["answers"]) == tmp_path / PROJECT
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    bundle = written[f"{PROJECT}/databricks.yml"].decode()
    assert len(re.findall(UUID, bundle)) == 1
    written[f"{PROJECT}/databricks.yml"] = re.sub(UUID, "00000000-0000-0000-0000-000000000000", bundle).encode()
    assert {name: hashlib.sha256(content).hexdigest() for name, content in written.items()} == GOLDEN["files"]


CLOUDS = ("azure", "aws", "gcp")
PLATFORMS = {
    "github_actions": ".github",
    "github_actions_for_github_enterprise_servers": ".github",
    "azure_devops": ".azure",
    "gitlab": ".gitlab",
}
# Feature store, recipes, models in Unity Catalog: the template excludes the other combinations.
KINDS = (("no", "no", "no"), ("no", "no", "yes"), ("no", "yes", "no"), ("yes", "no", "no"), ("yes", "no", "yes"))


@pytest.mark.parametrize("mode", ["CICD_and_Project", "Project_Only", "CICD_Only"])
def test_every_form(template: Path, mode: str) -> None:
    # Each cloud, platform and kind in each mode, not all with all: what is left out depends on one or the other.
    for cloud, platform, (store, recipes, catalog) in zip(cycle(CLOUDS), cycle(PLATFORMS), KINDS, strict=False):
        given = {
            "input_setup_cicd_and_project": mode,
            "input_root_dir": ROOT,
            "input_project_name": "taxi-fares",
            "input_cloud": cloud,
            "input_cicd_platform": platform,
            "input_include_feature_store": store,
            "input_include_mlflow_recipes": recipes,
            "input_include_models_in_unity_catalog": catalog,
            "input_schema_name": "taxi",
            "input_inference_table_name": "prod.taxi.predictions",
        }
        renderer = Renderer(template, Nobody())
        files = {file.path: file for file in renderer.files(answers.resolve(schema.read(template), given, renderer.say))}
        for file in files.values():
            check_is_rendered(file)
        assert not any("/cicd/" in name or "update_layout" in name or "params_testing" in name for name in files)
        check_layout(set(files), mode, PLATFORMS[platform], store=store, recipes=recipes, catalog=catalog)


def check_is_rendered(file: File) -> None:
    """No action of the template is left: what is in braces is CI's, the platform's or MLflow's; and YAML is YAML."""
    if file.path.endswith((".parquet", ".gz")):
        return
    text = file.content.decode()
    left = [
        found for found in re.findall(r"(?<!\$)\{\{(.*?)\}\}", text) if re.search(r"\.input_|template |\bend\b|\bif\b", found)
    ]
    assert not left, file.path
    if file.path.endswith((".yml", ".yaml")) and "/profiles/" not in file.path and "recipe" not in file.path:
        assert list(yaml.safe_load_all(text)), file.path


def check_layout(names: set[str], mode: str, platform: str, *, store: str, recipes: str, catalog: str) -> None:
    def has(path: str) -> bool:
        return any(name == path or name.startswith(f"{path}/") for name in names)

    only_project, only_ci = mode == "Project_Only", mode == "CICD_Only"
    for other in (".github", ".azure", ".gitlab"):
        # The template leaves GitLab's files in a project without CI if GitLab is its answer all the same.
        assert has(f"{ROOT}/{other}") == (other == platform and (not only_project or other == ".gitlab")), (
            other,
            mode,
            platform,
        )
    assert has(f"{ROOT}/cicd.tar.gz") == (not only_project)
    assert has(PROJECT) == (not only_ci)
    if only_ci:
        assert not any(name.rpartition("/")[2].startswith("taxi-fares-") for name in names if "/.gitlab/" not in name)
        return
    assert has(f"{PROJECT}/feature_engineering") == (store == "yes")
    assert has(f"{PROJECT}/training/notebooks/TrainWithFeatureStore.py") == (store == "yes")
    assert has(f"{PROJECT}/training/data/sample.parquet") == (recipes == "yes")
    assert has(f"{PROJECT}/training/notebooks/Train.py") == (store == recipes == "no")
    assert has(f"{PROJECT}/utils.py") == (catalog == "no")


def test_its_own_template_for_ci_renders_with_its_own_answers(tmp_path: Path) -> None:
    """mlops-stacks carries a second template, whose answers hold more than it asks for."""
    project = render_mlops_stacks(tmp_path, GOLDEN["answers"])
    with tarfile.open(project.parent / "cicd.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    given = json.loads((project.parent / "cicd_params.json").read_text()) | {"input_project_name": "taxi-fares"}
    given |= json.loads((project / "project_params.json").read_text())
    questions, renderer = schema.read(tmp_path / "cicd"), Renderer(tmp_path / "cicd", Nobody())
    assert answers.unknown(questions, given) == [
        "test_catalog_name",
        "staging_catalog_name",
        "prod_catalog_name",
        "input_docker_image",
    ]
    files = renderer.files(answers.resolve(questions, given, renderer.say))
    rendering.write(files, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.yml")) == [
        f"taxi-fares-{name}.yml" for name in ("bundle-cd-prod", "bundle-cd-staging", "bundle-ci", "run-tests")
    ]
