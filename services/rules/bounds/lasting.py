"""`for` (docs/rules.md#bounds): how long after the customer's first won deal with this partner a reward is given.

It covers the first deal of the customer that is won and counts, by arrival, and every event whose day minus the
duration lies before that deal's day. Before any won deal it is a denial. The first day is remembered from the first
revision on that says a `for`.
"""

from __future__ import annotations

from typing import Final

from contracts.decisions import TraceLine, Verdict
from contracts.ruleset import Duration
from services.rules.clock.calendar import date_of, earlier
from services.rules.deciding.facts import mark
from services.rules.states.children import CustomerState, customer_key
from services.rules.states.state import PartnerState

PART: Final = "for"
WON: Final = "deal.won"


class Lasting:
    """The `for` of one reward, for one type of event."""

    def __init__(self, duration: Duration, event_type: str) -> None:
        self._duration = duration
        self._is_win = event_type == WON
        self._text = duration_text(duration)

    def judge(self, state: PartnerState, customer_id: str | None, day: int) -> tuple[str, TraceLine]:
        """Why the event is not covered (else empty), and the trace line."""
        if customer_id is None:
            return self._denied("customer.id is missing", "unknown")
        customer = state.customers.get(customer_id)
        first_day = None if customer is None else customer.first_won_day
        if first_day is None:
            if not self._is_win:
                return self._denied("no won deal yet", "not met")
            return "", TraceLine(f"{PART} {self._text}", "the first won deal", "met", PART)
        saw = f"first won on {date_of(first_day).isoformat()}"
        if earlier(day, self._duration) >= first_day:
            return self._denied(saw, "not met")
        return "", TraceLine(f"{PART} {self._text}", saw, "met", PART)

    def _denied(self, saw: str, verdict: Verdict) -> tuple[str, TraceLine]:
        return f"{PART}: {self._text}: {saw}", TraceLine(f"{PART} {self._text}", saw, verdict, PART)


def note_win(state: PartnerState, customer_id: str, day: int) -> None:
    """Remember the first won deal of the customer; later ones change nothing."""
    customer = state.customers.get(customer_id)
    if customer is None:
        customer = state.customers[customer_id] = CustomerState(customer_key(state.owner, customer_id))
    if customer.first_won_day is None:
        customer.first_won_day = day
        mark(state, customer)


def duration_text(duration: Duration) -> str:
    """`24 months`, `1 day`."""
    parts = [(duration.months, "month"), (duration.days, "day")]
    return " ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts if count)
