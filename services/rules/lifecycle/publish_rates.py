"""Exchange rates enter the log: one `rates.published` per day to every partition (docs/rules.md#rates).

The log is the only record of them; `goodword.rates` has the newest of each, for whoever converts what is earned.
Telling the same again is harmless: a rate that stands already is no news to the fold. So a crash between two partitions
is mended by telling all of it again, and `read_rates_told` shows what is missing where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Final

import msgspec

from contracts.decisions import DECISIONS_SOURCE
from contracts.events import EventData, RatesPublished, encode_data, event_headers
from contracts.rates import RATE_PUBLISHED, RatePublished, encode_rate
from contracts.topics import RATES, REFERRALS
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.tracing import new_traceparent
from services.rules.amounts.rates import Rates, read_rates
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.connect import connect
from services.rules.states.state import rates_key
from services.rules.store import StateStore

RECORDS_AT_ONCE_MAX: Final = 500
AUDIT_RATES_MAX: Final = 100
"""Rates that stand in the audit log by name."""
ACTION: Final = "rates published"


class RateTold(msgspec.Struct, frozen=True, kw_only=True):
    """A rate as the partitions know it.

    Attributes:
        partitions: How many of them know this very rate; fewer than `of` are still to read it, or have another.
    """

    programme: str
    day: str
    pair: str
    rate: str
    partitions: int
    of: int


async def publish_rates(
    programmes: Sequence[str],
    days: Sequence[RatesPublished],
    *,
    postgres: str,
    bus: Bus,
    clock: Clock,
    who: str,
    note: str = "",
) -> int:
    """Tell the rates of these days to every partition, for each programme; returns how many partitions there are.

    The audit log has a row for each programme. It is written when all is told, so that it never says what is not so;
    who dies in between has to tell the rates again, as after any outage.

    Raises:
        PermanentError(`bad-rates`): Something is no rate; nothing was told.
        TransientError: The log or the database is away; tell them again.
    """
    for each in days:
        read_rates(each)
    partitions = await bus.partition_count(REFERRALS.name)
    now_ms = clock.now_ms()
    records = rates_records(programmes, days, partitions, now_ms)
    for_others = rates_for_others(programmes, days, now_ms, who)
    async with connect(postgres) as connection:
        while batch := list(islice(records, RECORDS_AT_ONCE_MAX)):
            await bus.publish(REFERRALS.name, batch)
        while batch := list(islice(for_others, RECORDS_AT_ONCE_MAX)):
            await bus.publish(RATES.name, batch)
        for programme in programmes:
            await note_in_audit(
                connection, ACTION, at_ms=now_ms, who=who, programme=programme, note=note, details=_in_audit(days)
            )
    return partitions


def _in_audit(days: Sequence[RatesPublished]) -> dict[str, object]:
    """The rates themselves where they are few; of a file, its days and how many there are. The log has them all."""
    count = sum(len(each.rates) for each in days)
    told: dict[str, object] = {"rates": count, "first_day": days[0].day, "last_day": days[-1].day}
    if count <= AUDIT_RATES_MAX:
        told["by_day"] = {each.day: each.rates for each in days}
    return told


def rates_records(
    programmes: Iterable[str], days: Sequence[RatesPublished], partitions: int, now_ms: int
) -> Iterator[Record]:
    """`rates.published` for each programme, day and partition; the same rates have the same id."""
    for programme in programmes:
        for published in days:
            value = encode_data(EventData(programme=programme, rates=published))
            headers = event_headers(
                type="rates.published",
                source=DECISIONS_SOURCE,
                id=f"rates-{programme}-{published.day}-{sha256(value).hexdigest()[:16]}",
                time_ms=now_ms,
                recorded_at_ms=now_ms,
                traceparent=new_traceparent(),
            )
            for partition in range(partitions):
                yield Record(programme.encode(), value, headers, partition)


def rates_for_others(
    programmes: Iterable[str], days: Sequence[RatesPublished], now_ms: int, who: str
) -> Iterator[Record]:
    """`rate.published` for each programme, day and pair, as whoever converts what is earned reads them."""
    for programme in programmes:
        for published in days:
            for pair, rate in published.rates.items():
                fact = RatePublished(programme=programme, day=published.day, pair=pair, rate=rate, source=who)
                value = encode_rate(fact)
                headers = event_headers(
                    type=RATE_PUBLISHED,
                    source=DECISIONS_SOURCE,
                    id=f"rate-{programme}-{published.day}-{sha256(value).hexdigest()[:16]}",
                    time_ms=now_ms,
                    recorded_at_ms=now_ms,
                )
                yield Record(fact.key.encode(), value, headers)


async def read_rates_told(store: StateStore, programme: str, partitions: int) -> list[RateTold]:
    """What the partitions know, by day and pair, as of the last batch that each has written.

    Raises:
        StoreUnavailable: Redis is away.
        StateUnreadable: The states are of another version; rebuild them.
    """
    told: dict[tuple[str, str, str], int] = {}
    key = rates_key(programme)
    for partition in range(partitions):
        position = await store.stored(partition)
        value = None if position is None else (await store.load(partition, position.era, [key]))[key]
        if value is None:
            continue
        rates = Rates()
        rates.load(value)
        for rate in rates.listed():
            told[rate] = told.get(rate, 0) + 1
    return [
        RateTold(programme=programme, day=day, pair=pair, rate=rate, partitions=count, of=partitions)
        for (day, pair, rate), count in sorted(told.items())
    ]
