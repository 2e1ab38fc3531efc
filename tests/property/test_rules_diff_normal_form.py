"""The normal form in which `goodword rules diff` compares conditions means what the condition meant.

Conditions are drawn at random and judged, before and after, on every combination of values and of missing ones by a
Kleene evaluator of the test's own. A normal form that changed a verdict would hide a difference, or invent one.
"""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, Number, RuleSet
from services.rules.comparing.normal import normal
from services.rules.comparing.notation import Notation

NOTATION = Notation(RuleSet(programme="p", currency="USD", timezone="UTC"))
TEXTS = ("A", "B", "C")
NUMBERS = (Number(1), Number(2), Number(3))
Seen = dict[str, object]


def comparison(path: str, operator: str, literal: object = None) -> Comparison:
    return Comparison(path=path, operator=operator, literal=literal, text="")  # type: ignore[arg-type] # drawn as texts


LEAVES = st.one_of(
    st.builds(comparison, st.sampled_from(["deal.product", "lead.channel"]), st.sampled_from(["exists", "missing"])),
    st.builds(
        comparison,
        st.sampled_from(["deal.product", "lead.channel"]),
        st.sampled_from(["==", "!="]),
        st.sampled_from(TEXTS),
    ),
    st.builds(
        comparison,
        st.just("deal.product"),
        st.sampled_from(["in", "not in"]),
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        comparison,
        st.just("survey.score"),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(NUMBERS),
    ),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def verdict(condition: Condition, seen: Seen) -> bool | None:
    match condition:
        case Not():
            inner = verdict(condition.condition, seen)
            return None if inner is None else not inner
        case AllOf() | AnyOf():
            found = [verdict(each, seen) for each in condition.conditions]
            decisive = isinstance(condition, AnyOf)
            return decisive if decisive in found else None if None in found else not decisive
        case Comparison():
            return compared(condition, seen.get(condition.path))


def compared(comparison: Comparison, value: object) -> bool | None:
    if comparison.operator in ("exists", "missing"):
        return (value is not None) == (comparison.operator == "exists")
    if value is None:
        return None
    if isinstance(value, Number):
        assert isinstance(comparison.literal, Number)
        one, other = value.millionths, comparison.literal.millionths
        return {
            "==": one == other,
            "!=": one != other,
            "<": one < other,
            "<=": one <= other,
            ">": one > other,
            ">=": one >= other,
        }[comparison.operator]
    literal = comparison.literal if isinstance(comparison.literal, tuple) else (comparison.literal,)
    return (value in literal) == (comparison.operator in ("==", "in"))


WORLDS: list[Seen] = [
    {"deal.product": product, "lead.channel": channel, "survey.score": score}
    for product, channel, score in itertools.product((*TEXTS, "D", None), ("A", "D", None), (*NUMBERS, None))
]


@given(CONDITIONS)
def test_a_normal_form_is_judged_like_the_condition(condition: Condition) -> None:
    found = normal(condition, NOTATION)
    for seen in WORLDS:
        assert verdict(found, seen) == verdict(condition, seen), (NOTATION.condition(found), seen)


@given(CONDITIONS)
def test_a_normal_form_is_its_own_normal_form(condition: Condition) -> None:
    found = normal(condition, NOTATION)
    assert NOTATION.condition(normal(found, NOTATION)) == NOTATION.condition(found)
