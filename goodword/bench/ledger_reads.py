"""What it costs to ask a large ledger: books now, and as of random instants, by either time.

Made by big_ledger.py and given its snapshots as the service makes them; then each question is asked several times, of
another instant each time. Nothing is cached between questions but what PostgreSQL keeps.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

import msgspec

from goodword.bench import big_ledger
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.asof.cuts import By, Cut, Period
from services.rewards.asof.snapshots import Snapshots
from services.rewards.invariants import SnapshotsMatch
from services.rewards.reads import balances, each_balance, statement, trial_balance
from services.rewards.settings import RewardsSettings
from services.rewards.store import SETUP

TRANSFERS: Final = 1_000_000
TIMES: Final = 7
WHOLE_TIMES: Final = 3
SEED: Final = 20_260_101
_MONTH: Final = timedelta(days=30)


class ReadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One question, asked `times` times."""

    question: str
    times: int
    p50_ms: float
    max_ms: float


def run(*, postgres: str, transfers: int, accounts: int, say: Callable[[str], None]) -> Iterator[ReadRow]:
    """The rows, measured in an empty database; the ledger it makes stays there."""
    migrate(postgres, "rewards")
    began = time.perf_counter()
    every = max(1, transfers // 10)
    big_ledger.fill(
        postgres,
        transfers=transfers,
        accounts=accounts,
        is_chained=False,
        progress=lambda done: say(f"{done:,} transfers") if done % every < big_ledger.CHUNK else None,
    )
    say(f"{transfers:,} transfers of {accounts:,} partners made in {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    made = asyncio.run(_make_snapshots(postgres))
    say(f"{made} snapshots made in {time.perf_counter() - began:.0f} s")
    yield from ask(postgres)


def ask(postgres: str) -> Iterator[ReadRow]:
    """The rows, of a ledger that is there."""
    draw = random.Random(SEED)  # noqa: S311  # instants, not secrets

    def cut(by: By | None) -> Cut | None:
        return None if by is None else Cut(by, big_ledger.FIRST + draw.random() * big_ledger.SPAN)

    def month(by: By) -> Period:
        since = big_ledger.FIRST + draw.random() * big_ledger.SPAN
        return Period(by, since, since + _MONTH)

    def until(by: By) -> Period:
        return Period(by, None, big_ledger.FIRST + draw.random() * big_ledger.SPAN)

    times: tuple[By | None, ...] = (None, *By)
    for by in times:
        yield _asked(f"trial balance, {by or 'now'}", TIMES, partial(_trial, postgres, partial(cut, by)))
    for by in times:
        yield _asked(f"100 balances, {by or 'now'}", TIMES, partial(_some, postgres, partial(cut, by)))
    for by in times:
        yield _asked(f"all balances, {by or 'now'}", WHOLE_TIMES, partial(_all, postgres, partial(cut, by)))
    for whose, account in (("a partner", "partner:p17:available"), ("the hot account", big_ledger.COST)):
        yield _asked(f"statement of {whose}, now", TIMES, partial(statement, postgres, account))
        for by in By:
            for name, period in (("of a month", month), ("until then", until)):
                ask = partial(_statement, postgres, account, partial(period, by))
                yield _asked(f"statement of {whose} {name}, {by}", TIMES, ask)


def _trial(postgres: str, cut: Callable[[], Cut | None]) -> None:
    trial_balance(postgres, at=cut())


def _some(postgres: str, cut: Callable[[], Cut | None]) -> None:
    balances(postgres, at=cut(), limit=100)


def _all(postgres: str, cut: Callable[[], Cut | None]) -> None:
    deque(each_balance(postgres, at=cut()), maxlen=0)


def _statement(postgres: str, account: str, period: Callable[[], Period]) -> None:
    statement(postgres, account, period=period())


async def _make_snapshots(postgres: str) -> int:
    database = Database(postgres, application="rewards", setup=SETUP)
    await database.start()
    try:
        every = RewardsSettings.model_fields["rewards_snapshot_transfers"].default
        snapshots = Snapshots(database, clock=SystemClock(), transfers=every)
        made = await snapshots.tick()
        async with database.connection() as connection:
            offenders = await SnapshotsMatch().check(connection)
        if offenders:
            raise RuntimeError(f"snapshots do not match the balances: {offenders}")
    finally:
        await database.stop()
    return made


def _asked(question: str, times: int, ask: Callable[[], Any]) -> ReadRow:
    took_ms = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took_ms.append((time.perf_counter() - began) * 1_000)
    took_ms.sort()
    return ReadRow(question=question, times=times, p50_ms=took_ms[times // 2], max_ms=took_ms[-1])
