"""Limits (docs/rules.md#bounds): how much, and how often, one rule gives one partner in a local period.

The period is that of the event's own day, for late events too. Limits clamp in file order, each what the one before
left; what is left is paid, and nothing left is a denial. Refunds free nothing. What is granted is counted for every
limit that the rule has anywhere, in terms of other partners too, so that one that takes its place finds what was used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from contracts.decisions import TraceLine, Verdict
from contracts.money import CURRENCY_DECIMALS, format_minor
from contracts.ruleset import Limit
from services.rules.amounts.rates import Rates, converted, no_rate
from services.rules.bounds.counters import Counters, counter_id, use, used
from services.rules.clock.calendar import WindowStart, period_start, period_text
from services.rules.deciding.facts import mark
from services.rules.states.children import CustomerState, customer_key
from services.rules.states.state import PartnerState

PART: Final = "limit"

Clamped = tuple[str, tuple[TraceLine, ...], int]
"""Why nothing is left (else empty), a trace line for each limit that was asked, and what is left in minor units."""


class _Counter(NamedTuple):
    id: int
    per: str
    unit: str | None
    starts: WindowStart | None


class Limits:
    """The limits of one rule, for one partner or for all.

    Args:
        limits: Those in force, in file order.
        counted: Everything that is to be counted, those in force included.
    """

    def __init__(
        self, rule: str, limits: Sequence[Limit], counted: Iterable[Limit], decimals: Mapping[str, int]
    ) -> None:
        self._decimals = decimals
        self._in_force = [(limit, _counter(rule, limit)) for limit in limits]
        self._counted = list({counter.id: counter for counter in (_counter(rule, limit) for limit in counted)}.values())

    def grant(self, state: PartnerState, customer: str | None, day: int, minor: int, unit: str) -> Clamped:
        """What the limits leave of an amount; that is counted as granted."""
        clamped = self._clamp(state, customer, day, minor, unit)
        if not clamped[0]:
            self._count(state, customer, day, clamped[2], unit)
        return clamped

    def _clamp(self, state: PartnerState, customer: str | None, day: int, minor: int, unit: str) -> Clamped:
        lines: list[TraceLine] = []
        for limit, counter in self._in_force:
            text = limit.text
            if counter.per == "customer" and customer is None:
                lines.append(_line(text, "customer.id is missing", "unknown"))
                return f"{PART}: {text}: customer.id is missing", tuple(lines), 0
            first_day = 0 if counter.starts is None else counter.starts[day]
            gone = used(_counters(state, customer, counter), counter.id, first_day)
            period = period_text(limit.per, first_day)
            if gone is None:
                lines.append(_line(text, f"{period} is too long ago to tell what was used", "unknown"))
                return f"{PART}: {text}: {lines[-1].saw}", tuple(lines), 0
            within = f" in {period}" if period else ""
            if limit.amount is None:
                is_left = gone < (limit.count or 0)
                lines.append(_line(text, f"{gone} used{within}", "met" if is_left else "not met"))
                paid = minor if is_left else 0
            else:
                saw = f"{self._money(gone, limit.amount.unit)} used{within}"
                fitted = _fit(minor, unit, limit.amount.amount_minor - gone, limit.amount.unit, day, state.rates)
                if fitted is None:
                    saw = no_rate(unit, limit.amount.unit)
                    lines.append(_line(text, saw, "unknown"))
                    return f"{PART}: {text}: {saw}", tuple(lines), 0
                lines.append(_line(text, saw, "met" if fitted == minor else "not met"))
                paid = fitted
            if not paid:
                return f"{PART}: {text}", tuple(lines), 0
            minor = paid
        return "", tuple(lines), minor

    def _count(self, state: PartnerState, customer: str | None, day: int, minor: int, unit: str) -> None:
        for counter in self._counted:
            much = 1 if counter.unit is None else minor
            if counter.unit is not None and counter.unit != unit:
                in_unit = converted(minor, unit, counter.unit, day, state.rates)
                if in_unit is None:
                    continue
                much = in_unit
            counters = _counters(state, customer, counter)
            if counter.per == "customer":
                if customer is None:
                    continue
                counters = _customer_counters(state, customer)
            use(counters, counter.id, 0 if counter.starts is None else counter.starts[day], much)

    def _money(self, minor: int, unit: str) -> str:
        return f"{format_minor(minor, self._decimals.get(unit, CURRENCY_DECIMALS.get(unit, 0)))} {unit}"


_STARTS: Final = {per: period_start(per) for per in ("month", "quarter", "year")}


def _counter(rule: str, limit: Limit) -> _Counter:
    unit = None if limit.amount is None else limit.amount.unit
    return _Counter(counter_id(rule, limit.per, unit), limit.per, unit, _STARTS.get(limit.per))


def _counters(state: PartnerState, customer: str | None, counter: _Counter) -> Counters:
    if counter.per != "customer":
        return state.counters
    known = None if customer is None else state.customers.get(customer)
    return {} if known is None else known.counters


def _customer_counters(state: PartnerState, customer_id: str) -> Counters:
    customer = state.customers.get(customer_id)
    if customer is None:
        customer = state.customers[customer_id] = CustomerState(customer_key(state.owner, customer_id))
    mark(state, customer)
    return customer.counters


def _fit(minor: int, unit: str, left: int, limit_unit: str, day: int, rates: Rates) -> int | None:
    """The most of the amount that comes to no more than what is left; None without a rate."""
    if unit == limit_unit:
        return max(min(minor, left), 0)
    there, back = rates.factor(unit, limit_unit, day), rates.factor(limit_unit, unit, day)
    if there is None or back is None:
        return None
    if there.of(minor) <= left:
        return minor
    paid = min(back.of(max(left, 0)), minor)
    # What was rounded up on the way back may come to more than there was.
    while paid > 0 and there.of(paid) > left:
        paid -= 1
    return paid


def _line(text: str, saw: str, verdict: Verdict) -> TraceLine:
    return TraceLine(f"{PART} {text}", saw, verdict, PART)
