"""The second, simpler reading of what bounds rewards: terms, `for`, groups, limits, hold, expiry and budgets.

Written from the language's normative page alone: it keeps everything that was granted in a list and looks through it
again for every limit.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from contracts.money import CURRENCY_DECIMALS, Money
from contracts.ruleset import Duration, Reward, RuleSet, givens_of
from tests.simulation.money import Exchange

Extra = tuple[int | None, int | None, tuple[tuple[str, str], ...]]
"""When it is available and when it expires, in milliseconds; the budgets and their periods."""


class Candidate(msgspec.Struct):
    """A reward that an event may give: what it comes to before groups and limits; None when something denies it."""

    reward: Reward
    to: str
    minor: int | None
    unit: str


class BoundsModel:
    def __init__(self, rules: RuleSet, partner: str, exchange: Exchange) -> None:
        self.rules, self.partner, self.exchange = rules, partner, exchange
        self.groups: list[str] = []
        self.first_won: dict[str, date] = {}
        self.granted: list[tuple[str, date, str | None, dict[str, int | None]]] = []
        self.extras: dict[str, Extra] = {}

    def with_terms(self, reward: Reward, on: date) -> Reward | None:
        """The reward as the partner has it on that day; None when it is off."""
        day = (on - date(1970, 1, 1)).days
        changed: dict[str, Any] = {}
        for terms in self.rules.terms:
            is_theirs = terms.partner == self.partner if terms.partner else terms.group in self.groups
            is_time = (terms.from_day is None or terms.from_day <= day) and (
                terms.to_day is None or day <= terms.to_day
            )
            for override in terms.overrides if is_theirs and is_time else ():
                if override.rule == reward.id:
                    changed[override.part] = override
        if "off" in changed:
            return None
        values: dict[str, tuple[str, Callable[[Any], Any]]] = {
            "give": ("give", lambda each: each.give),
            "at_most": ("at_most", lambda each: each.at_most),
            "limit": ("limits", lambda each: each.limits),
            "for": ("lasts", lambda each: each.duration),
            "hold": ("hold", lambda each: each.duration),
            "clawback": ("clawback", lambda each: each.duration),
        }
        fields = {values[part][0]: values[part][1](override) for part, override in changed.items()}
        return msgspec.structs.replace(reward, **fields)

    def is_covered(self, reward: Reward, kind: str, customer: str | None, on: date) -> bool:
        """Whether `for` lets the event through."""
        if reward.lasts is None:
            return True
        if customer is None:
            return False
        first = self.first_won.get(customer)
        return kind == "deal.won" if first is None else moved(on, reward.lasts, -1) < first

    def settle(
        self, candidates: list[Candidate], customer: str | None, on: date
    ) -> list[tuple[str, bool, str, int | None]]:
        self.extras = {}
        for group in self.rules.groups:
            rivals = [each for each in candidates if each.reward.id in group.rewards and each.minor]
            units = {each.unit for each in rivals}
            worth = {
                each.reward.id: self.exchange.rounded(each.minor or 0, each.unit, self.rules.currency, on)
                if len(units) > 1
                else each.minor
                for each in rivals
            }
            for each in rivals:
                each.minor = each.minor if worth[each.reward.id] is not None else None
            rivals = [each for each in rivals if each.minor]
            best = max((worth[each.reward.id] or 0 for each in rivals), default=0)
            winner = next((each for each in rivals if worth[each.reward.id] == best), None)
            for each in rivals:
                if each is not winner:
                    each.minor = None
        outcomes = []
        for each in candidates:
            minor = self._limited(each, customer, on)
            outcomes.append((each.reward.id, bool(minor), each.to, minor or None))
            if minor:
                self.granted.append((each.reward.id, on, customer, self._worth(minor, each.unit, on)))
                self.extras[each.reward.id] = self._extra(each, on)
        return outcomes

    def _worth(self, minor: int, unit: str, on: date) -> dict[str, int | None]:
        """The amount in every currency, as of now: rates that come later do not change what was used."""
        if unit not in CURRENCY_DECIMALS:
            return {unit: minor}
        return {each: self.exchange.rounded(minor, unit, each, on) for each in ("USD", "EUR")}

    def _limited(self, candidate: Candidate, customer: str | None, on: date) -> int:
        minor = candidate.minor or 0
        for limit in candidate.reward.limits if minor else ():
            if limit.per == "customer" and customer is None:
                return 0
            same = [
                granted
                for rule, day, whose, granted in self.granted
                if rule == candidate.reward.id
                and (limit.per != "customer" or whose == customer)
                and period(limit.per, day) == period(limit.per, on)
            ]
            if limit.count is not None:
                minor = minor if len(same) < limit.count else 0
            else:
                assert limit.amount is not None
                unit = limit.amount.unit
                left = limit.amount.amount_minor - sum(granted.get(unit) or 0 for granted in same)
                minor = self._fitting(minor, candidate.unit, max(left, 0), unit, on)
        return minor

    def _fitting(self, minor: int, unit: str, left: int, limit_unit: str, on: date) -> int:
        worth = self.exchange.rounded(minor, unit, limit_unit, on)
        if worth is None:
            return 0
        if worth > left:
            minor = min(minor, self.exchange.rounded(left, limit_unit, unit, on) or 0)
            while (self.exchange.rounded(minor, unit, limit_unit, on) or 0) > left:
                minor -= 1
        return minor

    def _extra(self, candidate: Candidate, on: date) -> Extra:
        available, first = None, on
        if candidate.reward.hold is not None:
            first = moved(on, candidate.reward.hold, 1) + timedelta(days=1)
            available = self._midnight_ms(first)
        expires = None
        for unit in self.rules.units:
            if unit.id == candidate.unit and unit.expires_after is not None:
                expires = self._midnight_ms(moved(first, unit.expires_after, 1) + timedelta(days=1))
        budgets = tuple(
            (budget.id, period(budget.per, on)) for budget in self.rules.budgets if candidate.reward.id in budget.covers
        )
        return available, expires, budgets

    def _midnight_ms(self, day: date) -> int:
        return int(datetime.combine(day, time(), ZoneInfo(self.rules.timezone)).timestamp()) * 1000


def unit_of(reward: Reward, seen: dict[str, Any]) -> str:
    """In what the reward is given, at this event."""
    given = givens_of(reward.give)[0]
    if isinstance(given, Money):
        return given.unit
    base = seen.get(given.of)
    return base.currency if base is not None else ""


def period(per: str, day: date) -> str:
    if per == "month":
        return f"{day.year:04}-{day.month:02}"
    if per == "quarter":
        return f"{day.year:04}-Q{1 + (day.month - 1) // 3}"
    return f"{day.year:04}" if per == "year" else ""


def moved(day: date, duration: Duration, sign: int) -> date:
    """Months first, clipped to the month's end, then days."""
    months = day.year * 12 + day.month - 1 + sign * duration.months
    year, month = divmod(months, 12)
    clipped = date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    return clipped + timedelta(days=sign * duration.days)
