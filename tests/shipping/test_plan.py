"""Where notebooks are parted, and what goes over the cuts."""

import ast

import pytest

from boathouse.shipping.cells import parsed
from boathouse.shipping.errors import NotebookUnfit
from boathouse.shipping.names import names_of
from boathouse.shipping.plan import Plan, planned
from boathouse.workspace.notebooks.model import Cell, Notebook
from boathouse.workspace.tree import Language

IMPORTS = (
    "import numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import Ridge\nfrom sklearn.metrics import r2_score"
)
READ = 'df = pd.read_csv("/Volumes/main/default/v/a.csv")'
FIT = 'model = Ridge().fit(df[["a"]], df["b"])'
MEASURE = 'r2_score(df["b"], model.predict(df[["a"]]))'


def plan_of(*cells: str) -> Plan:
    return planned(parsed(Notebook(Language.PYTHON, tuple(Cell(cell) for cell in cells))))


def steps_of(plan: Plan) -> dict[str, list[int]]:
    return {step.name: [cell.number for cell in step.cells] for step in plan.steps}


def carried(plan: Plan) -> dict[str, list[str]]:
    return {step.name: [one.name for one in step.kept] for step in plan.steps}


def test_the_plain_case() -> None:
    plan = plan_of(IMPORTS, READ, FIT, MEASURE)
    assert steps_of(plan) == {"ingest": [1, 2], "train": [3], "validate": [4]}
    assert carried(plan) == {"ingest": ["df"], "train": ["df", "model"], "validate": []}
    train, validate = plan.steps[1:]
    assert [one.text for one in train.repeated] == ["from sklearn.linear_model import Ridge"]
    assert [one.text for one in validate.repeated] == ["from sklearn.metrics import r2_score"]
    assert [one.name for one in validate.brought] == ["df", "model"]
    assert plan.model is not None
    assert (plan.model.name, plan.model.flavor, plan.model.example) == ("model", "sklearn", "df[['a']]")
    assert plan.warnings == ()
    assert plan.notes[:2] == (
        "df (a table, cell 2) goes from ingest to train as a file of the volume.",
        "df (a table, cell 2) goes from train to validate as a file of the volume.",
    )


def test_the_cut_with_the_fewest_values_is_taken() -> None:
    plan = plan_of(
        IMPORTS, READ, "df = df.dropna()", 'X, y = df[["a"]].to_numpy(), df["b"]', "m = Ridge().fit(X, y)", "m.score(X, y)"
    )
    assert steps_of(plan) == {"ingest": [1, 2, 3], "train": [4, 5], "validate": [6]}
    assert carried(plan) == {"ingest": ["df"], "train": ["X", "y", "m"], "validate": []}


def test_what_a_step_changes_it_keeps_again() -> None:
    plan = plan_of(
        IMPORTS, READ, "seen = []", f"{FIT}\nseen.append(1)\ndf.drop(columns='c', inplace=True)", f"{MEASURE}\nprint(seen)"
    )
    assert carried(plan) == {"ingest": ["df"], "train": ["df", "model", "seen"], "validate": []}
    # A constant is said again as long as nobody has changed it.
    assert "seen = []" in [one.text for one in plan.steps[1].repeated]


def test_functions_bring_what_they_need() -> None:
    plan = plan_of(
        IMPORTS,
        "SCALE = 2\ndef scaled(frame):\n    return frame * SCALE * factor",
        f"{READ}\nfactor = df['c'].max()",
        'model = Ridge().fit(scaled(df[["a"]]), df["b"])',
        'r2_score(df["b"], model.predict(scaled(df[["a"]])))',
    )
    assert steps_of(plan) == {"ingest": [1, 2, 3], "train": [4], "validate": [5]}
    assert carried(plan)["ingest"] == ["df", "factor"]
    repeated = [one.text for one in plan.steps[2].repeated]
    assert repeated == [IMPORTS.splitlines()[3], "SCALE = 2", "def scaled(frame):\n    return frame * SCALE * factor"]


