"""A thread stays at its cell, whatever happens to the notebook around it."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from boathouse.workspace.comments.anchors import Anchor, anchor_at, anchor_of, find, follow
from boathouse.workspace.notebooks import Cell, parse, to_jupyter, to_source

LOAD = "df = spark.table('main.sales.orders')\ndisplay(df)"
TRAIN = "model = LogisticRegression(C=0.1)\nmodel.fit(X, y)"
SHOW = "display(model.coef_)"


def cells(*sources: str) -> list[Cell]:
    return [Cell(source) for source in sources]


def identified(**sources: str) -> list[Cell]:
    return [Cell(source, id=name) for name, source in sources.items()]


# What happens to a notebook between two looks: each takes the cells' labels with their texts.
Labelled = list[tuple[int, str]]
STEP = st.tuples(st.sampled_from(["insert", "delete", "move", "edit", "rewrite"]), st.integers(0, 1000), st.integers(0, 1000))


def changed(notebook: Labelled, step: tuple[str, int, int], new: int) -> Labelled:
    kind, first, second = step
    after = list(notebook)
    at, to = first % len(after), second % len(after)
    if kind == "insert":
        after.insert(second % (len(after) + 1), (new, f"value_{new} = compute_{new}({first})\nassert value_{new} > {second}"))
    elif kind == "delete" and len(after) > 1:
        del after[at]
    elif kind == "move":
        after.insert(to, after.pop(at))
    elif kind == "edit":
        label, text = after[at]
        after[at] = (label, f"{text[: second % (len(text) + 1)]}_{new}{text[second % (len(text) + 1) :]}")
    elif kind == "rewrite":
        after[at] = (after[at][0], f"# begun anew {new * 7919}\nprint({new} ** {second})")
    return after


@given(st.integers(2, 8), st.integers(0, 7), st.lists(STEP, max_size=12))
def test_a_thread_follows_its_cell_through_any_edits(count: int, which: int, steps: list[tuple[str, int, int]]) -> None:
    notebook: Labelled = [
        (label, f"step_{label} = prepare('{label * 31}', {label})\nrun(step_{label})") for label in range(count)
    ]
    label = which % count
    anchor = anchor_at(cells(*(text for _, text in notebook)), label)
    for new, step in enumerate(steps, start=100):
        notebook = changed(notebook, step, new)
        seen = cells(*(text for _, text in notebook))
        places = [at for at, (one, _) in enumerate(notebook) if one == label]
        assert find(anchor, seen) == (places[0] if places else None)
        anchor = Anchor.of_json(json.loads(json.dumps(follow(anchor, seen).to_json())))
        assert anchor.gone is not bool(places)


@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 4))
def test_of_cells_that_are_the_same_each_keeps_its_own(before: int, which: int, inserted: int) -> None:
    alike = [SHOW] * (before + 1)
    notebook = [LOAD, *alike, TRAIN]
    anchor = anchor_at(cells(*notebook), 1 + which % len(alike))
    assert find(anchor, cells(*(f"n = {number}" for number in range(inserted)), *notebook)) == anchor.position + inserted


def test_a_cell_that_is_gone_comes_back_with_its_very_text_only() -> None:
    whole = cells(LOAD, TRAIN, SHOW)
    anchor = follow(anchor_at(whole, 1), cells(LOAD, SHOW))
    assert anchor.gone
    assert anchor.text == TRAIN
    # Another cell between the same neighbours is another one.
    assert find(anchor, cells(LOAD, "print('new')", SHOW)) is None
    assert find(anchor, cells(LOAD, f"{TRAIN}\n", SHOW)) == 1
    assert not follow(anchor, whole).gone
    assert find(anchor, []) is None
    # Written anew while nobody looked, it is the same one; two for one are not.
    assert find(anchor_at(whole, 1), cells(LOAD, "print('new')", SHOW)) == 1
    assert find(anchor_at(whole, 1), cells(LOAD, "print('new')", "print('other')", SHOW)) is None
    # Changed beside the API by many things at once.
    edited = cells("# Orders", LOAD, "import x", TRAIN.replace("0.1", "0.25"), "y = 1", SHOW)
    assert find(anchor_at(whole, 1), edited) == 3


def test_the_identifiers_of_jupyter_s_cells_decide() -> None:
    whole = identified(a=LOAD, b=TRAIN, c=SHOW)
    anchor = anchor_at(whole, 1)
    assert find(anchor, identified(c=SHOW, x="1", b="nothing alike", a=LOAD)) == 2
    # Another cell in its place is another one, and one that was written in source form meanwhile is the same.
    assert find(anchor, identified(a=LOAD, x=TRAIN.replace("0.1", "0.2"), c=SHOW)) is None
    assert find(anchor, cells(LOAD, TRAIN.replace("0.1", "0.2"), SHOW)) == 1
    # Tools that give all cells new identifiers leave their texts.
    assert find(anchor, identified(x=LOAD, y=TRAIN, z=SHOW)) == 1


def test_what_is_not_saved_yet_has_an_anchor() -> None:
    saved = cells(LOAD, "%md\n# Training", TRAIN)
    # As seen by an editor in which cells were put before it.
    assert anchor_of(saved, 7, TRAIN, None) == anchor_at(saved, 2)
    assert anchor_of(saved, 1, "# Training", None) == anchor_at(saved, 1)
    # Edited, and new.
    edited = anchor_of(saved, 2, TRAIN.replace("0.1", "1.0"), None)
    assert find(edited, cells(LOAD, "%md\n# Training", TRAIN.replace("0.1", "1.0"))) == 2
    new = anchor_of(saved, 2, "import this", None)
    assert find(new, cells(LOAD, "%md\n# Training", "import this", TRAIN)) == 2
    assert find(anchor_of(saved, 99, "", None), cells(LOAD, "%md\n# Training", TRAIN, "")) == 3
    assert find(anchor_of([], 0, "x", None), cells("x")) == 0
    # In a Jupyter file by its identifier, even if another cell has the same text.
    jupyter = identified(a=LOAD, b=SHOW)
    new = anchor_of(jupyter, 1, SHOW, "n")
    assert find(new, identified(a=LOAD, n=SHOW, b=SHOW)) == 1
    assert anchor_of(jupyter, 0, SHOW, "b") == anchor_at(jupyter, 1)
    # A file of before identifiers were: they come with the first saving.
    assert anchor_of(saved, 2, TRAIN, "n") == replace(anchor_at(saved, 2), cell_id="n")


def test_both_forms_of_a_notebook_have_the_same_anchors() -> None:
    source = b"# Databricks notebook source\n# MAGIC %md Hello\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT 1\n\n# COMMAND ----------\n\nx = 1\n"
    notebook = parse(source, ".py")
    jupyter = parse(json.dumps(to_jupyter(notebook)).encode(), ".ipynb")
    assert parse(to_source(jupyter), ".py").cells != ()
    for position in range(3):
        assert find(replace(anchor_at(notebook.cells, position), cell_id=None), jupyter.cells) == position
        assert find(anchor_at(jupyter.cells, position), notebook.cells) == position
    assert [cell.id for cell in jupyter.cells] == ["cell-0", "cell-1", "cell-2"]


def test_long_and_strange_texts_are_compared_quickly() -> None:
    long = "\n".join(f"row_{number} = '{'ab' * 40}'" for number in range(5_000))
    anchor = anchor_at(cells(LOAD, long, SHOW), 1)
    assert len(json.dumps(anchor.to_json())) < 5_000
    assert find(anchor, cells(LOAD, "z" * 400_000, long.replace("row_1 ", "first "), SHOW)) == 2
    assert find(anchor_at(cells("\ud800", ""), 0), cells("", "\ud800")) == 1
