"""What expectations add to the rows of a flow, and what a write then has to say of them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from boathouse.engine.expected import KEPT, OPTION, REASON, columns
from boathouse.engine.gateway.forms.repeatable import unrepeatable
from boathouse.engine.gateway.sql.tokens import literal
from boathouse.pipelines.model import Action, Expectation, Relation
from boathouse.pipelines.planning.plan import PlannedDataset
from boathouse.pipelines.planning.relations import with_columns

QUARANTINE = "pipelines.quarantine"
"""Table property: false for no quarantine, or the name of its table."""


@dataclass(frozen=True)
class Checked:
    """The expectations of one dataset as its writes know them.

    Attributes:
        expectations: In order.
        quarantine: Name of the table that takes the rows that are dropped; None for none.
    """

    expectations: tuple[Expectation, ...]
    quarantine: tuple[str, ...] | None

    @property
    def drops(self) -> bool:
        """Whether rows may be dropped."""
        return any(one.action is Action.DROP for one in self.expectations)

    @property
    def _dropping(self) -> list[str]:
        return [one.name for one in self.expectations if one.action is Action.DROP]

    @property
    def options(self) -> dict[str, str]:
        """The writer's options."""
        said = {
            "names": [one.name for one in self.expectations],
            "failing": [one.name for one in self.expectations if one.action is Action.FAIL],
            "dropping": self._dropping,
            "quarantine": None if self.quarantine is None else ".".join(self.quarantine),
        }
        return {OPTION: json.dumps(said)}

    def flagged(self, rows: Relation) -> Relation:
        """Rows with what says which expectations they do not meet, and whether and why they are dropped."""
        if not self.expectations:
            return rows
        column = columns(one.name for one in self.expectations)
        # Of a CASE the engine makes a condition that has it twice, and one by chance then need not be the same.
        unmet = {column[one.name]: f"nullif(({one.constraint}) IS NOT TRUE, false)" for one in self.expectations}
        relation = with_columns(rows, unmet)
        if not self.drops:
            return relation
        kept = " AND ".join(self._kept(rows, column))
        reasons = ", ".join(f"CASE WHEN {column[one.name]} THEN {literal(one.name)} END" for one in self.expectations)
        return with_columns(relation, {KEPT: kept, REASON: f"CASE WHEN {kept} THEN NULL ELSE concat_ws(', ', {reasons}) END"})

    def _kept(self, rows: Relation, column: Mapping[str, str]) -> Iterator[str]:
        """What is true of a row that is kept, and else false.

        It is said of the row itself, since the engine can then pass over the others while it reads, unless a condition may be another one the second time.
        """
        dropping = [one for one in self.expectations if one.action is Action.DROP]
        if unrepeatable(with_columns(rows, {one.name: one.constraint for one in dropping})) is not None:
            return (f"{column[one.name]} IS NULL" for one in dropping)
        return (f"({one.constraint}) AND ({one.constraint}) IS NOT NULL" for one in dropping)

    def deciding(self, rows: Relation) -> Relation:
        """Rows with the conditions by which they are kept, or fail the update."""
        return with_columns(rows, {one.name: one.constraint for one in self.expectations if one.action is not Action.WARN})


def checked(dataset: PlannedDataset) -> Checked:
    """The expectations of a dataset."""
    said = dataset.dataset.properties.get(QUARANTINE, "true")
    drops = any(one.action is Action.DROP for one in dataset.dataset.expectations)
    quarantine = None
    if drops and said.lower() != "false":
        last = f"{dataset.name[-1]}_quarantine" if said.lower() == "true" else said
        quarantine = (*dataset.name[:-1], last)
    return Checked(dataset.dataset.expectations, quarantine)
