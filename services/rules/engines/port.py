"""The port between a rule set's conditions and whoever judges them.

A question is one condition at one place of the file; an engine answers which of them are met, not met or unknown, given
the facts of one event. Everything else (what follows, how much it is) is not an engine's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from contracts.ruleset import Condition, RuleSet
from services.rules.amounts.rates import NO_RATES, Rates

ELIGIBLE_PARTNER = "eligible.partner"
ELIGIBLE_CUSTOMER = "eligible.customer"
QUALIFIED_LEAD = "qualified.lead"
QUALIFIED_DEAL = "qualified.deal"


class Facts(NamedTuple):
    """What conditions may see of one event and its partner.

    Attributes:
        values: By path, as `services.rules.deciding.judge` gets them; None and absent both mean that there is no value.
        day: The local day that amounts in other currencies are converted on.
    """

    values: Mapping[str, Any]
    day: int = 0
    rates: Rates = NO_RATES


class Question(NamedTuple):
    """A condition and the name of its place: `eligible.partner`, `when:commission`, `tier:gold`."""

    name: str
    condition: Condition


Verdict = bool | None
"""Met, not met, or unknown (None), which counts as not met."""


class Engine(Protocol):
    """Judges the questions of one rule set.

    Attributes:
        name: For people.
    """

    @property
    def name(self) -> str: ...

    @property
    def not_asked(self) -> Mapping[str, str]:
        """Questions that this engine cannot be asked, with the reason; `judge` leaves them out."""
        ...

    def judge(self, names: Sequence[str], facts: Facts) -> dict[str, Verdict]:
        """The verdicts of the questions of those names."""
        ...


class SecondEngineMissing(Exception):
    """The second engine is not installed, or cannot be imported on this Python; the text says which."""


def when_of(reward: str) -> str:
    """The name of the question whether a reward's conditions are met."""
    return f"when:{reward}"


def tier_of(tier: str) -> str:
    """The name of the question whether a tier is reached."""
    return f"tier:{tier}"


def questions_of(rules: RuleSet) -> Iterator[Question]:
    """Every condition of the rule set, in file order."""
    for name, condition in (
        (ELIGIBLE_PARTNER, rules.eligible_partner),
        (ELIGIBLE_CUSTOMER, rules.eligible_customer),
        (QUALIFIED_LEAD, rules.qualified_lead),
        (QUALIFIED_DEAL, rules.qualified_deal),
        *((tier_of(tier.id), tier.when) for tier in rules.tiers),
        *((when_of(reward.id), reward.when) for reward in rules.rewards),
    ):
        if condition is not None:
            yield Question(name, condition)
