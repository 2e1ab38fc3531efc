"""Publishes catalogues and loads codes; each is one transaction.

Promises: a version is what was published, for ever; publishing the newest version again makes none; what is reserved
keeps its version and price; nothing is published that would leave less stock than is taken already. Codes are told
to nobody here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from contracts.errors import PermanentError, Problem
from runtime.clock import Clock
from runtime.database import Connection, Connections
from services.rewards.catalogue.items import Catalogue
from services.rewards.catalogue.reading import digest_of, read_catalogue
from services.rewards.catalogue.store import (
    Shelf,
    add_codes,
    codes_loaded,
    lock_item,
    lock_items,
    put_on_offer,
    shelves,
    withdraw,
)
from services.rewards.store import outages_are_transient

CODES_MAX: Final = 100_000
"""Of one loading."""
CODE_LENGTH_MAX: Final = 256

_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('goodword/rewards/catalogue/' || %s, 0))"


class Published(NamedTuple):
    """A version, and whether this publishing made it."""

    programme: str
    version: int
    is_new: bool
    items: int
    withdrawn: tuple[str, ...]


class Catalogues:
    """Safe to use from several tasks and processes at once. All raise PermanentError and TransientError."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    async def publish(self, text: str, *, path: str, by: str) -> Published:
        """Make a version of a file's text.

        Raises:
            CatalogueErrors: All that is wrong with the text.
            PermanentError: `stock-below-taken`.
        """
        catalogue = read_catalogue(text, path=path)
        programme = catalogue.programme
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                await connection.execute(_TURN, (programme,))
                version, digest = await _newest(connection, programme)
                if digest == digest_of(text):
                    return Published(programme, version, is_new=False, items=len(catalogue.items), withdrawn=())
                await connection.execute(
                    "INSERT INTO rewards.catalogues"
                    " (programme, version, digest, source_text, published_by, published_at_ms)"
                    " VALUES (%s, %s, %s, %s, %s, %s)",
                    (programme, version + 1, digest_of(text), text, by, self._clock.now_ms()),
                )
                gone = await _offer(connection, catalogue, version + 1)
        return Published(programme, version + 1, is_new=True, items=len(catalogue.items), withdrawn=gone)

    async def load_codes(self, programme: str, item: str, codes: Sequence[str], *, by: str) -> int:
        """Give an item more codes; those that it was given before are left out. Returns how many were new."""
        _check_codes(codes)
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                shelf = await lock_item(connection, programme, item)
                if shelf is None or not shelf.offer.item.has_codes:
                    help = "an item says `stock: codes` in its catalogue"
                    raise _refused("no-codes-wanted", f"no item {item} of {programme} takes codes", help)
                return await add_codes(connection, shelf.id, codes, by=by, at_ms=self._clock.now_ms())

    async def offered(self, programme: str | None = None) -> list[Shelf]:
        """What is offered now."""
        with outages_are_transient():
            async with self._connections.connection() as connection:
                return await shelves(connection, programme)

    async def source(self, programme: str, version: int | None = None) -> tuple[int, str] | None:
        """A version as it was written, or the newest; None when there is none."""
        with outages_are_transient():
            async with self._connections.connection() as connection:
                cursor = await connection.execute(
                    "SELECT version, source_text FROM rewards.catalogues"
                    " WHERE programme = %s AND version = coalesce(%s, version) ORDER BY version DESC LIMIT 1",
                    (programme, version),
                )
                return await cursor.fetchone()


async def _newest(connection: Connection, programme: str) -> tuple[int, str]:
    cursor = await connection.execute(
        "SELECT version, digest FROM rewards.catalogues WHERE programme = %s ORDER BY version DESC LIMIT 1",
        (programme,),
    )
    return await cursor.fetchone() or (0, "")


async def _offer(connection: Connection, catalogue: Catalogue, version: int) -> tuple[str, ...]:
    """Renew the items' rows; returns those that are not offered any more."""
    programme = catalogue.programme
    before = {shelf.offer.item.id: shelf for shelf in await lock_items(connection, programme)}
    loaded = await codes_loaded(connection, programme)
    # In one order, whatever the file's: new rows of two publishings would wait for each other else.
    for offer in sorted(catalogue.offers(version), key=lambda offer: offer.item.id):
        item = offer.item
        stock = loaded.get(item.id, 0) if item.has_codes else item.counted_stock
        known = before.pop(item.id, None)
        if known is not None and stock is not None and stock < known.stock.taken:
            problem = f"{known.stock.taken} of {item.id} are taken already, and {stock} is less"
            raise _refused("stock-below-taken", problem, "stock is how many there are in all, those taken among them")
        await put_on_offer(connection, programme, offer, stock)
    await withdraw(connection, [shelf.id for shelf in before.values()])
    return tuple(sorted(id for id, shelf in before.items() if shelf.stock.is_offered))


def _check_codes(codes: Sequence[str]) -> None:
    if not 0 < len(codes) <= CODES_MAX:
        raise _refused("codes-out-of-range", f"{len(codes)} codes: 1 … {CODES_MAX} are loaded at once")
    for line, code in enumerate(codes, 1):
        # Not the code itself: it is worth money, and errors are logged.
        if not code.strip() or len(code) > CODE_LENGTH_MAX or not code.isprintable():
            raise _refused("code-malformed", f"code {line} is empty, too long or not printable")
    if len(set(codes)) < len(codes):
        raise _refused("code-twice", "a code stands twice in the file")


def _refused(code: str, message: str, help: str = "") -> PermanentError:
    return PermanentError(Problem(code=code, message=message, help=help))
