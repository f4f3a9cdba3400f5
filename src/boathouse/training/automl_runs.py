"""AutoML for who asks over REST: a notebook that calls ``databricks.automl``, and a run of it with the asker's rights.

What comes of it is read from the run and from MLflow's experiment of the same path.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from boathouse.catalog.api import CatalogService, Privilege, SecurableType
from boathouse.db import Database
from boathouse.errors import InvalidParameterValue
from boathouse.features.keys import feature_keys
from boathouse.iam.api import Principal
from boathouse.storage.layout import Layout
from boathouse.training.problems import METRICS, Problem, check_frameworks, frequency_of
from boathouse.workspace.api import WorkspaceService
from boathouse.workspace.notebooks import Cell, Language, Notebook, to_source

_FORECAST_ONLY = ("time_col", "identity_col", "frequency", "horizon", "country_code", "output_database")
_NOT_FORECAST = ("feature_store_lookups", "exclude_cols", "pos_label", "imputers", "split_col", "sample_weight_col")
_NUMBERS = frozenset({"BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "DECIMAL"})
_TEXTS = frozenset({"STRING", "CHAR", "VARCHAR"})
"""They may hold numbers, or moments, which is seen when they are read."""
_TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_NTZ"})
_Name = Annotated[str, Field(min_length=1, max_length=255)]


class FeatureStoreLookup(BaseModel):
    """A feature table whose features are joined to the rows first."""

    model_config = ConfigDict(extra="forbid")

    table_name: Annotated[str, Field(description="catalog.schema.table, on which the asker has SELECT", max_length=800)]
    lookup_key: Annotated[
        _Name | list[_Name], Field(description="Columns of the data set for the table's primary key, in order")
    ]
    timestamp_lookup_key: Annotated[_Name | None, Field(description="As of which the features are: the data set's column")] = (
        None
    )


class AutomlBody(BaseModel):
    """What is searched for; fields as the arguments of ``databricks.automl``."""

    model_config = ConfigDict(extra="forbid")

    problem: Problem
    dataset: Annotated[str, Field(description="catalog.schema.table, on which the asker has SELECT", max_length=800)]
    target_col: _Name
    timeout_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 15
    primary_metric: str | None = None
    exclude_cols: list[_Name] | None = None
    exclude_frameworks: list[_Name] | None = None
    feature_store_lookups: Annotated[list[FeatureStoreLookup], Field(max_length=100)] | None = None
    imputers: dict[_Name, str | dict[str, Any]] | None = None
    split_col: _Name | None = None
    sample_weight_col: _Name | None = None
    pos_label: str | float | bool | None = None
    time_col: _Name | None = None
    identity_col: list[_Name] | None = None
    frequency: Annotated[str, Field(max_length=20)] | None = None
    horizon: Annotated[int, Field(ge=1, le=10_000)] | None = None
    country_code: Annotated[str, Field(max_length=10)] | None = None
    output_database: Annotated[str, Field(max_length=520)] | None = None


class AutomlStarted(BaseModel):
    """Where to look."""

    run_id: Annotated[int, Field(description="Of the job's run that does it: /api/2.2/jobs/runs/get, and cancel")]
    experiment_name: Annotated[str, Field(description="Of MLflow's experiment, once the search has begun")]
    notebook_path: Annotated[str, Field(description="The notebook that is run")]


@dataclass(frozen=True)
class Prepared:
    """A notebook that waits to be run.

    Attributes:
        name: Of the search.
        folder: Path of its folder, and of the experiment.
        notebook: Its path.
    """

    name: str
    folder: str
    notebook: str


def prepare(database: Database, layout: Layout, principal: Principal, body: AutomlBody) -> Prepared:
    """Check what is asked, and write the notebook into the asker's home.

    Raises:
        InvalidParameterValue: If a field is wrong; it is named.
        SecurableNotFound: If there is no such table, or no schema for the forecast.
        PrivilegeMissing: If the asker may not read it, or not create tables there.
    """
    with database.session(write=True) as session:
        catalog = CatalogService(session, principal, layout)
        table = catalog.get_table(body.dataset, Privilege.SELECT)
        columns = {str(one["name"]): str(one.get("type_name") or "") for one in table.columns}
        body, features = _with_lookups(catalog, body, columns)
        body = _as_in_table(body, columns, features)
        _check(body)
        if body.output_database is not None:
            catalog.reach(SecurableType.SCHEMA, body.output_database, Privilege.CREATE_TABLE)
        workspace = WorkspaceService(session, principal, layout)
        short = re.sub(r"[^\w-]+", "_", f"{body.target_col}_{table.full_name.rpartition('.')[2]}")[:80]
        name = f"{short}-{time.strftime('%Y-%m-%d-%H-%M-%S', time.gmtime())}-{time.time_ns() // 1_000_000 % 1000:03}"
        parent = f"{workspace.home_path}/databricks_automl"
        folder = f"{parent}/{name}"
        workspace.make_folder(folder)
        notebook = f"{folder}/start"
        workspace.write(notebook, _source(body, table.full_name, parent, name), "SOURCE", "PYTHON", overwrite=False)
        return Prepared(name, folder, notebook)


def task_of(prepared: Prepared) -> dict[str, Any]:
    """The body of ``jobs/runs/submit``."""
    task = {"task_key": "automl", "notebook_task": {"notebook_path": prepared.notebook}}
    return {"run_name": f"AutoML: {prepared.name}", "tasks": [task]}


def _with_lookups(catalog: CatalogService, body: AutomlBody, columns: Mapping[str, str]) -> tuple[AutomlBody, list[str]]:
    """The same with lookups as the tables are written, and the names of the features that they give.

    Raises:
        InvalidParameterValue: If a lookup does not fit its table's keys, or names a column that the data set does not have.
        SecurableNotFound: If there is no such table.
        PrivilegeMissing: If the asker may not read it.
    """
    lookups: list[FeatureStoreLookup] = []
    features: list[str] = []
    for number, one in enumerate(body.feature_store_lookups or ()):
        field = f"feature_store_lookups[{number}]"
        table = catalog.get_table(one.table_name, Privilege.SELECT)
        names = [str(column["name"]) for column in table.columns]
        keys = feature_keys(table.full_name, names, table.constraints, table.properties)
        given = [one.lookup_key] if isinstance(one.lookup_key, str) else one.lookup_key
        given = [_column(f"{field}.lookup_key", name, columns, body.dataset) for name in given]
        if len(given) != len(keys.primary_keys):
            told = f"{field}.lookup_key has {len(given)} columns; {table.full_name} has the key {', '.join(keys.primary_keys)}."
            raise InvalidParameterValue(told, field=f"{field}.lookup_key")
        time_key = one.timestamp_lookup_key
        if time_key is not None:
            if keys.timeseries_key is None:
                told = f"{field}.timestamp_lookup_key does not belong to {table.full_name}, whose primary key has no TIMESERIES column."
                raise InvalidParameterValue(told, field=f"{field}.timestamp_lookup_key")
            time_key = _column(f"{field}.timestamp_lookup_key", time_key, columns, body.dataset)
        lookups.append(FeatureStoreLookup(table_name=table.full_name, lookup_key=given, timestamp_lookup_key=time_key))
        features += [name for name in names if name not in keys.columns]
    return body.model_copy(update={"feature_store_lookups": lookups or None}), features


def _column(field: str, name: str, columns: Iterable[str], table: str) -> str:
    """A column as the table writes it, which SQL finds in any case.

    Raises:
        InvalidParameterValue: If it is not there.
    """
    there = list(columns)
    column = name if name in there else {one.lower(): one for one in there}.get(name.lower())
    if column is None:
        told = f"{field} names {name!r}, which is no column of {table}. Its columns: {', '.join(there)}."
        raise InvalidParameterValue(told, field=field)
    return column


def _as_in_table(body: AutomlBody, columns: Mapping[str, str], features: Sequence[str]) -> AutomlBody:
    """The same with columns as the table writes them; those that are left out or imputed may be features that are looked up.

    Raises:
        InvalidParameterValue: If a column is not there, or its type is none for what it is to be.
    """

    def found(field: str, name: str) -> str:
        return _column(field, name, [*columns, *features] if field in {"exclude_cols", "imputers"} else columns, body.dataset)

    changes: dict[str, Any] = {}
    for field in ("target_col", "time_col", "split_col", "sample_weight_col"):
        if (name := getattr(body, field)) is not None:
            changes[field] = found(field, name)
    for field in ("identity_col", "exclude_cols"):
        if (names := getattr(body, field)) is not None:
            changes[field] = [found(field, name) for name in names]
    if body.imputers is not None:
        changes["imputers"] = {found("imputers", name): how for name, how in body.imputers.items()}
    body = body.model_copy(update=changes)
    _check_types(body, columns)
    return body


def _check_types(body: AutomlBody, columns: Mapping[str, str]) -> None:
    learned = _NUMBERS | _TEXTS | (frozenset({"BOOLEAN"}) | _TIMES if body.problem == "classify" else frozenset())
    valid = {
        "target_col": (
            learned,
            "what can be told apart" if body.problem == "classify" else "a number; use classify for classes",
        ),
        "sample_weight_col": (_NUMBERS, "a number"),
        "split_col": (_TEXTS, "a text: train, validate or test"),
    }
    if body.problem == "forecast":
        valid["time_col"] = (_TIMES | _TEXTS, "a date or timestamp, or a text of these")
    for field, (types, what) in valid.items():
        name = getattr(body, field)
        if name is not None and columns[name] and columns[name] not in types:
            told = f"{field} names {name!r}, which is of type {columns[name]}: it has to be {what}."
            raise InvalidParameterValue(told, field=field)


def _check(body: AutomlBody) -> None:
    metrics = METRICS[body.problem]
    if body.primary_metric is not None and body.primary_metric not in metrics:
        told = f"primary_metric is {body.primary_metric!r}; of {body.problem} it is one of {', '.join(metrics)}."
        raise InvalidParameterValue(told, field="primary_metric")
    wrong = _NOT_FORECAST if body.problem == "forecast" else tuple(one for one in _FORECAST_ONLY if one != "time_col")
    for name in (*wrong, *(("pos_label",) if body.problem == "regress" else ())):
        if getattr(body, name) is not None:
            raise InvalidParameterValue(f"{name} does not belong to {body.problem}.", field=name)
    _check_roles(body)
    for field, check in (
        ("exclude_frameworks", lambda: check_frameworks(body.problem, body.exclude_frameworks or ())),
        ("frequency", lambda: body.frequency is None or frequency_of(body.frequency)),
    ):
        try:
            check()
        except ValueError as error:
            raise InvalidParameterValue(str(error), field=field) from None


def _check_roles(body: AutomlBody) -> None:
    if body.problem == "forecast" and body.time_col is None:
        raise InvalidParameterValue("time_col is missing: a forecast needs the column with the moments.", field="time_col")
    if body.time_col is not None and body.split_col is not None:
        raise InvalidParameterValue("time_col and split_col both say how rows are split; give one of them.", field="split_col")
    different = [one for one in (body.target_col, body.time_col, *(body.identity_col or ())) if one is not None]
    if body.problem == "forecast" and len(set(different)) < len(different):
        raise InvalidParameterValue("target_col, time_col and identity_col are different columns.", field="identity_col")
    for field in ("time_col", "split_col", "sample_weight_col", "exclude_cols"):
        named = getattr(body, field)
        if named is not None and body.target_col in ([named] if isinstance(named, str) else named):
            raise InvalidParameterValue(f"{field} names the target, {body.target_col!r}.", field=field)


def _source(body: AutomlBody, table: str, parent: str, name: str) -> bytes:
    """A notebook that can be run again by hand."""
    given = body.model_dump(exclude={"problem", "dataset"}, exclude_none=True)
    arguments = {"dataset": table, **given, "experiment_dir": parent, "experiment_name": name}
    lines = "".join(f"    {key}={value!r},\n" for key, value in arguments.items())
    cells = (
        Cell(f"%md\n# AutoML: `{body.target_col}` of `{table}`"),
        Cell(f"from databricks import automl\n\nfound = automl.{body.problem}(\n{lines})"),
        Cell("display(found.leaderboard())"),
    )
    return to_source(Notebook(Language.PYTHON, cells))
