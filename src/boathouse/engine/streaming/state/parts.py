"""Aggregate functions as sums of parts: what is computed of new rows, how that is put together, and what is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from boathouse.engine.streaming.state.operator import TOUCHED


@dataclass(frozen=True)
class Part:
    """A column of the state that an aggregate is made of.

    Attributes:
        compute: The function of the new rows.
        merge: How such values are put together, as SQL over the parts ``{0}``, ``{1}``, ...
        arguments: How many of the aggregate's arguments the function takes, from which on; all without it.
    """

    compute: str
    merge: str
    arguments: tuple[int, int] | None = None


@dataclass(frozen=True)
class Rule:
    """How an aggregate is made of parts.

    Attributes:
        parts: Its parts.
        final: Itself, as SQL over the parts ``{0}``, ``{1}``, ...
        merges_two: Whether no more than two values of its parts can be put together at once.
    """

    parts: tuple[Part, ...]
    final: str = "{0}"
    merges_two: bool = False


def _self_merging(name: str) -> Rule:
    return Rule((Part(name, f"{name}({{0}})"),))


_SET = "array_distinct(flatten(collect_list({0})))"
_NEWER = f"CAST({TOUCHED} AS INT)"
# Put together are two at most, what was and what is new: with their counts, means and variances, no sums of squares, which lose digits.
_PRODUCT = "((sum({0}) * sum({0}) - sum({0} * {0})) / 2)"
_BETWEEN = f"{_PRODUCT} / sum({{0}}) * power(max({{1}}) - min({{1}}), 2)"
_SPREAD = (
    Part("count", "sum({0})"),
    Part("avg", "sum({0} * CAST({1} AS DOUBLE)) / sum({0})"),
    Part("var_pop", f"(sum({{0}} * {{2}}) + {_BETWEEN}) / sum({{0}})"),
)
_SAMPLE = "CASE WHEN {0} > 1 THEN {2} * {0} / ({0} - 1) END"

RULES: Mapping[str, Rule] = {
    **{
        name: _self_merging(name)
        for name in ("sum", "min", "max", "bool_and", "bool_or", "every", "some", "any", "bit_and", "bit_or", "bit_xor")
    },
    **{name: Rule((Part(name, "sum({0})"),)) for name in ("count", "count_if")},
    **dict.fromkeys(("avg", "mean"), Rule((Part("sum", "sum({0})"), Part("count", "sum({1})")), "({0} / {1})")),
    **dict.fromkeys(("first", "first_value", "any_value"), Rule((Part("first", f"min_by({{0}}, {_NEWER})"),))),
    **dict.fromkeys(("last", "last_value"), Rule((Part("last", f"max_by({{0}}, {_NEWER})"),))),
    **{
        f"{side}_by": Rule((Part(f"{side}_by", f"{side}_by({{0}}, {{1}})"), Part(side, f"{side}({{1}})", (1, 2))))
        for side in ("min", "max")
    },
    **dict.fromkeys(("collect_list", "array_agg"), Rule((Part("collect_list", "flatten(collect_list({0}))"),))),
    "collect_set": Rule((Part("collect_set", _SET),)),
    # As many values as there are, are remembered: it is exact.
    "approx_count_distinct": Rule((Part("collect_set", _SET, (0, 1)),), "size({0})"),
    "var_pop": Rule(_SPREAD, "{2}", merges_two=True),
    "stddev_pop": Rule(_SPREAD, "sqrt({2})", merges_two=True),
    **dict.fromkeys(("var_samp", "variance"), Rule(_SPREAD, _SAMPLE, merges_two=True)),
    **dict.fromkeys(("stddev_samp", "stddev", "std"), Rule(_SPREAD, f"sqrt({_SAMPLE})", merges_two=True)),
}
"""By the name of the aggregate function."""
