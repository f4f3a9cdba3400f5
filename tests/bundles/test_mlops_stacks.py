"""The bundle of databricks/mlops-stacks, rendered for a project: read for each of its targets as it is."""

from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from boathouse.bundles.json_schema import json_schema
from boathouse.bundles.kinds import KINDS, all_fields
from boathouse.bundles.reading import read
from tests.bundles.project import bodies, ready
from tests.templates.mlops_stacks import render_mlops_stacks

ANSWERS = {
    "input_setup_cicd_and_project": "CICD_and_Project",
    "input_root_dir": "stacks",
    "input_project_name": "taxi-fares",
    "input_include_feature_store": "yes",
    "input_include_mlflow_recipes": "no",
    "input_include_models_in_unity_catalog": "yes",
    "input_schema_name": "taxi",
    "input_inference_table_name": "dev.taxi.predictions",
    "input_unity_catalog_read_user_group": "account users",
}


def test_mlops_stacks_for_each_of_its_targets(tmp_path: Path) -> None:
    folder = render_mlops_stacks(tmp_path, ANSWERS)
    main = folder / "databricks.yml"
    main.write_text(main.read_text().replace("  # - ./resources/monitoring", "  - ./resources/monitoring"))
    project, warned = ready(folder, "dev")
    # Keys that only hold anchors, and one that tasks do not have.
    assert {one.partition("unknown key '")[2].partition("'")[0] for one in warned} == {
        "new_cluster",
        "common_permissions",
        "grants",
        "git_source_info",
    }
    # The schema that editors have holds for what people have written.
    validator = Draft202012Validator(json_schema(all_fields()))
    validator.check_schema(validator.schema)
    for file in (main, *(folder / "resources").glob("*.yml")):
        written = read(file.read_text(), file.name).plain()
        assert [error.message for error in validator.iter_errors(written)] == []
    written["resources"]["jobs"] = {"j": {"tasks": {"a": 1}}}
    wrong = best_match(validator.iter_errors(written))
    assert wrong is not None
    assert list(wrong.absolute_path) == ["resources", "jobs", "j", "tasks"]
    found = bodies(project)
    files = "/Workspace/Users/ana.maria@example.com/.bundle/taxi-fares/dev/files"
    train = found["jobs.model_training_job"]
    assert train["name"] == "[dev ana_maria] dev-taxi-fares-model-training-job"
    assert train["schedule"] == {"quartz_cron_expression": "0 0 9 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"}
    assert train["permissions"] == [{"level": "CAN_VIEW", "group_name": "users"}]
    [first, *_] = train["tasks"]  # type: ignore[misc]
    assert first["notebook_task"]["notebook_path"] == f"{files}/training/notebooks/TrainWithFeatureStore"
    assert first["notebook_task"]["base_parameters"]["model_name"] == "dev.taxi.taxi-fares-model"
    assert first["notebook_task"]["base_parameters"]["git_source_info"] == "url:; branch:; commit:"
    assert found["registered_models.model"] == {
        "name": "dev_ana_maria_taxi-fares-model",
        "catalog_name": "dev",
        "schema_name": "taxi",
        "comment": 'Registered model in Unity Catalog for the "taxi-fares" ML Project for dev deployment target.',
        "grants": [{"privileges": ["EXECUTE"], "principal": "account users"}],
    }
    monitor = found["quality_monitors.taxi-fares_quality_monitor"]
    assert monitor["schedule"] == {"quartz_cron_expression": "0 0 8 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"}
    retrain = found["jobs.retraining_job"]["tasks"]
    assert retrain[2]["run_job_task"] == {"job_id": "${resources.jobs.model_training_job.id}"}  # type: ignore[index]
    assert retrain[1]["condition_task"]["left"].startswith("{{tasks.")  # type: ignore[index]
    for target in ("staging", "prod", "test"):
        other, _ = ready(folder, target)
        assert (
            {one.kind for one in other.resources} == {"jobs", "registered_models", "experiments", "quality_monitors"} < {*KINDS}
        )
        assert bodies(other)["experiments.experiment"]["name"] == f"/Users/ana.maria@example.com/{target}-taxi-fares-experiment"
        assert bodies(other)["registered_models.model"]["catalog_name"] == target
