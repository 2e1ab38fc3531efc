"""Exchange rates as `goodword.rates` tells them, kept for payouts.

The ledger reads what is published (docs/rules.md#rates) and shares no table with the rules. A rate told again for its
day replaces the one before; a payout keeps the one that it was prepared with.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date
from fractions import Fraction
from typing import Final, Protocol

import msgspec

from contracts.errors import Problem
from contracts.ids import is_id
from contracts.money import is_currency
from contracts.rates import RatePublished, decode_rate
from runtime.bus.port import Batch, Received
from runtime.database import Connection, Database
from services.rewards.payouts.conversion import AppliedRate, PublishedRate, applied_rate
from services.rewards.store import outages_are_transient

_RATE: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


class DeadLetterBox(Protocol):
    """What of `runtime.bus.dead_letters` is used here."""

    async def reject_all(self, topic: str, partition: int, rejected: Sequence[tuple[Received, Problem]]) -> None: ...


class RatesOwner:
    """Owner of partitions of the rates, for `runtime.bus.consumer`."""

    def __init__(self, *, database: Database, dead_letters: DeadLetterBox) -> None:
        self._database = database
        self._dead_letters = dead_letters

    async def assigned(self, topic: str, partition: int) -> int | None:
        return None

    async def handle(self, batch: Batch) -> None:
        told: list[RatePublished] = []
        rejected: list[tuple[Received, Problem]] = []
        for record in batch.records:
            rate = _read(record.value)
            if isinstance(rate, Problem):
                rejected.append((record, rate))
            else:
                told.append(rate)
        await self._dead_letters.reject_all(batch.topic, batch.partition, rejected)
        await keep_rates(self._database, told)
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        """Nothing is kept per partition."""


async def keep_rates(database: Database, told: Sequence[RatePublished]) -> None:
    """The last one told of a pair and day holds. Raises TransientError."""
    newest = {(rate.programme, rate.pair, rate.day): rate for rate in told}
    with outages_are_transient():
        async with database.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO rewards.rates (programme, base, quote, day, rate, source) VALUES (%s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (programme, base, quote, day) DO UPDATE SET rate = EXCLUDED.rate,"
                " source = EXCLUDED.source WHERE (rates.rate, rates.source) <> (EXCLUDED.rate, EXCLUDED.source)",
                [
                    (rate.programme, *rate.pair.split("/"), rate.day, rate.rate, rate.source)
                    for _, rate in sorted(newest.items())
                ],
            )


async def rates_to(
    connection: Connection, programme: str, unit: str, currencies: Collection[str], day: str
) -> dict[str, AppliedRate]:
    """Currency to what the unit is converted into it with, on that day; those without a rate are absent."""
    cursor = await connection.execute(
        "SELECT DISTINCT ON (base, quote) base, quote, day, rate, source FROM rewards.rates"
        " WHERE programme = %(programme)s AND day <= %(day)s::date"
        " AND ((base = %(unit)s AND quote = ANY (%(others)s)) OR (quote = %(unit)s AND base = ANY (%(others)s)))"
        " ORDER BY base, quote, day DESC",
        {"programme": programme, "unit": unit, "others": sorted(currencies), "day": day},
    )
    found = {
        (base, quote): PublishedRate(base, quote, at, rate, by) for base, quote, at, rate, by in await cursor.fetchall()
    }
    rates = {to: applied_rate(found.get((unit, to)), found.get((to, unit)), to) for to in currencies if to != unit}
    return {to: rate for to, rate in rates.items() if rate is not None}


def _read(value: bytes) -> RatePublished | Problem:
    try:
        rate = decode_rate(value)
        base, _, quote = rate.pair.partition("/")
        is_sound = is_id(rate.programme) and is_currency(base) and is_currency(quote) and base != quote
        if is_sound and _RATE.fullmatch(rate.rate) and Fraction(rate.rate) and date.fromisoformat(rate.day):
            return rate
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        return Problem(code="not-a-rate", message=f"the value is not a rate: {error}")
    return Problem(code="not-a-rate", message=f"{rate.pair} {rate.rate} of {rate.day} is not a rate", where="rate")
