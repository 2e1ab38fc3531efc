"""The demo's events: made from a seed and an anchor day, so that the same anchor gives the same bytes.

Times are in the six days before the anchor: recent enough that partners are told by mail.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

PROGRAMME: Final = "cloud-desk"
SOURCE: Final = "demo/crm"
SEED: Final = 7
LINK_CODE: Final = "harbour"
LINK_PARTNER: Final = "harbour-consulting"
LEADS: Final = 48
_DAYS: Final = 6

PARTNERS: Final = (
    ("harbour-consulting", "Harbour Consulting", "US", "en"),
    ("lumen-advisors", "Lumen Advisors", "CA", "en"),
    ("norte-digital", "Norte Digital", "BR", "pt-BR"),
    ("kopernik-partners", "Kopernik Partners", "PL", "pl"),
    ("merapi-tech", "Merapi Tech", "ID", "id"),
    ("falkenhagen-it", "Falkenhagen IT", "DE", "en"),
)
"""Id, name, country, language."""

_CUSTOMERS: Final = (
    ("Alder Logistics", 1200, "US"),
    ("Birch & Sons", 35, "US"),
    ("Cedar Clinic", 310, "CA"),
    ("Delta Moinhos", 640, "BR"),
    ("Elbe Werkzeuge", 90, "DE"),
    ("Fen Bakery", 12, "CA"),
    ("Granit Bank", 4100, "PL"),
    ("Hutan Retail", 220, "ID"),
    ("Isar Energie", 75, "DE"),
    ("Juniper Schools", 530, "US"),
    ("Kelp Foods", 60, "FR"),
    ("Lyra Studios", 48, "US"),
)
_PRODUCTS: Final = (("Desk Starter", 39_900), ("Desk Team", 480_000), ("Desk Enterprise", 2_150_000))
_WEIGHTS: Final = (5, 4, 2, 2, 1, 1)
"""How busy each partner is, so that every tier is reached by somebody."""


def demo_events(anchor: datetime) -> list[dict[str, Any]]:
    """All events as structured CloudEvents, in order of time."""
    found = [*_registrations(anchor), *_referrals(anchor), *_trainings(anchor)]
    return sorted(found, key=lambda event: str(event["time"]))


def last_deal_won(events: list[dict[str, Any]]) -> str:
    """The id of the event that the demo explains: the last deal of the busiest partner."""
    won = [event for event in events if event["type"] == "deal.won" and event["data"].get("partner") == PARTNERS[0][0]]
    return str(won[-1]["id"])


def _registrations(anchor: datetime) -> Iterator[dict[str, Any]]:
    start = anchor - timedelta(days=_DAYS)
    for partner, name, country, language in PARTNERS:
        profile = {
            "name": name,
            "email": f"partners@{partner}.example",
            "language": language,
            "country": country,
            "status": "active",
        }
        yield _event("partner.registered", f"{partner}-registered", start, partner, {"profile": profile})


def _referrals(anchor: datetime) -> Iterator[dict[str, Any]]:
    rng = random.Random(SEED)  # noqa: S311 - made-up data, the same for everybody
    start = anchor - timedelta(days=_DAYS)
    for number in range(LEADS):
        partner = rng.choices(PARTNERS, _WEIGHTS)[0][0]
        name, employees, country = rng.choice(_CUSTOMERS)
        customer = {"id": _slug(name), "name": name, "employees": employees, "country": country}
        at = start + timedelta(minutes=60 + number * 150 + rng.randrange(120))
        # The link's own partner brings some leads by its code; who that is, the front door finds out.
        by_code = partner == LINK_PARTNER and number % 3 == 0
        lead = {"lead": {"id": f"L{number:03d}", "channel": "link" if by_code else "crm"}, "customer": customer}
        yield _event(
            "lead.registered",
            f"lead-{number:03d}",
            at,
            None if by_code else partner,
            lead | ({"referral_code": LINK_CODE} if by_code else {}),
        )
        product, price_minor = rng.choices(_PRODUCTS, (3, 5, 2))[0]
        amount = {"minor": price_minor * rng.randrange(90, 121) // 100, "currency": "USD"}
        deal = {"id": f"D{number:03d}", "product": product}
        closes = at + timedelta(minutes=rng.randrange(90, 900))
        if rng.random() < 0.7 and closes < anchor:
            won = {"deal": deal | {"amount": amount}, "customer": customer}
            yield _event("deal.won", f"deal-{number:03d}-won", closes, partner, won)
        elif closes < anchor:
            yield _event("deal.lost", f"deal-{number:03d}-lost", closes, partner, {"deal": deal, "customer": customer})


def _trainings(anchor: datetime) -> Iterator[dict[str, Any]]:
    for number, (partner, *_) in enumerate(PARTNERS):
        at = anchor - timedelta(days=2, minutes=number)
        activity = {"kind": "training" if number % 3 else "webinar", "quantity": 1}
        yield _event("activity.recorded", f"{partner}-activity", at, partner, {"activity": activity})


def _event(kind: str, name: str, at: datetime, partner: str | None, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": kind,
        "source": SOURCE,
        "id": f"demo-{name}",
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "data": {"programme": PROGRAMME} | ({"partner": partner} if partner else {}) | data,
    }


def _slug(name: str) -> str:
    return "-".join("".join(c.lower() if c.isalnum() else " " for c in name).split())
