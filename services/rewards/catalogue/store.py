"""Rows of catalogues, their items and codes. Whoever changes several items locks them in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, LiteralString, NamedTuple

from runtime.database import Connection
from services.rewards.catalogue.items import Offer, Stock


class Shelf(NamedTuple):
    """An item with its stock."""

    id: int
    programme: str
    offer: Offer
    stock: Stock


_SELECT: Final[LiteralString] = (
    "SELECT i.id, i.programme, i.offer::text, i.stock, i.taken, i.is_offered FROM rewards.catalogue_items i"
)


async def lock_item(connection: Connection, programme: str, item: str) -> Shelf | None:
    """An item, locked to the end of the transaction; None when no version ever had it."""
    found = await _fetch(connection, _SELECT + " WHERE programme = %s AND item = %s FOR UPDATE", (programme, item))
    return found[0] if found else None


async def price_unit_of(connection: Connection, programme: str, item: str) -> str | None:
    """In which unit an item is paid now; None when there is no such item."""
    cursor = await connection.execute(
        "SELECT offer #>> '{item,price,unit}' FROM rewards.catalogue_items WHERE programme = %s AND item = %s",
        (programme, item),
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def lock_items(connection: Connection, programme: str) -> list[Shelf]:
    """All items of a programme, locked."""
    return await _fetch(connection, _SELECT + " WHERE programme = %s ORDER BY id FOR UPDATE", (programme,))


async def shelves(connection: Connection, programme: str | None) -> list[Shelf]:
    """What is offered, or of all programmes, by programme and item."""
    return await _fetch(
        connection,
        _SELECT + " WHERE is_offered AND programme = coalesce(%s, programme)"
        ' ORDER BY programme COLLATE "C", item COLLATE "C"',
        (programme,),
    )


async def take(connection: Connection, item: int, quantity: int) -> None:
    """Of a locked item; below zero puts back. The table refuses what would oversell it."""
    await connection.execute("UPDATE rewards.catalogue_items SET taken = taken + %s WHERE id = %s", (quantity, item))


async def put_back(connection: Connection, items: Sequence[tuple[int, int]]) -> None:
    """Item and quantity of each; locks items in their order."""
    for item in sorted({item for item, _ in items}):
        await take(connection, item, -sum(quantity for each, quantity in items if each == item))


async def put_on_offer(connection: Connection, programme: str, offer: Offer, stock: int | None) -> None:
    """Make or renew an item's row; what is taken stays."""
    await connection.execute(
        "INSERT INTO rewards.catalogue_items AS i (programme, item, version, offer, is_offered, stock)"
        " VALUES (%(programme)s, %(item)s, %(version)s, %(offer)s::jsonb, true, %(stock)s)"
        " ON CONFLICT (programme, item) DO UPDATE SET version = excluded.version, offer = excluded.offer,"
        " is_offered = true, stock = excluded.stock",
        {
            "programme": programme,
            "item": offer.item.id,
            "version": offer.version,
            "offer": offer.model_dump_json(),
            "stock": stock,
        },
    )


async def withdraw(connection: Connection, items: Collection[int]) -> None:
    """Not offered any more; what was reserved of them stays so."""
    await connection.execute(
        "UPDATE rewards.catalogue_items SET is_offered = false WHERE id = ANY (%s)", (sorted(items),)
    )


async def codes_loaded(connection: Connection, programme: str) -> dict[str, int]:
    """Item to how many codes it was ever given."""
    cursor = await connection.execute(
        "SELECT i.item, count(*) FROM rewards.redemption_codes c JOIN rewards.catalogue_items i ON i.id = c.item_id"
        " WHERE i.programme = %s GROUP BY i.item",
        (programme,),
    )
    return dict(await cursor.fetchall())


async def add_codes(connection: Connection, item: int, codes: Sequence[str], *, by: str, at_ms: int) -> int:
    """Add to a locked item; returns how many were new."""
    cursor = await connection.execute(
        "WITH new AS (INSERT INTO rewards.redemption_codes (item_id, code, loaded_by, loaded_at_ms)"
        "   SELECT %(item)s, c, %(by)s, %(at_ms)s FROM unnest(%(codes)s::text[]) WITH ORDINALITY AS n (c, no)"
        "   ORDER BY no ON CONFLICT DO NOTHING RETURNING 1),"
        " more AS (SELECT count(*) AS added FROM new),"
        " grown AS (UPDATE rewards.catalogue_items SET stock = stock + (SELECT added FROM more) WHERE id = %(item)s)"
        " SELECT added FROM more",
        {"item": item, "by": by, "at_ms": at_ms, "codes": list(codes)},
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _fetch(connection: Connection, query: LiteralString, parameters: tuple[object, ...]) -> list[Shelf]:
    cursor = await connection.execute(query, parameters)
    return [
        Shelf(id, programme, Offer.model_validate_json(offer), Stock(stock, taken, is_offered))
        for id, programme, offer, stock, taken, is_offered in await cursor.fetchall()
    ]
