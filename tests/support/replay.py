"""The oracle of as-of reads: a replay of all transfers from zero, in plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from contracts.events import time_ms_of
from contracts.facts import TransferPosted
from services.rewards.asof.cuts import By
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import POSTED_AT_MS, transfers

HOUR_MS = 3_600_000


class Line(NamedTuple):
    """A posting as a statement tells it."""

    transfer: str
    minor: int
    unit: str
    balance_minor: int


def time_of(transfer: TransferPosted, by: By) -> int:
    if by is By.BOOKED:
        return transfer.posted_at_ms
    return transfer.time_ms if transfer.news_at_ms is None else transfer.news_at_ms


def replay(made: Iterable[TransferPosted], by: By, until: datetime | None = None) -> dict[tuple[str, str], int]:
    """Balances by account and unit before an instant, those of zero among them."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for transfer in made:
        if until is None or time_of(transfer, by) < time_ms_of(until) + (1 if until.microsecond % 1_000 else 0):
            sums[transfer.debit, transfer.unit] -= transfer.amount_minor
            sums[transfer.credit, transfer.unit] += transfer.amount_minor
    return dict(sums)


def lines(made: Iterable[TransferPosted], account: str, by: By) -> list[Line]:
    """The whole statement of an account, oldest first."""
    running: dict[str, int] = defaultdict(int)
    found = []
    for transfer in sorted(made, key=lambda t: (time_of(t, by), t.id)):
        if account in (transfer.debit, transfer.credit):
            minor = transfer.amount_minor if transfer.credit == account else -transfer.amount_minor
            running[transfer.unit] += minor
            found.append(Line(transfer.id, minor, transfer.unit, running[transfer.unit]))
    return found


def history(draw: random.Random, batches: int, *, first: int = 0) -> list[list[TransferPosted]]:
    """Batches as they were booked, one hour or none after each other: most events are fresh, some are years late, and
    some transfers count at another time than their event's.
    """
    made, posted_at_ms = [], POSTED_AT_MS
    for batch in range(first, first + batches):
        posted_at_ms = POSTED_AT_MS + batch // 2 * HOUR_MS
        rows = []
        for number in range(draw.randrange(1, 8)):
            late_ms = draw.choice([0, 0, 0, draw.randrange(1_000 * HOUR_MS), draw.randrange(30_000 * HOUR_MS)])
            (transfer,) = transfers(
                decided(
                    batch * 10 + number,
                    time_ms=TIME_MS + batch * HOUR_MS - late_ms,
                    partner=f"p{draw.randrange(3)}",
                    programme=draw.choice(["crm-sales", "other"]),
                    unit=draw.choice(["USD", "POINTS"]),
                    amount_minor=draw.randrange(1, 1_000),
                ),
                posted_at_ms=posted_at_ms + draw.choice([0, 0, 1, -1]),
            )
            if draw.random() < 0.2:
                transfer = msgspec.structs.replace(transfer, debit=transfer.credit, credit=transfer.debit)
            if draw.random() < 0.3:
                moved_ms = draw.randrange(-50, 500) * HOUR_MS
                transfer = msgspec.structs.replace(transfer, news_at_ms=transfer.time_ms + moved_ms)
            rows.append(transfer)
        made.append(rows)
    return made
