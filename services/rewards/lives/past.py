"""Grants whose hold is over when they come are posted like plain ones: set-wise, and without a row in `lives`.

Promises: a decision that the ledger knows anything of is left to `settling.py`, which decides by what it knows; so
the answer to a decision does not depend on when, or how often, it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg

from runtime.database import Connection
from services.rewards.lives.grants import past_legs
from services.rewards.lives.store import plain_grants, read_lives
from services.rewards.postings import Careful
from services.rewards.store import Ledger, Posted

RIVALS_MAX: Final = 5
"""How often to look again because another process posted some of a batch meanwhile."""


class _Known(Exception):
    """The ledger knows something of one of these decisions; nothing was posted."""


async def post_past(
    connection: Connection, ledger: Ledger, past: Sequence[Careful], at_ms: int
) -> tuple[Posted, list[Careful]]:
    """Post those that the ledger knows nothing of, and drop those that it has in full; returns what is left.

    Args:
        connection: Not in a transaction.
        ledger: Its accounts of these decisions are open.
        past: Sound decisions for which `grants.is_past` holds at `at_ms`.
        at_ms: The moment of posting.
    """
    posted, left, new = Posted(), list[Careful](), list(past)
    for _ in range(RIVALS_MAX):
        try:
            return posted + await _post_new(connection, ledger, new, at_ms), left
        except psycopg.errors.NumericValueOutOfRange:
            return posted, left + new
        except _Known:
            ids = {one.decision.id for one in new}
        lives = await read_lives(connection, ids)
        # A row without a head is of one that was posted here, and touched later.
        watched = {id for id, life in lives.items() if life.head is not None}
        there = (await plain_grants(connection, ids - watched)).keys()
        if not watched and not there:
            break
        left += [one for one in new if one.decision.id in watched]
        again = [one for one in new if one.decision.id in there]
        try:
            posted += await _drop(connection, ledger, again, at_ms)
        except _Known:
            left += again
        # Other processes may be posting more of them at this moment.
        new = [one for one in new if one.decision.id not in watched | there]
    return posted, left + new


async def _post_new(connection: Connection, ledger: Ledger, past: Sequence[Careful], at_ms: int) -> Posted:
    if not past:
        return Posted()
    legs = [each for one in past for each in past_legs(one, at_ms)]
    async with connection.transaction():
        posted = await ledger.post_within(connection, legs, only_whole=True)
        # After the insertion: whoever had these ids first is committed by now, and seen.
        if posted.count < len(legs) or await read_lives(connection, [one.decision.id for one in past]):
            raise _Known
    return posted


async def _drop(connection: Connection, ledger: Ledger, past: Sequence[Careful], at_ms: int) -> Posted:
    """Those whose grant is there: its other leg has to be there as well, else they are not ours to drop."""
    if not past:
        return Posted()
    async with connection.transaction():
        posted = await ledger.post_within(connection, [each for one in past for each in past_legs(one, at_ms)])
        if posted.count:
            raise _Known
    return posted
