"""How metrics take an event: which series a revision keeps, and what each event type adds to them.

Metrics that take the same values share one series and differ only in their windows. A series is known by a hash of what
it takes, so that a metric that comes back in a later revision, or under another name, finds its history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec

from contracts.events import Amount
from contracts.money import PPM
from contracts.ruleset import Metric
from services.rules.amounts import shared
from services.rules.judge import Kind, describe
from services.rules.series import Kind as SeriesKind
from services.rules.series import new_series
from services.rules.slots import CUSTOMER_ID, DAY, STATE, Slots
from services.rules.state import CustomerState

_SERIES_ID_BYTES: Final = 8
_DATA: Final = Kind("data")


def series_id(metric: Metric) -> int:
    """What tells one series from another: a 64-bit hash of what it takes. Frozen: states are stored under it."""
    kind = "sum" if metric.kind == "count" else metric.kind
    taken = [kind, metric.of, sorted(metric.on), metric.minus, metric.per_customer, metric.unit]
    digest = blake2b(msgspec.json.encode(taken), digest_size=_SERIES_ID_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)


Take = Callable[[Slots, int], None]
"""Adds the event in the slots, with the partner's share, to one series."""


class Taker:
    """Adds one event type to one series, by its function `take`."""

    __slots__ = ("series", "take")

    def __init__(self, metric: Metric, sign: int, slot: int | None) -> None:
        self.series = series_id(metric)
        self.take = _take(metric, self.series, sign, slot)


def _take(metric: Metric, series: int, sign: int, slot: int | None) -> Take:
    """What adds the event in the slots; one without the value, or in another currency without a rate, is not taken."""
    kind: SeriesKind = metric.kind
    unit, per_customer = metric.unit, metric.per_customer

    def take(x: Slots, share_ppm: int) -> None:
        value: Any = 1
        if slot is not None:
            value = x[slot]
            if value is None:
                return
            if kind == "distinct":
                if value.__class__ is not str:
                    value = describe(value, _DATA, {})
            elif value.__class__ is Amount:
                if value.currency != unit:
                    return
                value = sign * (value.minor if share_ppm == PPM else shared(value, share_ppm).minor)
            elif value.__class__ is int:
                value *= sign
            else:
                return
        state = x[STATE]
        holder = state.series
        if per_customer:
            customer_id = x[CUSTOMER_ID]
            if customer_id is None:
                return
            customer = state.customers.get(customer_id)
            if customer is None:
                customer = state.customers[customer_id] = CustomerState()
            state.changed_customers.add(customer_id)
            holder = customer.series
        known = holder.get(series)
        if known is None:
            known = holder[series] = new_series(kind)
        if kind != "distinct" and value < 0:
            state.has_negative = True
        known.add(x[DAY], value)

    return take


def takers_of(event_type: str, metrics: Iterable[Metric], slot_of: Callable[[str], int]) -> tuple[Taker, ...]:
    """What an event of that type adds to, each series once."""
    takers: dict[int, Taker] = {}
    for metric in metrics:
        if event_type in metric.on:
            takers.setdefault(series_id(metric), Taker(metric, 1, None if metric.of is None else slot_of(metric.of)))
        elif event_type == metric.minus and metric.of is not None:
            takers.setdefault(series_id(metric), Taker(metric, -1, slot_of(metric.of)))
    return tuple(takers.values())
