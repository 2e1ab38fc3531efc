"""What tests of the ledger share: planned transfers, and what must hold of any ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from contracts.decisions import Decision
from contracts.facts import TransferPosted
from runtime.database import Database
from services.rewards.invariants import INVARIANTS
from services.rewards.postings import plan_transfers
from services.rewards.reads import balances
from tests.support.decisions import head

POSTED_AT_MS = 1_767_300_000_000


def transfers(*decisions: Decision, posted_at_ms: int = POSTED_AT_MS) -> list[TransferPosted]:
    planned = plan_transfers([head(d) for d in decisions], [""] * len(decisions), posted_at_ms=posted_at_ms)
    assert planned.refused == []
    return planned.transfers


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
