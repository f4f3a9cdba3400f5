"""Which step each cell of a notebook becomes, and what goes from one step to the next."""

import ast
import builtins
from dataclasses import dataclass

from boathouse.shipping.cells import ParsedCell, line_magic
from boathouse.shipping.errors import NotebookUnfit
from boathouse.shipping.names import Names, names_of
from boathouse.shipping.portable import SEEDS, Statement, is_pip, is_portable, portable
from boathouse.shipping.reading import Reader
from boathouse.shipping.things import Found, Kind, Role, Thing, is_preparing, unknown

INGEST, TRAIN, VALIDATE = "ingest", "train", "validate"
_GIVEN = frozenset(dir(builtins)) | {
    "spark",
    "dbutils",
    "display",
    "displayHTML",
    "sql",
    "table",
    "get_ipython",
    "udf",
    "getArgument",
    "_sqldf",
}
_FLAVORS = {"sklearn": "sklearn", "imblearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost"}
_VERBS = {Role.DATA: "reads data", Role.TRAIN: "trains", Role.METRIC: "measures"}


@dataclass(frozen=True)
class StudiedCell:
    """A cell, and what is known of it.

    Attributes:
        names: Those that it uses and makes.
        found: What it does.
        statements: Those that can be repeated.
        things: What every name is after it.
    """

    parsed: ParsedCell
    names: Names
    found: tuple[Found, ...]
    statements: tuple[Statement, ...]
    things: dict[str, Thing]

    @property
    def number(self) -> int:
        """From 1."""
        return self.parsed.number

    def has(self, role: Role) -> bool:
        """Whether it does such a thing."""
        return any(one.role is role for one in self.found)

    def repeats(self, name: str) -> Statement | None:
        """The statement that makes a name and can be repeated."""
        return next((one for one in reversed(self.statements) if name in one.names.makes), None)


@dataclass(frozen=True)
class Carried:
    """A value that goes from one step to another.

    Attributes:
        maker: The number of the cell that made it.
        user: The number of the cell that needs it.
    """

    name: str
    thing: Thing
    maker: int
    user: int

    @property
    def flavor(self) -> str | None:
        """MLflow's flavor of a model."""
        return _FLAVORS.get(self.thing.what.partition(".")[0]) if self.thing.kind is Kind.MODEL else None

    @property
    def why_not(self) -> str | None:
        """Why it cannot be carried; None if it can."""
        if self.thing.kind in {Kind.TABLE, Kind.PLAIN, Kind.SPARK} or self.flavor is not None:
            return None
        what = self.thing.what or self.thing.kind.value
        return f"{self.name} ({what}; made in cell {self.maker}, used in cell {self.user}) is no table, array, number, text or model that is known here"


@dataclass(frozen=True)
class Step:
    """A notebook of the project.

    Attributes:
        repeated: Statements of earlier steps that it begins with.
        brought: Values of earlier steps.
        kept: Values that it leaves for later steps.
    """

    name: str
    cells: tuple[StudiedCell, ...]
    repeated: tuple[Statement, ...] = ()
    brought: tuple[Carried, ...] = ()
    kept: tuple[Carried, ...] = ()


@dataclass(frozen=True)
class Model:
    """The model that the notebook is about.

    Attributes:
        example: What it was fitted to, as it is written; None if that is not known outside of a function.
    """

    name: str
    flavor: str
    example: str | None


@dataclass(frozen=True)
class Plan:
    """What becomes of a notebook.

    Attributes:
        why: Of each cell, by its number.
        notes: What people should know of the cuts.
        warnings: What will not work as it is.
        model: The model to register; None if the notebook does that itself, or what it trains is not known.
        reads: Texts of paths that it reads, with the numbers of cells.
        installs: What it installs.
        imports: The packages that it imports.
    """

    steps: tuple[Step, ...]
    why: dict[int, str]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    model: Model | None = None
    reads: tuple[tuple[int, str], ...] = ()
    installs: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()

    def step_of(self, number: int) -> str:
        """The step that a cell is in."""
        return next(step.name for step in self.steps if any(cell.number == number for cell in step.cells))


