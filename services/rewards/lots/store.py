"""Rows of lots, as parts of `rewards.lives`, and the balances that say what is left of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, LiteralString

from runtime.database import Connection
from services.rewards import packing
from services.rewards.lives.life import Life
from services.rewards.lives.store import fetch_lives
from services.rewards.lots.oldest_first import Place, left_of, place_of
from services.rewards.lots.spending import Purse, purse_of

_WHERE_EXPIRED: Final[LiteralString] = (
    " WHERE lot_minor > 0 AND pending_minor = 0 AND expires_at_ms <= %s AND decision_id <> ALL (%s)"
    " ORDER BY expires_at_ms, decision_id LIMIT %s FOR UPDATE SKIP LOCKED"
)
_WHERE_OPEN: Final[LiteralString] = (
    " WHERE lot_minor > 0 AND pending_minor = 0 AND beneficiary = ANY (%s) AND unit = ANY (%s)"
    " ORDER BY decision_id FOR UPDATE"
)
_WHERE_UNTOLD: Final[LiteralString] = (
    # All that a place loses within twice the notice is told together, so that nobody gets a mail a day.
    " WHERE lot_minor > 0 AND NOT is_announced AND pending_minor = 0 AND expires_at_ms > %(now)s"
    " AND expires_at_ms <= %(now)s + 2 * %(notice)s::bigint AND (beneficiary, unit) IN ("
    "   SELECT d.beneficiary, d.unit FROM rewards.lives d"
    "   WHERE d.lot_minor > 0 AND NOT d.is_announced AND d.pending_minor = 0"
    "   AND d.expires_at_ms > %(now)s AND d.expires_at_ms <= %(now)s + %(notice)s"
    "   ORDER BY d.expires_at_ms LIMIT %(count)s)"
    " ORDER BY expires_at_ms, decision_id FOR UPDATE SKIP LOCKED"
)


async def lock_expired(connection: Connection, *, now_ms: int, count_max: int, but: Collection[str] = ()) -> list[Life]:
    """Lots whose date has come, the oldest first."""
    return await fetch_lives(connection, _WHERE_EXPIRED, (now_ms, packing.uuids(sorted(but)), count_max))


async def lock_untold(connection: Connection, *, now_ms: int, notice_ms: int, count_max: int) -> list[Life]:
    """Lots of places that lose something within the notice and have not been told, the oldest first."""
    return await fetch_lives(connection, _WHERE_UNTOLD, {"now": now_ms, "notice": notice_ms, "count": count_max})


async def lock_available(connection: Connection, places: Collection[Place], costs: Collection[str]) -> dict[Place, int]:
    """What places have available; locked together with the cost accounts, in the order in which postings lock."""
    addresses = {f"{place.beneficiary}:available": place.beneficiary for place in places}
    cursor = await connection.execute(
        "SELECT a.address, b.unit, b.minor FROM rewards.balances b JOIN rewards.accounts a ON a.id = b.account_id"
        " WHERE a.address = ANY (%s) AND b.unit = ANY (%s) ORDER BY b.account_id, b.unit FOR UPDATE OF b",
        ([*addresses, *costs], sorted({place.unit for place in places})),
    )
    rows = await cursor.fetchall()
    return {Place(addresses[address], unit): minor for address, unit, minor in rows if address in addresses}


async def held_by_others(connection: Connection, lots: Collection[Life]) -> dict[Place, int]:
    """What other lots of the same places hold that is available."""
    cursor = await connection.execute(
        "SELECT beneficiary, unit, sum(lot_minor - pending_minor)::bigint FROM rewards.lives"
        " WHERE lot_minor > 0 AND beneficiary = ANY (%s) AND unit = ANY (%s) AND decision_id <> ALL (%s)"
        " GROUP BY beneficiary, unit",
        (
            sorted({lot.beneficiary for lot in lots}),
            sorted({lot.unit for lot in lots}),
            packing.uuids([lot.decision for lot in lots]),
        ),
    )
    return {Place(beneficiary, unit): minor for beneficiary, unit, minor in await cursor.fetchall()}


class NewLotError(Exception):
    """A lot was granted while others of its place were locked: begin the transaction again."""


async def lock_lots(connection: Connection, places: Collection[Place]) -> dict[str, Life]:
    """What can be spent of places and expires, by decision; locked to the end, before anything that is no life."""
    beneficiaries, units = sorted({place.beneficiary for place in places}), sorted({place.unit for place in places})
    found = await fetch_lives(connection, _WHERE_OPEN, (beneficiaries, units))
    return {lot.decision: lot for lot in found}


async def purses(
    connection: Connection, places: Collection[Place], lots: Mapping[str, Life], *also: str, now_ms: int
) -> dict[Place, Purse]:
    """What can be spent of places; their balances, and those of the accounts `also`, are locked to the end.

    Until then nobody else spends of them and nothing of them expires: both write those balances. Whoever spends next
    names all accounts that it will write, so that they are locked in the order in which postings lock. `lots` are from
    `lock_lots`, of the same places.

    Raises:
        NewLotError: There is one more by now.
    """
    if not places:
        return {}
    available = await lock_available(connection, places, also)
    cursor = await connection.execute(
        "SELECT FROM rewards.lives WHERE lot_minor > 0 AND pending_minor = 0 AND beneficiary = ANY (%s)"
        " AND unit = ANY (%s) AND decision_id <> ALL (%s) LIMIT 1",
        (
            sorted({place.beneficiary for place in places}),
            sorted({place.unit for place in places}),
            packing.uuids(sorted(lots)),
        ),
    )
    if cursor.rowcount:
        raise NewLotError
    found = {}
    for place in places:
        own = sorted(
            (lot for lot in lots.values() if place_of(lot) == place and lot.lot_minor > 0),
            key=lambda lot: (lot.expires_at_ms or 0, lot.decision),
        )
        lefts = left_of(own, available, await held_by_others(connection, own)) if own else []
        found[place] = purse_of(available.get(place, 0), own, lefts, now_ms=now_ms)
    return found
