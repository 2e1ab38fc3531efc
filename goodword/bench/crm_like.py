"""A stream of CRM-like events of any length, made from a seed: what the whole-path measurements send.

Per three events one referral: a lead registered, its deal opened, and the deal won (63 %) or lost some days later, by
a partner out of `partners`, for a customer out of `customers`. In order of time, spread over at most
DAYS_MAX days, so that windows fill, tiers move and nothing lies in the future.
Nothing is kept: memory does not grow with the number of events.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

PROGRAMME: Final = "crm-sales"
SOURCE: Final = "crm/bench"
REFERRALS_PER_DAY_MIN: Final = 40
DAYS_MAX: Final = 2_500
_START: Final = datetime(2016, 1, 1, tzinfo=UTC)
_PRODUCTS: Final = (
    ("GTX Basic", 550),
    ("GTX Pro", 4821),
    ("MG Special", 55),
    ("MG Advanced", 3393),
    ("GTK 500", 26768),
)
_INDUSTRIES: Final = ("retail", "technology", "medical", "software", "finance")
_OFFICES: Final = ("Central", "East", "West")
_encode = msgspec.json.encode


def lines(events: int, *, seed: int = 1, partners: int = 1_000, customers: int = 5_000) -> Iterator[bytes]:
    """NDJSON lines (each with its newline) of that many events, in order of time."""
    rng = random.Random(seed)  # noqa: S311 - made-up data, the same for everybody
    pending: list[tuple[int, int, bytes]] = []
    made = number = 0
    per_day = max(REFERRALS_PER_DAY_MIN, events // 3 // DAYS_MAX + 1)
    while True:
        day = number // per_day
        while pending and pending[0][0] <= day:
            yield heapq.heappop(pending)[2]
            made += 1
            if made == events:
                return
        for at_day, line in _referral(rng, number, day, partners, customers):
            if at_day > day:
                heapq.heappush(pending, (at_day, number, line))
                continue
            yield line
            made += 1
            if made == events:
                return
        number += 1


def _referral(rng: random.Random, number: int, day: int, partners: int, customers: int) -> Iterator[tuple[int, bytes]]:
    product, price = rng.choice(_PRODUCTS)
    which = rng.randrange(customers)
    data: dict[str, object] = {
        "programme": PROGRAMME,
        "partner": f"partner-{rng.randrange(partners)}",
        "customer": {
            "id": f"customer-{which}",
            "name": f"Customer {which}",
            "industry": _INDUSTRIES[which % 5],
            "employees": 10 + which * 37 % 20_000,
            "annual_revenue": {"minor": 1_000_000 * (1 + which % 997), "currency": "USD"},
            "country": "US",
        },
        "attributes": {"office": _OFFICES[number % 3]},
    }
    deal = {"id": f"D{number}", "product": product}
    closes = day + rng.randrange(1, 90)
    yield day, _line("lead.registered", f"{number}-lead", day, data | {"lead": {"id": f"D{number}"}})
    yield day, _line("deal.opened", f"{number}-opened", day, data | {"deal": deal})
    if rng.random() < 0.63:
        amount = {"minor": price * rng.randrange(80, 120), "currency": "USD"}
        yield closes, _line("deal.won", f"{number}-won", closes, data | {"deal": deal | {"amount": amount}})
    else:
        yield closes, _line("deal.lost", f"{number}-lost", closes, data | {"deal": deal})


def _line(kind: str, event_id: str, day: int, data: Mapping[str, object]) -> bytes:
    moment = _START + timedelta(days=day)
    event = {
        "specversion": "1.0",
        "type": kind,
        "source": SOURCE,
        "id": event_id,
        "time": f"{moment:%Y-%m-%d}T00:00:00Z",
    }
    return _encode(event | {"data": data}) + b"\n"
