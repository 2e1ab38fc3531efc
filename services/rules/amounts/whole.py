"""Amounts that no reward gives: of milestones and of contests. Given whole, whatever the share of the event.

They have no conditions, limits or holds of their own; budgets cover them, and units expire, as with any reward.
"""

from __future__ import annotations

from contracts.decisions import Decision, TraceLine
from contracts.money import Money
from services.rules.bounds.bounded import Bounds
from services.rules.deciding.decide import ALL, Case, decide
from services.rules.deciding.vocabulary import Vocabulary

_SHARE: int = 11
"""The place of the share in a case."""


class WholeAmounts:
    """Grants fixed amounts."""

    def __init__(self, bounds: Bounds, vocabulary: Vocabulary) -> None:
        self._bounds = bounds
        self._told_decimals = vocabulary.told_decimals

    def grant(
        self,
        case: Case,
        rule: str,
        give: Money,
        day: int,
        tier: str | None,
        trace: tuple[TraceLine, ...],
        occasion: str = "",
    ) -> Decision:
        """The decision; `day` is the local day of the event."""
        return decide(
            without_share(case),
            rule,
            "",
            trace,
            tier,
            occasion=occasion,
            minor=give.amount_minor,
            unit=give.unit,
            decimals=self._told_decimals.get(give.unit),
            expires_at_ms=self._bounds.expires_at_ms(give.unit, day),
            budgets=self._bounds.claims(rule, day),
        )


def without_share(case: Case) -> Case:
    """The same for what is decided about the partner as a whole, of whom a split deal is a part."""
    return (*case[:_SHARE], ALL, *case[_SHARE + 1 :])  # type: ignore[return-value] # slices of a tuple forget its types
