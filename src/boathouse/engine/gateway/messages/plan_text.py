"""The plans that the engine explains, as trees of their lines."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_SECTION = re.compile(r"^== (.*) ==$", re.MULTILINE)


@dataclass
class PlanNode:
    """A line of a plan and the lines under it."""

    text: str
    children: list["PlanNode"] = field(default_factory=list["PlanNode"])

    @property
    def kind(self) -> str:
        """What it does: ``Projection``, ``Inner Join``, ``Union``."""
        return self.text.partition(":")[0].strip()

    @property
    def rest(self) -> str:
        """What stands after that."""
        return self.text.partition(": ")[2]

    def walk(self) -> Iterator["PlanNode"]:
        """It and all below."""
        yield self
        for child in self.children:
            yield from child.walk()


def sections(plan: str) -> Mapping[str, str]:
    """The parts of an explanation by their titles."""
    parts = _SECTION.split(plan)
    return dict(zip(parts[1::2], parts[2::2], strict=False))


def tree(text: str) -> list[PlanNode]:
    """The lines of a plan, those that stand outermost."""
    roots: list[PlanNode] = []
    path: list[tuple[int, PlanNode]] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        node = PlanNode(line.strip())
        while path and path[-1][0] >= depth:
            path.pop()
        (path[-1][1].children if path else roots).append(node)
        path.append((depth, node))
    return roots


def parsed(plan: str) -> PlanNode | None:
    """The plan of an explanation in which names are resolved and nothing is optimised; None where there is none."""
    roots = tree(sections(plan).get("Parsed Logical Plan", ""))
    return roots[0] if len(roots) == 1 else None


def split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside of brackets and quotes."""
    depth, start, quoted = 0, 0, False
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth == 0:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()
