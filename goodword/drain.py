"""Waiting until a stack has nothing left to do: every group at the end of its topic, outbox empty, mails settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import httpx
import psycopg

from contracts.errors import PermanentError, Problem
from goodword.embedded.stack import readiness
from goodword.flow import (
    ARCHIVE,
    NOTIFY_DECISIONS,
    NOTIFY_LEDGER,
    NOTIFY_PARTNERS,
    REWARDS,
    RULES,
    WAIT_S_MAX,
    open_target_bus,
    wait_until_reached,
)
from goodword.target import Target
from services.notify.reads import undelivered

Counting = Callable[[str], int]
_POLL_S: Final = 0.1
_TO_THE_LEDGER: Final = ((RULES,), (REWARDS, ARCHIVE, NOTIFY_DECISIONS))
_TO_THE_MAILS: Final = ((NOTIFY_LEDGER,), (NOTIFY_PARTNERS,))


async def until_drained(target: Target, *, wait_s_max: float = WAIT_S_MAX) -> None:
    """Return when all that is in the log now has become transfers and settled mails.

    Raises:
        PermanentError: `still-behind`: something does not move; the message names it.
    """
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:

        async def is_serving(name: str) -> str:
            url = target.services.get(name)
            return "its address is not known" if url is None else await readiness(client, url)

        async with open_target_bus(target) as bus:
            for order in (_TO_THE_LEDGER, _TO_THE_MAILS):
                await wait_until_reached(bus, order, report=_nothing, is_serving=is_serving, wait_s_max=wait_s_max)
                if order is _TO_THE_LEDGER:
                    await _until_zero("facts in the ledger's outbox", _outbox_batches, target.postgres, wait_s_max)
            await _until_zero("mails to be sent", undelivered, target.postgres, wait_s_max)


async def _until_zero(what: str, count: Counting, postgres: str, wait_s_max: float) -> None:
    before = -1
    moved_at = time.monotonic()
    while True:
        try:
            left = await asyncio.to_thread(count, postgres)
        except psycopg.OperationalError:
            left = before if before > 0 else 1  # The server may come back; the time without progress is bounded.
        if left == 0:
            return
        if left != before:
            before, moved_at = left, time.monotonic()
        if time.monotonic() - moved_at > wait_s_max:
            raise PermanentError(
                Problem(code="still-behind", message=f"{left} {what} did not move for {wait_s_max:g} s")
            )
        await asyncio.sleep(_POLL_S)


def _outbox_batches(postgres: str) -> int:
    with psycopg.connect(postgres, autocommit=True, connect_timeout=5) as connection:
        row = connection.execute("SELECT count(*) FROM rewards.outbox").fetchone()
    return int(row[0]) if row else 0


def _nothing(what: str, done: int, total: int) -> None:
    """Nobody asked how far it is."""
