"""Budgets: accounts with a floor. Which claims a budget can bear, and what is moved when it does. Pure.

A budget has a row per period, made by the first decision that claims it. What the rules put into it is booked when a
newer revision says another amount; people can put in more by hand. A decision takes the whole of its amount out of
every budget that covers it, or nothing out of any: what is left is not split. What has to wait waits in order, and
nobody overtakes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from contracts.decisions import BudgetClaim
from contracts.facts import LEDGER_SOURCE, TransferPosted
from contracts.ids import derived_uuid
from services.rewards.decode import DecisionHead
from services.rewards.legs import STAGE_ALLOTTED, STAGE_CLAIMED, ByHand, leg

RULE_BUDGET: Final = "budget"
"""The rule name of what is put into a budget."""


class BudgetKey(NamedTuple):
    """Which budget, and which of its periods; empty for a budget for ever."""

    programme: str
    budget: str
    period: str
    unit: str

    @property
    def account(self) -> str:
        """What is left."""
        return self._account("budget")

    @property
    def allotted_account(self) -> str:
        """Minus what was put in."""
        return self._account("allotted")

    @property
    def spent_account(self) -> str:
        """What was claimed."""
        return self._account("spent")

    def _account(self, kind: str) -> str:
        return f"programme:{self.programme}:{kind}:{self.budget}" + (f":{self.period}" if self.period else "")


class Budget(msgspec.Struct, gc=False, kw_only=True):
    """One period of a budget; a row of `rewards.budgets`.

    Attributes:
        revision, ruled_minor: The newest revision that claimed it, and what that puts in; -1 and 0 before the first.
        left_minor: Below zero when a newer revision puts in less than was claimed already.
        allotments: How often something was put in or taken out, so that each has an id of its own.
        waiting: Decisions that wait for it.
        last_waiting_no: Of the one that came last.
    """

    id: int
    programme: str
    budget: str
    period: str
    unit: str
    revision: int = -1
    ruled_minor: int = 0
    left_minor: int = 0
    allotments: int = 0
    waiting: int = 0
    last_waiting_no: int = 0

    @property
    def key(self) -> BudgetKey:
        return BudgetKey(self.programme, self.budget, self.period, self.unit)


class Blocked(NamedTuple):
    """Why budgets cannot bear a decision; `waits` says whether it waits or is denied.

    `budget` is the one that it waits for; None where only a person can help.
    """

    budget: Budget | None
    waits: bool
    reason: str


Budgets = Mapping[BudgetKey, Budget]


def budgets_of(head: DecisionHead) -> tuple[BudgetKey, ...]:
    """The budgets that cover a decision, one per claim."""
    return _keys_of(head.programme, head.budgets) if head.budgets else ()


@lru_cache(maxsize=4_096)
def _keys_of(programme: str, claims: tuple[BudgetClaim, ...]) -> tuple[BudgetKey, ...]:
    # Thousands of decisions make the same claims.
    return tuple(BudgetKey(programme, claim.budget, claim.period, claim.unit) for claim in claims)


def allot_by_rules(head: DecisionHead, budgets: Budgets, *, at_ms: int) -> list[TransferPosted]:
    """What a newer revision puts into the budgets that cover a decision, or takes out of them.

    It counts from the decision's event on, so that a claim in imported history finds its budget filled.
    """
    moved = []
    for claim, key in zip(head.budgets, budgets_of(head), strict=True):
        budget = budgets[key]
        if head.revision > budget.revision:
            difference_minor = claim.amount_minor - budget.ruled_minor
            budget.revision, budget.ruled_minor = head.revision, claim.amount_minor
            if difference_minor:
                moved.append(allot(budget, difference_minor, at_ms=at_ms, news_at_ms=min(head.time_ms, at_ms)))
    return moved


def allot(
    budget: Budget, amount_minor: int, *, at_ms: int, by_hand: ByHand | None = None, news_at_ms: int | None = None
) -> TransferPosted:
    """Put into a budget, or take out of it where the amount is below zero."""
    key = budget.key
    budget.left_minor += amount_minor
    budget.allotments += 1
    debit, credit = key.allotted_account, key.account
    return leg(
        DecisionHead(
            id=derived_uuid(0, msgspec.json.encode(["budget", *key])),
            granted=True,
            programme=key.programme,
            revision=max(budget.revision, 0),
            rule=RULE_BUDGET,
            partner=key.programme,
            beneficiary=key.account,
            event_source=LEDGER_SOURCE,
            event_id=f"{key.account.replace(':', '/')}/{budget.allotments}",
            time_ms=at_ms,
            unit=key.unit,
        ),
        STAGE_ALLOTTED,
        debit if amount_minor > 0 else credit,
        credit if amount_minor > 0 else debit,
        abs(amount_minor),
        posted_at_ms=at_ms,
        part=budget.allotments - 1,
        by_hand=by_hand,
        news_at_ms=news_at_ms,
    )


def blocked(head: DecisionHead, budgets: Budgets, *, is_first_of: int | None = None) -> Blocked | None:
    """The budget that cannot bear the decision: one that denies before one that lets wait, in file order.

    `is_first_of` is the budget whose queue this decision is the first of.
    """
    amount_minor = head.amount_minor or 0
    waits: Blocked | None = None
    for claim, key in zip(head.budgets, budgets_of(head), strict=True):
        budget = budgets[key]
        name = f"budget {budget.budget}" + (f" of {budget.period}" if budget.period else "")
        if head.unit != budget.unit:
            reason = f"{name} is in {budget.unit}, and the ledger has no rates"
            waits = waits or Blocked(None, waits=True, reason=reason)
        elif budget.left_minor < amount_minor and claim.when_spent == "deny":
            return Blocked(budget, waits=False, reason=f"{name} is spent")
        elif budget.left_minor < amount_minor:
            waits = waits or Blocked(budget, waits=True, reason=f"{name} is spent")
        elif budget.waiting and budget.id != is_first_of and claim.when_spent == "hold":
            waits = waits or Blocked(budget, waits=True, reason=f"{name} is spent, others wait for it")
    return waits


def claim_all(head: DecisionHead, budgets: Budgets, granted: TransferPosted) -> list[TransferPosted]:
    """Take a decision out of every budget that covers it, in one posting with its grant."""
    moved = []
    for part, key in enumerate(budgets_of(head)):
        budgets[key].left_minor -= head.amount_minor or 0
        moved.append(
            leg(
                head,
                STAGE_CLAIMED,
                key.account,
                key.spent_account,
                head.amount_minor or 0,
                posted_at_ms=granted.posted_at_ms,
                traceparent=granted.traceparent,
                group=granted.id,
                part=part,
                news_at_ms=granted.news_at_ms,
            )
        )
    return moved
