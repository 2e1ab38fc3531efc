"""A stream of a few partners over a year and a half, CloudEvents in plain dicts: partly late, shared, at odd hours."""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime, timedelta
from typing import Any

PROGRAMME = "oracle"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 540
_PARTNERS = 6
_CUSTOMERS = 25
_DEALS = 120
_LATE_SHARE = 0.05
_LATE_DAYS_MAX = 40
_SHARES_PPM = (500_000, 333_333, 1)
_REFUND_DAYS = (0, 1, 29, 30, 31, 60, 200)
_RENEWAL_DAYS = (20, 58, 59, 60, 61, 62, 90, 365)
"""After the sale; among them the days about which a window, a `for` or a `clawback` ends."""

Event = dict[str, Any]


class Stream:
    """`events` in the order of the log."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._made: list[tuple[datetime, Event]] = []
        self._customers = [self._customer(number) for number in range(_CUSTOMERS)]
        for number in range(_PARTNERS):
            self._approve(f"partner-{number}")
        for number in range(_DEALS):
            self._referral(number)
        arrived = sorted(
            ((at + self._late(event), number, event) for number, (at, event) in enumerate(self._made)),
            key=lambda each: each[:2],
        )
        self.events = [event for _, _, event in arrived]

    def _customer(self, number: int) -> dict[str, Any]:
        country = self._random.choice(["US", "US", "JP", "NO", "PL"])
        return {"id": f"c{number}", "employees": self._random.choice([20, 499, 500, 4_000]), "country": country}

    def _late(self, event: Event) -> timedelta:
        is_late = event["type"] in {"deal.won", "lead.registered"} and self._random.random() < _LATE_SHARE
        return timedelta(days=self._random.randrange(1, _LATE_DAYS_MAX) if is_late else 0)

    def _add(self, what: str, id: str, at: datetime, partner: str, **data: Any) -> None:
        data = {"programme": PROGRAMME, "partner": partner, **data}
        event = {"type": what, "source": "crm/test", "id": id, "time": at.isoformat(), "data": data}
        self._made.append((at, event))
        if self._random.random() < 0.03:
            self._made.append((at + timedelta(days=2), copy.deepcopy(event)))

    def _approve(self, partner: str) -> None:
        groups = self._random.choice([["pilots"], ["gold-club", "pilots"], [], ["east"]])
        self._add("partner.approved", f"{partner}-approved", _BEGIN, partner, profile={"groups": groups})

    def _referral(self, number: int) -> None:
        draw = self._random
        partner, customer = f"partner-{draw.randrange(_PARTNERS)}", draw.choice(self._customers)
        # Midnight of New York is 4 or 5 o'clock.
        at = _BEGIN + timedelta(
            days=draw.randrange(_DAYS), hours=draw.choice([0, 3, 4, 5, 12]), seconds=draw.choice([0, 3_599])
        )
        lead = {"lead": {"id": f"l{number}"}, "customer": customer}
        self._add("lead.registered", f"lead-{number}", at, partner, **lead)
        if draw.random() < 0.4:
            self._add("lead.qualified", f"lead-{number}-qualified", at + timedelta(days=3), partner, **lead)
        at += timedelta(days=draw.randrange(1, 30))
        minor = draw.choice([9_999, 10_000, 49_999, 123_456, 400_000, 1_700_001])
        deal = {"id": f"d{number}", "product": draw.choice(["GTX Pro", "GTX Basic", "MG Special"])}
        data: dict[str, Any] = {"deal": {**deal, "amount": {"minor": minor, "currency": "USD"}}, "customer": customer}
        if draw.random() < 0.1:
            data["share_ppm"] = draw.choice(_SHARES_PPM)
        self._add("deal.won", f"deal-{number}", at, partner, **data)
        if draw.random() < 0.3:
            for refund in range(draw.randrange(1, 4)):
                part = {"minor": draw.choice([minor, minor // 3, 1, minor // 7 + 1]), "currency": "USD"}
                later = at + timedelta(days=draw.choice(_REFUND_DAYS), minutes=refund + 1)
                refunded = {**data, "deal": {**deal, "amount": part}, "refund_id": f"r{refund}"}
                self._add("deal.refunded", f"deal-{number}-refund-{refund}", later, partner, **refunded)
        elif draw.random() < 0.4:
            for renewal in range(2):
                later = at + timedelta(days=draw.choice(_RENEWAL_DAYS), minutes=renewal + 1)
                renewed = {**data, "period": f"y{renewal}"}
                self._add("deal.renewed", f"deal-{number}-renewed-{renewal}", later, partner, **renewed)
        if draw.random() < 0.4:
            survey = {"kind": "nps", "score": draw.randrange(11)}
            self._add("survey.answered", f"survey-{number}", at + timedelta(days=3), partner, survey=survey)
