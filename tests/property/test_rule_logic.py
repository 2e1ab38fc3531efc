"""What lint calls impossible never happens, and what it says follows does: compared with trying all values.

Few values stand for all: between and beyond the bounds that conditions name, every text that they are about, and no
value at all.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.money import Money
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, Number
from services.rules.language.logic import (
    Every,
    Fact,
    Some,
    Tree,
    can_hold,
    choices,
    follows,
    is_plain,
    needed,
    without_not,
)

TEXTS = ("a", "ab", "abc", "b", "ba", "")
NUMBERS = tuple(Number(half * 500_000) for half in range(-3, 8))
AMOUNTS = (*(Money(minor, "USD") for minor in range(-2, 4)), *(Money(minor, "EUR") for minor in range(-2, 4)))
ORDER = ("==", "!=", "<", "<=", ">", ">=")


def _comparison(path: str, literals: tuple[Any, ...], operators: tuple[str, ...]) -> st.SearchStrategy[Comparison]:
    literal = st.sampled_from(literals)
    lists = st.lists(literal, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(
            Comparison, path=st.just(path), operator=st.sampled_from(operators), literal=literal, text=st.just("")
        ),
        st.builds(
            Comparison, path=st.just(path), operator=st.sampled_from(("in", "not in")), literal=lists, text=st.just("")
        ),
        st.builds(
            Comparison,
            path=st.just(path),
            operator=st.sampled_from(("exists", "missing")),
            literal=st.none(),
            text=st.just(""),
        ),
    )


VALUES: dict[str, tuple[Any, ...]] = {"text": TEXTS, "number": NUMBERS, "amount": AMOUNTS}
COMPARISONS: dict[str, st.SearchStrategy[Comparison]] = {
    "text": _comparison("text", TEXTS, ("==", "!=", "contains", "starts_with")),
    "number": _comparison("number", NUMBERS, ORDER),
    "amount": _comparison("amount", AMOUNTS, ORDER),
}


def judged(comparison: Comparison, value: Any) -> bool | None:
    """What the comparison says of a value; None for unknown, as for amounts in two currencies without a rate."""
    operator, literal = comparison.operator, comparison.literal
    if operator in ("exists", "missing"):
        return (value is not None) == (operator == "exists")
    if value is None:
        return None
    if operator in ("in", "not in"):
        assert isinstance(literal, tuple)
        found = [_equal(value, each) for each in literal]
        verdict = True if True in found else None if None in found else False
        return verdict if operator == "in" or verdict is None else not verdict
    if operator in ("contains", "starts_with"):
        return value.startswith(literal) if operator == "starts_with" else literal in value
    is_equal = _equal(value, literal)
    if is_equal is None or operator in ("==", "!="):
        return is_equal if operator == "==" or is_equal is None else not is_equal
    one, other = _size(value), _size(literal)
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[operator]


def _equal(value: Any, literal: Any) -> bool | None:
    if isinstance(value, Money) and isinstance(literal, Money) and value.unit != literal.unit:
        return None
    return bool(value == literal)


def _size(value: Any) -> int:
    return int(value.amount_minor if isinstance(value, Money) else value.millionths)


def met(fact: Fact, value: Any) -> bool:
    """Whether the fact holds: turned round, where its comparison is known not to."""
    verdict = judged(fact.comparison, value)
    return verdict is (fact.operator == fact.comparison.operator)


def facts_of(kind: str) -> st.SearchStrategy[Fact]:
    return st.builds(lambda each, turned: without_not(each, turned=turned), COMPARISONS[kind], st.booleans()).map(_fact)


def _fact(tree: Tree) -> Fact:
    assert isinstance(tree, Fact)
    return tree


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_what_cannot_hold_holds_for_no_value(data: st.DataObject, kind: str) -> None:
    facts = data.draw(st.lists(facts_of(kind), min_size=1, max_size=4))
    holding = [value for value in (*VALUES[kind], None) if all(met(fact, value) for fact in facts)]
    if not can_hold(facts):
        assert holding == []


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_what_follows_holds_whenever_the_other_does(data: st.DataObject, kind: str) -> None:
    fact, other = data.draw(facts_of(kind)), data.draw(facts_of(kind))
    if follows(fact, other):
        assert [value for value in (*VALUES[kind], None) if met(fact, value) and not met(other, value)] == []


@given(st.data())
def test_counts_are_whole_and_never_below_zero(data: st.DataObject) -> None:
    comparisons = data.draw(st.lists(COMPARISONS["number"], min_size=1, max_size=4))
    facts = [_fact(without_not(each, {"number"})) for each in comparisons]
    counts = [Number(count * 1_000_000) for count in range(8)]
    if not can_hold(facts):
        assert [value for value in (*counts, None) if all(met(fact, value) for fact in facts)] == []


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(*COMPARISONS.values()),
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries({kind: st.sampled_from((*values, None)) for kind, values in VALUES.items()})


def kleene(condition: Condition, event: dict[str, Any]) -> bool | None:
    if isinstance(condition, Comparison):
        return judged(condition, event[condition.path])
    if isinstance(condition, Not):
        inner = kleene(condition.condition, event)
        return None if inner is None else not inner
    parts = [kleene(each, event) for each in condition.conditions]
    decisive = isinstance(condition, AnyOf)
    return decisive if decisive in parts else None if None in parts else not decisive


def holds(tree: Tree, event: dict[str, Any]) -> bool:
    if isinstance(tree, Fact):
        return met(tree, event[tree.path])
    quantified = all if isinstance(tree, Every) else any
    return quantified(holds(part, event) for part in tree.parts)


@given(CONDITIONS, EVENTS)
def test_a_condition_without_not_holds_exactly_when_it_did(condition: Condition, event: dict[str, Any]) -> None:
    tree = without_not(condition)
    assert holds(tree, event) is (kleene(condition, event) is True)
    # What is needed and one of each choice make up the whole.
    whole = all(met(fact, event[fact.path]) for fact in needed(tree)) and all(
        holds(each, event) for each in choices(tree)
    )
    assert whole is holds(tree, event)
    if is_plain(tree):
        assert not list(choices(tree))
        assert not isinstance(tree, Some) or len(tree.parts) == 1