def study(cells: list[ParsedCell]) -> tuple[list[StudiedCell], Reader]:
    """What is known of the cells, one after the other."""
    reader, constants, found = Reader(), set[str](), list[StudiedCell]()
    for cell in cells:
        reader.found.clear()
        reader.run(cell.tree.body)
        if cell.is_other and cell.cell.magic == "sql":
            reader.found.append(Found(Role.DATA, "%sql"))
            reader.names["_sqldf"] = Thing(Kind.SPARK, "a Spark DataFrame")
        names = names_of(cell.tree.body)
        if cell.is_other and cell.cell.magic == "sql":
            names.makes.add("_sqldf")
        for node in cell.tree.body:
            magic = line_magic(getattr(node, "value", node))
            names.has_star |= magic is not None and magic[0] == "run"
        statements = portable(cell, constants)
        found.append(StudiedCell(cell, names, tuple(reader.found), tuple(statements), dict(reader.names)))
    return found, reader


def planned(cells: list[ParsedCell]) -> Plan:
    """Where a notebook is parted.

    Raises:
        NotebookUnfit: If it trains nothing.
    """
    studied, reader = study(cells)
    training = [position for position, cell in enumerate(studied) if cell.has(Role.TRAIN)]
    if not training:
        raise NotebookUnfit(
            "No cell trains a model: none calls fit of an estimator, or train of xgboost or lightgbm. There is nothing to ship."
        )
    notes: list[str] = []
    first = _cut_before_training(studied, training[0], notes)
    second = _cut_after_training(studied, training[-1], notes)
    ends = [(INGEST, 0, first), (TRAIN, first, second), (VALIDATE, second, len(studied))]
    steps = _steps(studied, [(name, begin, end) for name, begin, end in ends if end > begin])
    notes += _told(steps)
    model = _model(studied, training[-1], reader, notes)
    return Plan(
        steps=steps,
        why={cell.number: _why(cell) for cell in studied},
        notes=tuple(notes),
        warnings=tuple(_warnings(studied)),
        model=model,
        reads=tuple((cell.number, one.path) for cell in studied for one in cell.found if one.role is Role.DATA and one.path),
        installs=tuple(_installs(studied)),
        imports=tuple(sorted(_imports(studied))),
    )


# Cuts


def _cut_before_training(cells: list[StudiedCell], training: int, notes: list[str]) -> int:
    """Where the cells that read and prepare data end; 0 for no cut."""
    reading = [position for position, cell in enumerate(cells[:training]) if cell.has(Role.DATA)]
    if not reading:
        is_one = cells[training].has(Role.DATA)
        why = (
            f"cell {cells[training].number} both reads data and trains" if is_one else "no cell before the training reads data"
        )
        notes.append(f"There is no step {INGEST}: {why}.")
        return 0
    return _best(cells, range(reading[-1] + 1, training + 1), f"{INGEST} and {TRAIN}", notes) or 0


def _cut_after_training(cells: list[StudiedCell], training: int, notes: list[str]) -> int:
    """Where the cells that measure begin; the end for no cut."""
    measuring = next((position for position in range(training + 1, len(cells)) if cells[position].has(Role.METRIC)), None)
    if measuring is None:
        same = cells[training].has(Role.METRIC)
        told = f"cell {cells[training].number} both trains and measures" if same else "no cell after the training measures"
        notes.append(f"There is no step {VALIDATE}: {told}.")
        return len(cells)
    found = _best(cells, range(training + 1, measuring + 1), f"{TRAIN} and {VALIDATE}", notes)
    return len(cells) if found is None else found


def _best(cells: list[StudiedCell], places: range, between: str, notes: list[str]) -> int | None:
    """The place with the fewest values to carry, the last of those; None, and why, if all have one that cannot be."""
    best: tuple[int, int] | None = None
    refused: list[str] = []
    for place in places:
        _, crossing = _needs(cells, place, len(cells))
        why_not = [one.why_not for one in crossing if one.why_not is not None]
        if why_not:
            refused = why_not
        elif best is None or len(crossing) <= best[0]:
            best = (len(crossing), place)
    if best is None:
        notes.append(f"{between} stay one step: {'; '.join(refused)}.")
        return None
    place = best[1]
    # Text belongs to the cell that follows it.
    while place > 0 and not cells[place - 1].parsed.tree.body and not cells[place - 1].parsed.is_other:
        place -= 1
    return place


