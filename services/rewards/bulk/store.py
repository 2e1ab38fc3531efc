"""Copies a large batch of new transfers into the ledger; what is not all new is left to `rewards.post`.

Promises: all of the batch is posted with its balances, its block and its facts, or nothing is. COPY writes rows a page
at a time and looks for no duplicates first, which saves the server a third; so a batch with an id that is known, or
twice in it, is posted the other way, which says which and how they differ.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, LiteralString

import psycopg

from runtime.database import Connection
from services.rewards.bulk.rows import COLUMNS, Bulk

_COPY: Final[LiteralString] = f"COPY rewards.transfers ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"


async def copy_new(connection: Connection, bulk: Bulk, facts: Awaitable[bytes]) -> bool:
    """Post the batch if the ledger knows none of its ids, in a transaction or savepoint of its own.

    Args:
        connection: Accounts and months of the batch are open.
        bulk: Sorted by id.
        facts: Of the batch, packed; may still be in the making.

    Returns:
        Whether it was posted; if not, nothing has happened.

    Raises:
        psycopg.errors.NumericValueOutOfRange: A balance would not fit; nothing has happened.
    """
    try:
        async with connection.transaction():
            # Else a batch that comes again would leave dead rows in a table that has none.
            cursor = await connection.execute("SELECT rewards.is_any_known(%s)", (bulk.ids,), prepare=True)
            if (await cursor.fetchone() or (True,))[0]:
                return False
            async with cursor.copy(_COPY) as copy:
                await copy.write(bulk.rows)
            await connection.execute(
                "SELECT rewards.post_copied(%s, %s, %s, %s, %s, %s)",
                (bulk.ids, bulk.accounts, bulk.units, bulk.minors, bulk.hashes, await facts),
                prepare=True,
            )
    except psycopg.errors.UniqueViolation:
        # Another process posted or refused one of them at this moment.
        return False
    return True
