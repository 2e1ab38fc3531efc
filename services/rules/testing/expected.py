"""What a test expects, held against what was decided.

`expect` is exactly what is granted with an amount, in any order. What is granted without one (`granted`, a tier) is
compared only for the rules that the test names. `because` is a condition that was not met, or the reason, of a denial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.decisions import RULE_TIER, Decision
from contracts.money import CURRENCY_DECIMALS, Money, format_money
from contracts.ruleset import RuleSet, RuleTest
from services.rules.language.rule_tests import GRANTED


@dataclass(frozen=True, slots=True)
class Difference:
    """What was expected and what came, as lines such as `commission: 75.00 USD`.

    Attributes:
        missing, unexpected: Of the two lists, what is not in the other.
        because: The reason that no denial has; empty when there is none or it was found.
    """

    expected: tuple[str, ...]
    got: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    because: str = ""

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.unexpected or self.because)


def compare(test: RuleTest, decisions: Sequence[Decision], rules: RuleSet) -> Difference:
    """The difference between a test's expectations and its decisions."""
    decimals = CURRENCY_DECIMALS | {unit.id: unit.decimals for unit in rules.units}
    expected = tuple(f"{rule}: {_words(outcome, decimals)}" for rule, outcome in test.expect)
    named = {rule for rule, outcome in test.expect if isinstance(outcome, str)}
    got = tuple(_granted(decisions, named, decimals))
    because = test.because or ""
    if because and any(is_because(because, decision) for decision in decisions if not decision.granted):
        because = ""
    return Difference(expected, got, _rest(expected, got), _rest(got, expected), because)


def is_because(because: str, denial: Decision) -> bool:
    """Whether the denial's reason, a whole part of it, or a condition that was not met, reads like this."""
    wanted = _spaced(because)
    if any(_spaced(line.condition) == wanted for line in denial.trace if line.verdict != "met"):
        return True
    # A reason is told as `part: condition: what was missing`.
    parts = _spaced(denial.reason).split(": ")
    ends = range(1, len(parts) + 1)
    return any(": ".join(parts[start:end]) == wanted for end in ends for start in range(end))


def _granted(decisions: Iterable[Decision], named: set[str], decimals: Mapping[str, int]) -> Iterable[str]:
    for decision in decisions:
        if not decision.granted:
            continue
        if decision.amount_minor is not None and decision.unit is not None:
            yield f"{decision.rule}: {_words(Money(decision.amount_minor, decision.unit), decimals)}"
        elif decision.rule in named:
            yield f"{decision.rule}: {decision.tier_to if decision.rule == RULE_TIER else GRANTED}"


def _words(outcome: Money | str, decimals: Mapping[str, int]) -> str:
    return outcome if isinstance(outcome, str) else format_money(outcome, decimals.get(outcome.unit))


def _rest(these: Sequence[str], those: Sequence[str]) -> tuple[str, ...]:
    return tuple((Counter(these) - Counter(those)).elements())


def _spaced(text: str) -> str:
    return " ".join(text.split())