def test_training_and_measuring_inside_of_functions() -> None:
    plan = plan_of(
        IMPORTS,
        "def train(frame):\n    return Ridge().fit(frame[['a']], frame['b'])",
        "def judge(one, frame):\n    return one.score(frame[['a']], frame['b'])",
        READ,
        "model = train(df)",
        "print(judge(model, df))",
    )
    assert steps_of(plan) == {"ingest": [1, 2, 3, 4], "train": [5], "validate": [6]}
    # What it was fitted to has no name outside, so it is logged and not registered.
    assert plan.model is not None
    assert plan.model.example is None
    assert "model is logged and not registered: what it was fitted to has no name outside of a function." in plan.notes


@pytest.mark.parametrize(
    ("made", "used", "what"),
    [
        ("handle = open('x')", "handle", "what open gives"),
        ("handle = {'one': Ridge()}", "handle", "a dict with sklearn.linear_model.Ridge"),
        ("import torch\nhandle = torch.nn.Linear(1, 1)", "handle", "what torch.nn.Linear gives"),
        ("handle = (row for row in df)", "handle", "a generator"),
        ("handle = df.groupby('a')", "handle", "a grouped table"),
        ("class Net:\n    pass\nhandle = Net()", "handle", "what Net gives"),
    ],
)
def test_what_cannot_be_carried_keeps_cells_together(made: str, used: str, what: str) -> None:
    plan = plan_of(IMPORTS, READ, f"{FIT}\n{made}", f"{MEASURE}\nprint({used})")
    assert steps_of(plan) == {"ingest": [1, 2], "train": [3, 4]}
    assert f"train and validate stay one step: handle ({what}; made in cell 3, used in cell 4)" in plan.notes[0]


def test_spark_sql_and_scalers() -> None:
    plan = plan_of(
        "from sklearn.preprocessing import StandardScaler\nfrom sklearn.linear_model import Ridge\nimport mlflow",
        "%sql\nSELECT * FROM main.default.orders",
        "orders = _sqldf.where('amount > 0')",
        "scaler = StandardScaler()\nX = scaler.fit_transform(orders.toPandas()[['amount']])",
        "model = Ridge()\nmodel.fit(X, X)",
        "mlflow.log_metric('r2', model.score(scaler.transform(X), X))\norders.count()",
    )
    assert steps_of(plan) == {"ingest": [1, 2, 3], "train": [4, 5], "validate": [6]}
    assert carried(plan) == {"ingest": ["orders"], "train": ["X", "scaler", "model"], "validate": []}
    assert plan.why[2] == "reads data: %sql"
    assert "orders (a Spark DataFrame, cell 3) goes from ingest to train and validate as a table of the schema." in plan.notes


def test_no_steps_that_are_not_there() -> None:
    plan = plan_of(f"{IMPORTS}\n{READ}\n{FIT}\n{MEASURE}")
    assert steps_of(plan) == {"train": [1]}
    assert plan.notes == (
        "There is no step ingest: cell 1 both reads data and trains.",
        "There is no step validate: cell 1 both trains and measures.",
    )
    with pytest.raises(NotebookUnfit, match="No cell trains a model"):
        plan_of(IMPORTS, READ)
    with pytest.raises(NotebookUnfit, match="Cell 2, line 3 is no Python"):
        plan_of(IMPORTS, "a = 1\nb = 2\nif:")


def test_the_model_is_the_one_that_learnt_last() -> None:
    plan = plan_of(
        f"{IMPORTS}\nfrom sklearn.preprocessing import StandardScaler",
        "first, second, scaler = Ridge(), Ridge(), StandardScaler()",
        READ,
        "second.fit(df[['a']], df['b'])\nfirst.fit(df[['a']], df['b'])\nscaler.fit(df[['a']])",
    )
    assert plan.model is not None
    assert plan.model.name == "first"
    nameless = plan_of(IMPORTS, READ, "Ridge().fit(df[['a']], df['b'])")
    assert nameless.model is None
    assert any(note.startswith("No model is registered: what cell 3 trains has no name of its own") for note in nameless.notes)


