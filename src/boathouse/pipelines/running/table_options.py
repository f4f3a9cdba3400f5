"""What a declaration says of a table beside its rows: it holds at the next update, also for a table that is there already."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from boathouse.engine.gateway.sql.tokens import literal, quote
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Policy
from boathouse.pipelines.planning.plan import Names, PlannedDataset
from boathouse.pipelines.running.rows import QUARANTINE
from boathouse.pipelines.running.state import State

_MARK = "options:"


class TableOptions:
    """Keeps the options of tables as they are declared.

    What was declared at the last update is remembered, so that what somebody else has altered since stays as it is until the
    declaration changes.

    Args:
        state: What the pipeline remembers.
        names: What names mean in the pipeline.
        run: Executes a statement for a dataset.
    """

    def __init__(self, state: State, names: Names, run: Callable[[PlannedDataset, str], None]) -> None:
        self._state = state
        self._names = names
        self._run = run

    def settle(self, dataset: PlannedDataset, *, created: bool) -> None:
        """Alter a table where its declaration is another one than at the last update.

        Args:
            dataset: The table's.
            created: Whether the table was made just now, as it is declared but for its policies.

        Raises:
            DefinitionInvalid: If the engine or the catalog refuses an option.
        """
        mark = _MARK + dataset.key
        said = declared(dataset)
        before: Mapping[str, Any] | None = None if created else self._state.get(mark)
        if created:
            before = {**said, "row_filter": None, "masks": {}}
        if said == before:
            if created:
                self._state.set(mark, said)
            return
        for text in self._statements(dataset, said, before or {}):
            self._run(dataset, text)
        self._state.set(mark, said)

    def forget(self, dataset: PlannedDataset) -> None:
        """Take what is declared for new: the dataset has another table now."""
        self._state.set(_MARK + dataset.key, None)

    def protect(self, dataset: PlannedDataset, name: tuple[str, ...]) -> None:
        """Let the policies of a table hold for another one that has its columns."""
        for text in self._policies(name, declared(dataset), {}):
            self._run(dataset, text)

    def _statements(self, dataset: PlannedDataset, said: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
        if before.get("path", said["path"]) != said["path"]:
            message = f"{dataset.full_name} lies at {before['path'] or 'a place of the catalog'}. Drop it first, or leave path as it was."
            raise DefinitionInvalid("INVALID_TABLE_PATH", message, dataset.dataset.location)
        if said["cluster_by"] != before.get("cluster_by", []):
            columns = ", ".join(quote((one,)) for one in said["cluster_by"])
            yield f"ALTER TABLE {dataset.quoted} CLUSTER BY {f'({columns})' if columns else 'NONE'}"
        if said["comment"] != before.get("comment"):
            yield f"COMMENT ON TABLE {dataset.quoted} IS {'NULL' if said['comment'] is None else literal(said['comment'])}"
        new = {key: value for key, value in said["properties"].items() if before.get("properties", {}).get(key) != value}
        gone = before.get("properties", {}).keys() - said["properties"].keys()
        if new:
            pairs = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in new.items())
            yield f"ALTER TABLE {dataset.quoted} SET TBLPROPERTIES ({pairs})"
        if gone:
            yield f"ALTER TABLE {dataset.quoted} UNSET TBLPROPERTIES IF EXISTS ({', '.join(literal(key) for key in sorted(gone))})"
        yield from self._policies(dataset.name, said, before)

    def _policies(self, name: tuple[str, ...], said: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
        table = f"ALTER TABLE {quote(name)}"
        if said["row_filter"] != before.get("row_filter"):
            function = said["row_filter"]
            yield f"{table} DROP ROW FILTER" if function is None else f"{table} SET ROW FILTER {self._bound(function, 'ON')}"
        masked: Mapping[str, Any] = before.get("masks", {})
        for column in sorted(masked.keys() | said["masks"].keys()):
            mask = said["masks"].get(column)
            if mask != masked.get(column):
                what = "DROP MASK" if mask is None else f"SET MASK {self._bound(mask, 'USING COLUMNS')}"
                yield f"{table} ALTER COLUMN {quote((column,))} {what}"

    def _bound(self, policy: Mapping[str, Any], words: str) -> str:
        arguments = f" {words} ({policy['arguments']})" if policy["arguments"] else ""
        return f"{quote(self._names.full(policy['function']))}{arguments}"


def declared(dataset: PlannedDataset) -> dict[str, Any]:
    """The options of a table, as they are remembered."""
    said = dataset.dataset
    masks = {column.name: _remembered(column.mask) for column in said.columns if column.mask is not None}
    return {
        "path": said.path,
        "cluster_by": list(said.cluster_by),
        "comment": said.comment,
        "properties": {key: str(value) for key, value in said.properties.items() if key != QUARANTINE},
        "row_filter": None if said.row_filter is None else _remembered(said.row_filter),
        "masks": masks,
    }


def _remembered(policy: Policy) -> dict[str, Any]:
    return {"function": list(policy.function), "arguments": policy.arguments}
