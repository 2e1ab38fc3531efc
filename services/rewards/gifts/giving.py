"""Whether a gift may be given, and which transfers it makes. Pure.

A gift is proposed by one person and decided by another. Approved, it is granted like a reward, out of a budget that has
enough left and that nobody waits for; limits bound a single gift, and all gifts to one person within a year.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

import msgspec

from contracts.decisions import BudgetClaim
from contracts.errors import Problem
from contracts.facts import TransferPosted
from contracts.money import CURRENCY_DECIMALS, is_unit
from services.rewards.budgets.claims import Budget, BudgetKey, claim_all
from services.rewards.decode import DecisionHead
from services.rewards.legs import STAGE_GRANTED, ByHand, leg
from services.rewards.own import own_head

State = Literal["proposed", "granted", "rejected"]
RULE_GIFT: Final = "gift"
YEAR_MS: Final = 365 * 86_400_000

_LIMIT: Final = re.compile(r"\s*(\d[\d_]*)(?:\.(\d+))? (\S+)\s*", re.ASCII)


class Gift(msgspec.Struct, kw_only=True, gc=False):
    """A row of `rewards.gifts`; its columns say what each field means."""

    id: str
    programme: str
    key: str
    beneficiary: str
    budget: str
    period: str
    amount_minor: int
    unit: str
    decimals: int | None = None
    reason: str
    proposed_by: str
    proposed_at_ms: int
    state: State = "proposed"
    decided_by: str | None = None
    decided_at_ms: int | None = None
    decided_because: str | None = None

    @property
    def budget_key(self) -> BudgetKey:
        return BudgetKey(self.programme, self.budget, self.period, self.unit)


class Limits(NamedTuple):
    """The most of one gift, and of all gifts to one person within 365 days: minor units by unit; absent: no limit."""

    one: dict[str, int]
    person_year: dict[str, int]


NO_LIMITS: Final = Limits({}, {})


def read_limits(text: str) -> dict[str, int]:
    """`500 EUR, 10_000 POINTS` as minor units by unit; empty: no limit. What is no currency has no decimals here.

    Raises:
        ValueError: Something is no amount, or a unit stands twice.
    """
    limits: dict[str, int] = {}
    for part in text.split(",") if text.strip() else []:
        found = _LIMIT.fullmatch(part)
        places = CURRENCY_DECIMALS.get(found[3], 0) if found else 0
        if found is None or not is_unit(found[3]) or len(found[2] or "") > places or found[3] in limits:
            raise ValueError(f"{part.strip()!r} is no limit: write amounts like 500 EUR, 10_000 POINTS, a unit once")
        limits[found[3]] = int(found[1].replace("_", "") + (found[2] or "").ljust(places, "0"))
    return limits


def over_limit(gift: Gift, limits: Limits, *, given_minor: int) -> Problem | None:
    """Which limit a gift would break; `given_minor` is what the person was given in this unit within the year."""
    one = limits.one.get(gift.unit)
    if one is not None and gift.amount_minor > one:
        return _problem(
            "gift-over-limit", f"a gift of {gift.unit} is at most {one} minor units, not {gift.amount_minor}"
        )
    year = limits.person_year.get(gift.unit)
    if year is not None and given_minor + gift.amount_minor > year:
        had = f"{gift.beneficiary} was given {given_minor} minor units of {gift.unit} within a year"
        return _problem("gift-person-limit", f"{had}; the limit is {year}")
    return None


def refusal(gift: Gift, budget: Budget | None) -> Problem | None:
    """Why a budget cannot bear a gift now; it stays proposed."""
    name = f"budget {gift.budget}" + (f" of {gift.period}" if gift.period else "")
    if budget is None:
        return _problem("no-such-budget", f"{gift.programme} has no {name} in {gift.unit}: top it up first")
    if budget.waiting:
        return _problem("budget-waited-for", f"{budget.waiting} rewards wait for {name}, and nobody overtakes them")
    if budget.left_minor < gift.amount_minor:
        return _problem("budget-spent", f"{name} has {budget.left_minor} minor units left, not {gift.amount_minor}")
    return None


def head_of(gift: Gift) -> DecisionHead:
    """The head of all its transfers; its id is the gift's."""
    head = own_head(
        RULE_GIFT,
        f"{gift.programme}/{gift.key}",
        programme=gift.programme,
        beneficiary=gift.beneficiary,
        unit=gift.unit,
        at_ms=gift.proposed_at_ms,
        decimals=gift.decimals,
    )
    claim = BudgetClaim(gift.budget, gift.period, 0, gift.unit, "deny")
    return msgspec.structs.replace(head, amount_minor=gift.amount_minor, budgets=(claim,))


def grant(gift: Gift, budget: Budget, *, at_ms: int, by: str, because: str) -> list[TransferPosted]:
    """Give it: at the programme's cost, claimed from the budget, with the reason and both names."""
    gift.state, gift.decided_by, gift.decided_at_ms, gift.decided_because = "granted", by, at_ms, because
    head = head_of(gift)
    granted = leg(
        head,
        STAGE_GRANTED,
        f"programme:{gift.programme}:cost",
        f"{gift.beneficiary}:available",
        gift.amount_minor,
        posted_at_ms=at_ms,
        by_hand=ByHand(gift.reason, f"{gift.proposed_by}, {by}"),
        news_at_ms=at_ms,
    )
    return [granted, *claim_all(head, {budget.key: budget}, granted)]


def reject(gift: Gift, *, at_ms: int, by: str, because: str) -> None:
    """It is not given."""
    gift.state, gift.decided_by, gift.decided_at_ms, gift.decided_because = "rejected", by, at_ms, because


def _problem(code: str, message: str) -> Problem:
    return Problem(code=code, message=message, help="`goodword gifts list` and `goodword ledger budgets` show each")
