"""The columns of datasets that a query function asks for: it is called before any dataset has been planned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Dataset, Relation
from boathouse.pipelines.planning.plan import Names, Schema
from boathouse.pipelines.planning.relations import Use, as_batch, rewritten, uses


def over_nothing(
    relation: Relation, names: Names, of: Callable[[str], Schema | None], nothing: Callable[[Schema], Relation]
) -> Relation:
    """A relation with the same columns over empty tables in the place of those whose columns are known.

    Args:
        relation: The relation.
        names: Of the pipeline.
        of: The columns of a dataset by its key; None for what is read as it is.
        nothing: The relation of no rows with some columns.
    """

    def meaning(use: Use) -> Relation | str:
        columns = of(names.key(use.name))
        return quote(names.full(use.name)) if columns is None else nothing(columns)

    return as_batch(rewritten(relation, meaning))


@dataclass
class Ahead:
    """Answers what DataFrames of datasets are asked about themselves, as ``columns``, ``schema`` and ``groupBy().sum("a")`` do.

    A dataset is planned when somebody asks for it, and the datasets that it reads before it.

    Attributes:
        names: Of the pipeline.
        datasets: All that it declares, by key.
        find: Finds the columns of a dataset by its key, and may ask for those of others here.
        nothing: The relation of no rows with some columns.
    """

    names: Names
    datasets: Mapping[str, Dataset]
    find: Callable[[str], Schema]
    nothing: Callable[[Schema], Relation]
    _found: dict[str, Schema | DefinitionInvalid] = field(default_factory=dict[str, Schema | DefinitionInvalid])
    _asking: list[str] = field(default_factory=list[str])

    def typed(self, relation: Relation) -> Relation:
        """A relation with the same columns that reads no dataset of the pipeline.

        Raises:
            DefinitionInvalid: If a dataset that it reads cannot be planned.
        """
        found, _ = uses(relation)
        if not any(self.names.key(use.name) in self.datasets for use in found):
            return relation
        return over_nothing(relation, self.names, self.of, self.nothing)

    def of(self, key: str) -> Schema | None:
        """The columns of a dataset, None for what is no dataset of the pipeline."""
        return self.columns(key) if key in self.datasets else None

    def columns(self, key: str) -> Schema:
        """The columns of a dataset.

        Raises:
            DefinitionInvalid: If it cannot be planned, for one because it needs those of whoever asks; whoever asks again gets the same error.
        """
        if key in self._asking:
            circle = [*self._asking[self._asking.index(key) :], key]
            text = " <- ".join(self.datasets[one].name for one in reversed(circle))
            message = f"The datasets need each other's columns in a circle: {text}."
            raise DefinitionInvalid("CYCLIC_GRAPH", message, self.datasets[key].location)
        if key not in self._found:
            self._asking.append(key)
            try:
                self._found[key] = self.find(key)
            except DefinitionInvalid as fault:
                self._found[key] = fault
            finally:
                self._asking.pop()
        found = self._found[key]
        if isinstance(found, DefinitionInvalid):
            raise found
        return found
