"""What tests of the ledger share: planned transfers, and what must hold of any ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from contracts.decisions import Decision
from contracts.facts import TransferPosted
from runtime.clock import Clock
from runtime.database import Database
from services.rewards.invariants import INVARIANTS
from services.rewards.lives.settling import Settler
from services.rewards.postings import plan_transfers
from services.rewards.reads import balances
from services.rewards.store import Ledger
from services.rewards.writer import Writer
from tests.support.decisions import head

POSTED_AT_MS = 1_767_300_000_000


def transfers(*decisions: Decision, posted_at_ms: int = POSTED_AT_MS) -> list[TransferPosted]:
    planned = plan_transfers([head(d) for d in decisions], [""] * len(decisions), posted_at_ms=posted_at_ms)
    assert planned.refused == []
    return planned.transfers


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, now_ms: int = POSTED_AT_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms


def writer_on(database: Database, *, clock: Clock | None = None, **options: Any) -> Writer:
    """A writer with a ledger of its own, as each process has one."""
    ledger = Ledger(database)
    known: dict[str, Any] = {"writers_max": 2, "posting_transfers_max": 100} | options
    return Writer(ledger, Settler(database, ledger), clock=clock or SetClock(), **known)


async def deliver(database: Database, *decisions: Decision, at_ms: int = POSTED_AT_MS) -> None:
    """As the consumer does it: plain grants first, then what has to be settled, in its order."""
    planned = plan_transfers([head(d) for d in decisions], [""] * len(decisions), posted_at_ms=at_ms)
    assert planned.refused == []
    writer = writer_on(database, clock=SetClock(at_ms))
    await writer.post(planned.transfers)
    await writer.settle(planned.careful)


def expected_balances(decisions: Iterable[Decision]) -> dict[tuple[str, str], int]:
    """The oracle: each decision once, by its id, in plain Python."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for decision in {decision.id: decision for decision in decisions}.values():
        if decision.granted and decision.amount_minor is not None and decision.unit is not None:
            sums[f"programme:{decision.programme}:cost", decision.unit] -= decision.amount_minor
            sums[f"{decision.beneficiary}:available", decision.unit] += decision.amount_minor
    return dict(sums)


def found_balances(postgres: str) -> dict[tuple[str, str], int]:
    return {(row["account"], row["unit"]): row["minor"] for row in balances(postgres)}


async def assert_sound(database: Database) -> None:
    """Every invariant holds."""
    async with database.connection() as connection:
        for invariant in INVARIANTS:
            assert await invariant.check(connection) == [], invariant.name
