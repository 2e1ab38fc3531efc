"""What time does to the ledger: holds end, lots expire and are announced, what waited is settled when it can be.

Promises: each exactly once, however many processes run and however they are killed: what is due is locked, posted and
written off in one transaction. One process works at a time (an advisory lock that ends with its transaction), so that
they do not do each other's work. Time is the clock's, handed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import psycopg

from runtime import log
from runtime.clock import Clock
from runtime.database import Connection, Database
from services.rewards.budgets.store import waited_for
from services.rewards.decode import decode_head
from services.rewards.lives.life import Life, Settlement
from services.rewards.lives.moves import release
from services.rewards.lives.settling import Settler
from services.rewards.lives.store import first_waiting, lock_due, lock_resumable
from services.rewards.lots.oldest_first import announce, expire, left_of, place_of
from services.rewards.lots.store import held_by_others, lock_available, lock_expired, lock_untold
from services.rewards.postings import Careful
from services.rewards.store import Posted, message_of, outages_are_transient

LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('goodword/rewards/clockwork', 0))"
DAY_MS: Final = 86_400_000
Work = Callable[[Connection, int], Awaitable[tuple[list[str], Posted]]]
"""Does up to so many of what is due, in the caller's transaction: the decisions concerned, and what was posted."""

logger = log.get(__name__)


class Clockwork:
    """What is due, in rounds (`runtime.rounds`) of `tick`.

    Args:
        batch_max: Decisions of one transaction.
        expiry_notice_days: How long before a lot's date its owner is told.
        chores: What else becomes due by time.
        on_posted: Told what became of each transaction, once durable.
    """

    def __init__(
        self,
        database: Database,
        settler: Settler,
        *,
        clock: Clock,
        batch_max: int,
        expiry_notice_days: int,
        chores: Sequence[Work] = (),
        on_posted: Callable[[Posted], None] = lambda posted: None,
    ) -> None:
        self._database = database
        self._settler = settler
        self._clock = clock
        self._batch_max = batch_max
        self._expiry_notice_days = expiry_notice_days
        self._chores = chores
        self._on_posted = on_posted
        # What is due for them would overflow a balance; a restart tries them again.
        self._stuck: set[str] = set()

    async def tick(self) -> int:
        """Do all that is due now; returns how many decisions it concerned.

        Raises:
            TransientError: The database is away.
        """
        works: tuple[Work, ...] = (self._release, self._resume, *self._chores, self._expire, self._announce)
        with outages_are_transient():
            done = [await self._until_done(work) for work in works]
            # A transaction each: budgets are locked in the order of their ids.
            waited = await self._waited_for()
            done += [await self._until_done(partial(self._resume_of_budget, budget)) for budget in waited]
            return sum(done)

    async def _until_done(self, work: Work) -> int:
        """Batch after batch. One that cannot be posted is halved until what does it is found, and left alone."""
        total, batch = 0, self._batch_max
        while True:
            done: list[str] = []
            posted = Posted()
            try:
                async with self._database.connection() as connection, connection.transaction():
                    if not await _is_alone(connection):
                        return total
                    done, posted = await work(connection, batch)
            except _Overflow as overflow:
                if batch > 1:
                    batch //= 2
                else:
                    self._leave_alone(overflow)
                continue
            self._on_posted(posted)
            total += len(done)
            if len(done) < batch:
                return total

    async def _release(self, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        now_ms = self._clock.now_ms()
        due = await lock_due(connection, now_ms=now_ms, count_max=count_max, but=self._stuck)
        done = Settlement()
        for life in due:
            done.transfers.append(release(life, life.pending_minor, at_ms=now_ms))
            done.changed[life.decision] = life
        with _overflow_named(done.changed):
            return list(done.changed), await self._settler.write(connection, done, now_ms)

    async def _resume(self, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        waiting = await lock_resumable(connection, count_max=count_max, but=self._stuck)
        careful = [Careful(decode_head(life.head or ""), life.traceparent) for life in waiting]
        if not careful:
            return [], Posted()
        done = [one.decision.id for one in careful]
        with _overflow_named(done):
            return done, await self._settler.settle_within(connection, careful, self._clock.now_ms(), resumes=True)

    async def _expire(self, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        now_ms = self._clock.now_ms()
        lots = await lock_expired(connection, now_ms=now_ms, count_max=count_max, but=self._stuck)
        lefts = await self._lefts(connection, lots)
        done = Settlement(changed={lot.decision: lot for lot in lots})
        for lot, left_minor in zip(lots, lefts, strict=True):
            done.transfers += expire(lot, left_minor, at_ms=now_ms)
        with _overflow_named(done.changed):
            return list(done.changed), await self._settler.write(connection, done, now_ms)

    async def _announce(self, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        now_ms = self._clock.now_ms()
        lots = await lock_untold(
            connection, now_ms=now_ms, notice_ms=self._expiry_notice_days * DAY_MS, count_max=count_max
        )
        done = Settlement(changed={lot.decision: lot for lot in lots})
        done.notices += announce(lots, await self._lefts(connection, lots), at_ms=now_ms)
        return list(done.changed), await self._settler.write(connection, done, now_ms)

    @staticmethod
    async def _lefts(connection: Connection, lots: Sequence[Life]) -> list[int]:
        """What is left of each lot; nobody spends of these places until the transaction ends."""
        if not lots:
            return []
        costs = {f"programme:{decode_head(lot.head or '').programme}:cost" for lot in lots}
        available = await lock_available(connection, {place_of(lot) for lot in lots}, costs)
        return left_of(lots, available, await held_by_others(connection, lots))

    async def _waited_for(self) -> list[int]:
        async with self._database.connection() as connection:
            return await waited_for(connection)

    async def _resume_of_budget(self, budget: int, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        """The first of its queue, as far as the budget reaches."""
        waiting = await first_waiting(connection, budget, count_max=count_max)
        careful = [Careful(decode_head(life.head or ""), life.traceparent) for life in waiting]
        done = [one.decision.id for one in careful]
        with _overflow_named(done):
            posted = await self._settler.settle_within(connection, careful, self._clock.now_ms(), resumes=True)
        return (done if posted.count else []), posted

    def _leave_alone(self, overflow: _Overflow) -> None:
        self._stuck.update(overflow.decisions)
        logger.error("what is due cannot be posted", decisions=overflow.decisions, reason=str(overflow))


class _Overflow(Exception):
    """Some balance would not fit 64 bits any more; `decisions` are what was in hand."""

    def __init__(self, decisions: Iterable[str], message: str) -> None:
        super().__init__(message)
        self.decisions = list(decisions)


@contextmanager
def _overflow_named(decisions: Iterable[str]) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.NumericValueOutOfRange as error:
        raise _Overflow(decisions, message_of(error)) from error


async def _is_alone(connection: Connection) -> bool:
    row = await (await connection.execute(LOCK)).fetchone()
    return bool(row and row[0])