def _needs(cells: list[StudiedCell], begin: int, end: int) -> tuple[list[Statement], list[Carried]]:
    """What the cells from ``begin`` to ``end`` need of those before: statements to repeat, and values."""
    wanted = _wanted(cells[begin:end])
    repeated: dict[tuple[int, int], Statement] = {}
    carried: dict[str, Carried] = {}
    for position, cell in enumerate(cells[:begin]):
        for index, one in enumerate(cell.statements):
            if one.is_setting:
                repeated[position, index] = one
                wanted = dict.fromkeys(one.names.uses, cells[begin].number) | wanted
    while wanted:
        name, user = wanted.popitem()
        maker = next((at for at in range(begin - 1, -1, -1) if name in cells[at].names.makes), None)
        if maker is None or name in carried:
            continue
        statement = cells[maker].repeats(name)
        if statement is None:
            thing = cells[begin - 1].things.get(name) or unknown("something that is not known")
            carried[name] = Carried(name, thing, cells[maker].number, user)
            continue
        key = maker, cells[maker].statements.index(statement)
        if key not in repeated:
            repeated[key] = statement
            wanted |= dict.fromkeys(statement.names.uses | statement.names.later, user)
    ordered = sorted(carried.values(), key=lambda one: (one.maker, one.name))
    return [repeated[key] for key in sorted(repeated)], ordered


def _wanted(cells: list[StudiedCell]) -> dict[str, int]:
    """The names that cells take from before them, with the number of the first that does."""
    found: dict[str, int] = {}
    made: set[str] = set()
    for cell in cells:
        for name in cell.names.uses - made:
            found.setdefault(name, cell.number)
        made |= cell.names.makes
    for cell in cells:
        for name in cell.names.later - made:
            found.setdefault(name, cell.number)
    return found


def _steps(cells: list[StudiedCell], ends: list[tuple[str, int, int]]) -> tuple[Step, ...]:
    needs = [_needs(cells, begin, end) for _, begin, end in ends]
    made = [{name for cell in cells[begin:end] for name in cell.names.makes} for _, begin, end in ends]
    touched = [{name for cell in cells[begin:end] for name in cell.names.uses | cell.names.later} for _, begin, end in ends]
    kept: list[dict[str, Carried]] = [{} for _ in ends]
    for at, (_, brought) in enumerate(needs):
        for one in brought:
            # The last step that has so much as touched a value may have changed it; Spark's DataFrames do not change.
            holders = (
                made if one.thing.kind is Kind.SPARK else [left | right for left, right in zip(made, touched, strict=True)]
            )
            keeper = max(before for before in range(at) if one.name in holders[before])
            kept[keeper].setdefault(one.name, one)
    return tuple(
        Step(name, tuple(cells[begin:end]), tuple(needs[at][0]), tuple(needs[at][1]), tuple(kept[at].values()))
        for at, (name, begin, end) in enumerate(ends)
    )


# What people are told


def _told(steps: tuple[Step, ...]) -> list[str]:
    found: list[str] = []
    for at, step in enumerate(steps):
        for one in step.kept:
            users: list[str] = []
            for later in steps[at + 1 :]:
                users += [later.name] if any(one.name == brought.name for brought in later.brought) else []
                if any(one.name == kept.name for kept in later.kept):
                    break
            how = {Kind.SPARK: "as a table of the schema", Kind.MODEL: "as a model in MLflow"}
            told = how.get(one.thing.kind, "as a file of the volume")
            found.append(
                f"{one.name} ({one.thing.what}, cell {one.maker}) goes from {step.name} to {' and '.join(users)} {told}."
            )
    seeds = [
        statement.text for step in steps for statement in step.repeated if any(f".{seed}(" in statement.text for seed in SEEDS)
    ]
    if seeds:
        found.append(
            f"{seeds[0]} is said again at the beginning of each step: numbers drawn after a cut are others than in the notebook."
        )
    return found


