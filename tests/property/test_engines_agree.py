"""Both engines judge alike: random conditions, asked of random facts, are met, not met or unknown for both.

The compiled engine is what decides live events; durable-rules was written by others and gets its questions by another
way (`services/rules/engines/rails.py`). The last test makes an operator wrong on purpose, so that the comparison is
known to be able to fail.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Amount, RatesPublished
from contracts.money import Money
from contracts.ruleset import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Day,
    Metric,
    Moment,
    Not,
    Number,
    Reward,
    RuleSet,
)
from services.rules.amounts.rates import Rates
from services.rules.deciding import judge
from services.rules.engines.compiled import CompiledEngine
from services.rules.engines.port import Facts, when_of

pytest.importorskip("durable_rules_engine", reason="durable-rules is not installed: make durable")
from services.rules.engines.durable import DurableEngine

TEXTS = (
    "",
    "a",
    "software",
    "Pro X",
    "żółć",
    'say "no"',
    "back\\slash",
    "a\nb",
    ".*",
    "[a-z]+",
    "Z",
    "%s {0}",
    "5",
    "true",
)
UNITS = ("USD", "EUR", "JPY")
SIZES = (0, 1, -1, 499, 500, 501, 10**12, -(10**9), 2**70)
DAYS = (0, 19_782, 19_783, 20_000)
NUMBERS = (0, 1_000_000, 4_500_000, 4_499_999, -500_000, 501_000_000, 1)

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
amounts = st.builds(Amount, st.sampled_from(SIZES), st.sampled_from(UNITS))
values: dict[str, st.SearchStrategy[Any]] = {
    "customer.industry": texts,
    "attributes.a": texts | st.sampled_from((5, 500, -1, "4.5", "1e3", "0.5", "2024-02-29", "true", "nan", "007")),
    "partner.groups": st.lists(texts, max_size=4).map(tuple),
    "customer.employees": st.sampled_from(SIZES[:-1]),
    "deal.amount": amounts,
    "partner.joined_at": st.sampled_from([day * 86_400_000 + ms for day in DAYS for ms in (0, 17_999_999, 18_000_000)]),
    "partner.agreement_signed": st.sampled_from(("true", "false")),
    "sold": st.sampled_from(SIZES[:-1]),
    "wins": st.integers(0, 5),
    "score": st.tuples(st.integers(-20, 40), st.integers(1, 7)),
    "average": st.tuples(st.sampled_from(SIZES[:-1]), st.integers(1, 7)),
}
money = st.builds(Money, st.sampled_from(SIZES[:-1]), st.sampled_from(UNITS))
numbers = st.sampled_from(NUMBERS).map(Number)
times = st.sampled_from([Day(day) for day in DAYS] + [Moment(day * 86_400_000) for day in DAYS])
ORDER = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")
TEXTUAL = ("==", "!=", "in", "not in", "contains", "starts_with")
fitting: list[tuple[str, tuple[str, ...], st.SearchStrategy[Any]]] = [
    ("customer.industry", TEXTUAL, texts),
    ("attributes.a", TEXTUAL, texts),
    ("attributes.a", ORDER, numbers),
    ("attributes.a", ORDER[:6], st.sampled_from(DAYS).map(Day)),
    ("attributes.a", ("==", "!="), st.booleans()),
    ("partner.groups", ("contains",), texts),
    ("customer.employees", ORDER, numbers),
    ("deal.amount", ORDER, money),
    ("partner.joined_at", ORDER[:6], times),
    ("partner.agreement_signed", ("==", "!="), st.booleans()),
    ("sold", ORDER, money),
    ("wins", ORDER, numbers),
    ("score", ORDER, numbers),
    ("average", ORDER, money),
]


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    path, operators, literals = draw(st.sampled_from(fitting))
    operator = draw(st.sampled_from((*operators, "exists", "missing")))
    if operator in ("exists", "missing"):
        return Comparison(path=path, operator=operator, literal=None, text=f"{path} {operator}")
    if operator in ("in", "not in"):
        literal: Any = tuple(draw(st.lists(literals, min_size=1, max_size=draw(st.sampled_from((3, 30))))))
    else:
        literal = draw(literals)
    return Comparison(path=path, operator=operator, literal=literal, text=f"{path} {operator} {literal}")


def _groups(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=1, max_size=12).map(tuple)
    return several.map(AllOf) | several.map(AnyOf) | inner.map(Not)


conditions: st.SearchStrategy[Condition] = st.recursive(comparisons(), _groups, max_leaves=25)
facts = st.fixed_dictionaries({}, optional={path: each | st.none() for path, each in values.items()})


def rule_set(*conditions: Condition) -> RuleSet:
    return RuleSet(
        programme="p",
        currency="USD",
        timezone="America/New_York",
        metrics=(
            Metric(id="sold", kind="sum", on=("deal.won",), of="deal.amount", unit="USD"),
            Metric(id="wins", kind="count", of=None, on=("deal.won",)),
            Metric(id="score", kind="mean", on=("survey.answered",), of="survey.score"),
            Metric(id="average", kind="mean", on=("deal.won",), of="deal.amount", unit="USD"),
        ),
        rewards=tuple(
            Reward(id=f"r{number}", on=("deal.won",), give=Money(1, "USD"), when=condition)
            for number, condition in enumerate(conditions)
        ),
    )


def rates() -> Rates:
    known = Rates()
    known.take(RatesPublished(day="2024-02-29", rates={"EUR/USD": "1.0842", "USD/JPY": "149.9"}))
    return known


@settings(max_examples=150, deadline=None)
@given(asked=st.lists(conditions, min_size=1, max_size=8), seen=st.lists(facts, min_size=1, max_size=6))
def test_both_engines_judge_alike(asked: list[Condition], seen: list[dict[str, Any]]) -> None:
    rules = rule_set(*asked)
    names = [when_of(reward.id) for reward in rules.rewards]
    compiled, durable = CompiledEngine(rules), DurableEngine(rules)
    known = rates()
    for each in seen:
        shown = Facts(each, 19_790, known)
        first, second = compiled.judge(names, shown), durable.judge(names, shown)
        for name, verdict in second.items():
            assert first[name] == verdict, (name, rules.rewards[int(name[6:])].when, each)
        assert set(first) - set(second) == set(durable.not_asked)


WRONG = {
    "==": lambda value, literal: value != literal,
    ">=": lambda value, literal: value > literal,
    "<": lambda value, literal: value <= literal,
}
"""What a compiled operator is made to do by mistake."""


@pytest.mark.parametrize("broken", WRONG)
def test_an_operator_that_is_wrong_is_found(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(judge._ORDER, broken, WRONG[broken])
    text = f"survey.score {broken} 7.5" if broken == "==" else f"survey.score {broken} 7"
    comparison = Comparison(path="survey.score", operator=broken, literal=Number(7_000_000), text=text)  # type: ignore[arg-type] # broken on purpose
    rules = rule_set(Not(Not(comparison)))
    compiled, durable = CompiledEngine(rules), DurableEngine(rules)
    verdicts = [
        (
            compiled.judge(["when:r0"], Facts({"survey.score": score})),
            durable.judge(["when:r0"], Facts({"survey.score": score})),
        )
        for score in (6, 7, 8)
    ]
    assert any(first != second for first, second in verdicts)


def test_what_cannot_be_put_to_the_second_engine_is_told_and_not_guessed() -> None:
    long = "x" * 100
    condition = Comparison(path="deal.product", operator="contains", literal=long, text=f"deal.product contains {long}")
    durable = DurableEngine(rule_set(AnyOf((condition, condition))))
    assert durable.judge(["when:r0"], Facts({"deal.product": long})) == {}
    assert "48 bytes" in durable.not_asked["when:r0"]


def test_a_condition_of_thousands_of_values_stays_within_the_envelope() -> None:
    """Beyond some ten ways through a rule durable-rules refuses or loops; a list is asked in groups."""
    literals = tuple(f"p{number}" for number in range(3_000))
    among = Comparison(path="deal.product", operator="in", literal=literals, text="deal.product in [...]")
    durable = DurableEngine(rule_set(among, Not(among)))
    for value, verdict in (("p0", True), ("p2999", True), ("p3000", False), (None, None)):
        judged = durable.judge(["when:r0", "when:r1"], Facts({"deal.product": value}))
        assert judged == {"when:r0": verdict, "when:r1": None if verdict is None else not verdict}
