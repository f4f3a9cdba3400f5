"""What clients ask about a DataFrame as a whole: whether another is the same, which files it reads, whether it is kept."""

import zlib
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.gateway.names.visit import Visit
from boathouse.storage.paths import from_url
from boathouse.tables.api import data_path, replay

_KINDS = frozenset({"same_semantics", "semantic_hash", "input_files", "persist", "unpersist", "get_storage_level"})


@dataclass(frozen=True)
class Frames:
    """One such question.

    Attributes:
        request: The AnalyzePlanRequest.
        hashes: Of the plans in it, as the client sent them.
    """

    request: Any
    hashes: tuple[int, ...]

    @classmethod
    def of(cls, request: Any) -> "Frames | None":
        """The question of an AnalyzePlanRequest that was not looked at yet; None where it is another."""
        kind = request.WhichOneof("analyze")
        if kind not in _KINDS:
            return None
        asked = getattr(request, kind)
        plans = {
            "same_semantics": lambda: [asked.target_plan.root, asked.other_plan.root],
            "semantic_hash": lambda: [asked.plan.root],
            "input_files": lambda: [asked.plan.root],
        }.get(kind, lambda: [asked.relation])()
        return cls(request, tuple(_hash(plan) for plan in plans))

    def answer(self, visit: Visit) -> bytes:
        """The response, once the plan's names have been governed.

        Raises:
            PolicyInTheWay: If files are asked for of a table that is not shown whole.
        """
        kind = self.request.WhichOneof("analyze")
        response = proto().AnalyzePlanResponse(
            session_id=self.request.session_id, server_side_session_id=self.request.session_id
        )
        kept, key = visit.session.names.persisted, (self.request.session_id, self.hashes[0])
        match kind:
            case "same_semantics":
                response.same_semantics.result = self.hashes[0] == self.hashes[1]
            case "semantic_hash":
                # A signed whole number of four bytes.
                response.semantic_hash.result = self.hashes[0] - (1 << 31)
            case "input_files":
                response.input_files.files.extend(_files(visit))
            case "persist":
                level = self.request.persist.storage_level
                kept[key] = (level if self.request.persist.HasField("storage_level") else _default()).SerializeToString()
                response.persist.SetInParent()
            case "unpersist":
                kept.pop(key, None)
                response.unpersist.SetInParent()
            case _:
                # Not kept is a level that uses nothing.
                level = proto().StorageLevel.FromString(kept[key]) if key in kept else proto().StorageLevel(replication=1)
                response.get_storage_level.storage_level.CopyFrom(level)
        return response.SerializeToString()


def _default() -> Any:
    return proto().StorageLevel(use_disk=True, use_memory=True, deserialized=True, replication=1)


def _files(visit: Visit) -> list[str]:
    """The files of all tables that a plan reads, and of the folders that it names."""
    visit.require_explainable()
    found: set[str] = set()
    for table in visit.resolver.reads.values():
        if table.data_source_format == "DELTA" and not table.is_view:
            found |= _of_delta(table.storage_location)
    for path in visit.paths_read:
        folder = from_url(path)
        if (folder / "_delta_log").is_dir():
            found |= _of_delta(path)
        elif folder.is_file():
            found.add(folder.as_uri())
        elif folder.is_dir():
            found |= {one.as_uri() for one in folder.rglob("*") if one.is_file() and not one.name.startswith(("_", "."))}
    return sorted(found)


def _of_delta(location: str) -> set[str]:
    state = replay(location)
    return {data_path(state.folder, add["path"]).as_uri() for add in state.files.values()}


def _hash(plan: Any) -> int:
    """Of a plan whose identifiers are numbered anew: the client gives every frame new ones."""
    copy = type(plan)()
    copy.CopyFrom(plan)
    numbers: dict[int, int] = {}
    stack = [copy]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.full_name == "spark.connect.Relation":
            old = message.common.plan_id
            message.ClearField("common")
            message.common.plan_id = numbers.setdefault(old, len(numbers))
        elif message.DESCRIPTOR.full_name == "spark.connect.Expression":
            message.ClearField("common")
        elif "plan_id" in message.DESCRIPTOR.fields_by_name and message.HasField("plan_id"):
            message.plan_id = numbers.setdefault(message.plan_id, len(numbers))
        stack.extend(reversed(children(message)))
    return zlib.crc32(copy.SerializeToString(deterministic=True))
