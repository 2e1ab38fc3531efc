"""Groups (docs/rules.md#order, step 5): of the rewards of a group that one event would give, the highest is given.

Amounts are compared after `at_most` and before limits; ties go to the first in the file, and the others are denied even
if the winner is then limited. Amounts in several currencies are compared in the programme's; one without a rate cannot
be compared and is denied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.decisions import Decision, TraceLine
from services.rules.amounts.rates import converted, no_rate
from services.rules.bounds.bounded import Proposal
from services.rules.deciding.decide import Case
from services.rules.states.state import PartnerState

PART: Final = "group"


def settle(
    made: list[Decision | Proposal], start: int, case: Case, state: PartnerState, day: int, tier: str | None
) -> None:
    """Let each group keep one of the proposals from `start` on, and put decisions in their places."""
    proposed = [(index, each) for index, each in enumerate(made[start:], start) if isinstance(each, Proposal)]
    by_group: dict[str, list[Proposal]] = {}
    for _, each in proposed:
        if not each.reason and each.by.group is not None:
            by_group.setdefault(each.by.group.id, []).append(each)
    for group, rivals in by_group.items():
        if len(rivals) > 1:
            _pick(group, rivals, state, day)
    for index, each in proposed:
        made[index] = each.by.decide(case, state, day, tier, each)


def _pick(group: str, rivals: Sequence[Proposal], state: PartnerState, day: int) -> None:
    """Leave the highest without a reason against it."""
    condition = f"{PART} {group}"
    currency = rivals[0].unit or ""
    if any(each.unit != currency for each in rivals):
        currency = rivals[0].by.bounds.currency
    winner: Proposal | None = None
    highest = 0
    for each in rivals:
        worth = converted(each.minor or 0, each.unit or "", currency, day, state.rates)
        if worth is None:
            saw = no_rate(each.unit or "", currency)
            each.reason = f"{PART}: {group}: {saw}"
            each.trace = (*each.trace, TraceLine(condition, saw, "unknown", PART))
        elif winner is None or worth > highest:
            winner, highest = each, worth
    if winner is None:
        return
    saw = f"{winner.by.rule}, {winner.by.bounds.in_words(winner.minor or 0, winner.unit or '')}"
    for each in rivals:
        if not each.reason:
            each.trace = (*each.trace, TraceLine(condition, saw, "met" if each is winner else "not met", PART))
            if each is not winner:
                each.reason = f"{PART}: {group}: {saw}"