def _why(cell: StudiedCell) -> str:
    if cell.parsed.cell.is_markdown or not cell.parsed.cell.source.strip():
        return "text"
    said = {role: [one.what for one in cell.found if one.role is role] for role in Role}
    told = [f"{_VERBS[role]}: {', '.join(dict.fromkeys(whats))}" for role, whats in said.items() if whats]
    if told:
        return "; ".join(told)
    if cell.parsed.is_other:
        return f"%{cell.parsed.cell.magic}, left where it is"
    if is_portable(cell.parsed, list(cell.statements)):
        return "imports, definitions, settings: said again where they are needed"
    return "left where it is"


def _warnings(cells: list[StudiedCell]) -> list[str]:
    found = [
        f"Cell {number} installs what {words[words.index('-r') + 1]} says: put that file where the steps find it."
        for number, words in _pip_lines(cells)
        if "-r" in words[:-1]
    ]
    made: set[str] = set()
    open_names = False
    for cell in cells:
        open_names = open_names or cell.names.has_star
        missing = set[str]() if open_names else cell.names.uses - made - cell.names.makes - _GIVEN
        found += [f"Cell {cell.number} uses {name}, which no cell before it makes." for name in sorted(missing)]
        made |= cell.names.makes
        if "get_ipython().run_line_magic('cd'" in cell.parsed.text:
            found.append(f"Cell {cell.number} changes the folder: other steps begin in that of their notebooks.")
        if "dbutils.notebook.exit(" in cell.parsed.text:
            found.append(
                f"Cell {cell.number} ends its notebook: what this leaves for later steps comes after it, and is not left."
            )
        if any("set_tracking_uri(" in one.text for one in cell.statements):
            found.append(
                f"Cell {cell.number} sets MLflow's address: in a job MLflow knows the server by itself, so take that line out."
            )
    return found


def _installs(cells: list[StudiedCell]) -> list[str]:
    """The packages that lines of pip name; files of requirements are told in warnings."""
    found: list[str] = []
    for _, words in _pip_lines(cells):
        takes_value = [False, *(word in {"-r", "-c", "-i", "-f", "--requirement"} for word in words)]
        found += [
            word.strip("'\"") for word, is_value in zip(words, takes_value, strict=False) if not is_value and word[0] != "-"
        ]
    return list(dict.fromkeys(found))


def _pip_lines(cells: list[StudiedCell]) -> list[tuple[int, list[str]]]:
    """What stands after ``pip install``, with the numbers of cells."""
    found: list[tuple[int, list[str]]] = []
    for cell in cells:
        for node in cell.parsed.tree.body:
            magic = line_magic(getattr(node, "value", node))
            if magic is not None and is_pip(magic):
                found.append((cell.number, [word for word in magic[1].split() if word not in {"pip", "pip3", "install"}]))
    return found


def _imports(cells: list[StudiedCell]) -> set[str]:
    found: set[str] = set()
    for cell in cells:
        for node in ast.walk(cell.parsed.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def _model(cells: list[StudiedCell], training: int, reader: Reader, notes: list[str]) -> Model | None:
    """The model that the last training cell fits, unless the notebook registers one itself."""
    text = "\n".join(cell.parsed.text for cell in cells)
    if "registered_model_name" in text or "register_model(" in text:
        notes.append("The notebook registers its model itself.")
        return None
    cell = cells[training]
    fitted = [name for name, thing in cell.things.items() if name in cell.names.makes and thing.kind is Kind.MODEL]
    models = [name for name in fitted if not is_preparing(cell.things[name])]
    name = next((one for one in reversed(reader.learnt_from) if one in models), models[-1] if models else None)
    flavor = None if name is None else _FLAVORS.get(cell.things[name].what.partition(".")[0])
    if name is None or flavor is None:
        notes.append(
            f"No model is registered: what cell {cell.number} trains has no name of its own, or is of no kind that is known here."
        )
        return None
    example = reader.learnt_from.get(name)
    if example is None:
        notes.append(f"{name} is logged and not registered: what it was fitted to has no name outside of a function.")
    return Model(name, flavor, example)