def test_a_function_that_calls_itself() -> None:
    plan = plan_of(
        IMPORTS, READ, "def deep(n):\n    return df if n == 0 else deep(n - 1)", "found = deep(3)", f"{FIT}\nprint(found)"
    )
    # What it gives is not known, so it is not carried; the table is.
    assert steps_of(plan)["train"] == [4, 5]
    assert carried(plan)["ingest"] == ["df"]


def test_seeds_and_registrations_are_told() -> None:
    plan = plan_of(f"{IMPORTS}\nnp.random.seed(1)", READ, FIT, "import mlflow\nmlflow.register_model('runs:/x', 'm')")
    assert plan.model is None
    assert any("numbers drawn after a cut are others than in the notebook" in note for note in plan.notes)


def test_installs_and_what_ends_a_notebook() -> None:
    plan = plan_of(
        "%pip install -q -r ../more.txt 'a[b]==1' c",
        "dbutils.library.restartPython()",
        "%cd ..",
        IMPORTS,
        READ,
        f"{FIT}\n!pip install d\ndbutils.notebook.exit('x')",
    )
    assert plan.installs == ("a[b]==1", "c", "d")
    assert plan.warnings == (
        "Cell 1 installs what ../more.txt says: put that file where the steps find it.",
        "Cell 3 changes the folder: other steps begin in that of their notebooks.",
        "Cell 6 ends its notebook: what this leaves for later steps comes after it, and is not left.",
    )
    repeated = [one.text for one in plan.steps[1].repeated]
    assert repeated[:2] == ["%pip install -q -r ../more.txt 'a[b]==1' c", "dbutils.library.restartPython()"]


@pytest.mark.parametrize(
    ("code", "uses", "makes"),
    [
        ("a = b", "b", "a"),
        ("a = 1\nprint(a)", "print", "a"),
        ("a += 1", "a", "a"),
        ("a['x'] = b", "a b", "a"),
        ("a.x.y = 1", "a", "a"),
        ("a.append(1)", "a", "a"),
        ("a.sort_values('x', inplace=True)", "a", "a"),
        ("a.sort_values('x')", "a", ""),
        ("for i in a:\n    b = i\nprint(b)", "a b print", "i b"),
        ("if a:\n    b = 1\nelse:\n    b = 2\nprint(b)", "a print", "b"),
        ("try:\n    import a\nexcept ImportError:\n    a = None\na", "ImportError", "a"),
        ("with open(a) as f:\n    b = f.read()\nb", "open a", "f b"),
        ("[x + y for x in a if x]", "a y", ""),
        ("{k: v for k, v in a}", "a", ""),
        ("f = lambda x, d=c: x + b", "b c", "f"),
        ("class A(b):\n    c = 1\n    d = c", "b", "A"),
        ("(a := b) + a", "b", "a"),
        ("import a.b, c as d\nfrom e import f as g", "", "a d g"),
        ("match a:\n    case {'x': b}:\n        b\n", "a", "b"),
        ("a, (b, *c) = d", "d", "a b c"),
        ("del a", "a", ""),
    ],
)
def test_names(code: str, uses: str, makes: str) -> None:
    names = names_of(ast.parse(code).body)
    assert (names.uses, names.makes) == (set(uses.split()), set(makes.split()))


def test_names_of_functions_are_taken_later() -> None:
    names = names_of(
        ast.parse(
            "def f(a, b=c):\n    global g\n    d = a + e\n    g = 1\n    h['x'] = 1\n    def i():\n        return d + j\n    return d"
        ).body
    )
    assert (names.uses, names.later, names.makes) == ({"c"}, {"e", "h", "j"}, {"f", "g"})
