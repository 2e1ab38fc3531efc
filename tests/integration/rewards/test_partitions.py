"""Transfers lie in partitions by the month of their event; whatever the time, every posting finds a place."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import psycopg
import pytest

from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.partitions.store import count_other, open_ahead
from services.rewards.store import Ledger
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, deliver, expected_balances, found_balances, transfers

TIMES: Final = [
    # event, its partition
    ("2025-11-30T23:59:59.999+00:00", "transfers_2025_11"),
    ("2025-12-01T00:00:00+00:00", "transfers_2025_12"),
    ("2025-12-31T23:59:59.999+00:00", "transfers_2025_12"),
    ("2024-02-29T12:00:00+00:00", "transfers_2024_02"),
    ("1990-01-01T00:00:00+00:00", "transfers_1990_01"),
    ("1989-12-31T23:59:59.999+00:00", "transfers_other"),
    ("1970-01-01T00:00:00+00:00", "transfers_other"),
    ("2199-07-01T00:00:00+00:00", "transfers_other"),
]


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def places(url: str) -> dict[str, str]:
    """Event id to the partition that its transfer lies in."""
    with psycopg.connect(url, autocommit=True) as owner:
        return dict(owner.execute("SELECT event_id, tableoid::regclass::text FROM rewards.transfers").fetchall())


@pytest.mark.parametrize("held_ms", [None, 86_400_000], ids=["plain", "held"])
async def test_the_event_says_the_month_and_no_insert_fails(
    database: Database, ledger_url: str, held_ms: int | None
) -> None:
    decisions = [
        decided(n, time_ms=ms(at), available_at_ms=None if held_ms is None else ms(at) + held_ms)
        for n, (at, _) in enumerate(TIMES)
    ]
    await deliver(database, *decisions)
    await deliver(database, *decisions)
    expected = {d.event_id: f"rewards.{partition}" for d, (_, partition) in zip(decisions, TIMES, strict=True)}
    assert places(ledger_url) == expected
    # With a hold, those of the past are released already: a transfer more each.
    assert await count_other(database) == (3 if held_ms is None else 5)
    await assert_sound(database)


async def test_what_fell_into_other_stays_there_and_is_found(
    database: Database, ledger: Ledger, ledger_url: str
) -> None:
    """A month cannot be made any more once rows of it are in the default partition; nothing else changes."""
    at_ms = ms("2025-06-10T00:00:00+00:00")
    async with database.connection() as connection, connection.transaction():
        await connection.execute("INSERT INTO rewards.accounts (address) VALUES ('programme:crm-sales:cost')")
        await connection.execute("INSERT INTO rewards.accounts (address) VALUES ('partner:ann:available')")
        await ledger.post_within(connection, transfers(decided(1, time_ms=at_ms)))
    await deliver(database, decided(1, time_ms=at_ms), decided(2, time_ms=at_ms))
    assert set(places(ledger_url).values()) == {"rewards.transfers_other"}
    assert found_balances(ledger_url) == expected_balances([decided(1), decided(2)])


async def test_months_are_made_ahead_once_however_many_try(database: Database, ledger_url: str) -> None:
    at_ms = ms("2026-11-30T23:00:00+00:00")
    await asyncio.gather(*(open_ahead(database, at_ms) for _ in range(4)))
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        made = owner.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'rewards.transfers'::regclass"
            " ORDER BY 1"
        ).fetchall()
    assert [name for (name,) in made] == [
        "rewards.transfers_2026_11",
        "rewards.transfers_2026_12",
        "rewards.transfers_2027_01",
        "rewards.transfers_other",
    ]


async def test_a_ledger_with_rows_becomes_the_first_partition_unwritten(postgres_url: str) -> None:
    migrate(postgres_url, "rewards", revision="0004")
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO rewards.transfers SELECT rewards_id, rewards_id, rewards_id, 1, 2, 5, 1, now(), now(), 1,"
            " 'granted', 'USD', 'p', 'r', 'ann', 's', 'e' FROM (VALUES ('01940000-0000-8000-8000-000000000001'::uuid))"
            " AS v (rewards_id)"
        )
        file = "SELECT pg_relation_filenode(%s::regclass), (SELECT ctid FROM rewards.transfers)"
        before = owner.execute(file, ("rewards.transfers",)).fetchone()
        migrate(postgres_url, "rewards")
        assert owner.execute(file, ("rewards.transfers_before",)).fetchone() == before
        (bound,) = owner.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'rewards.transfers_before'::regclass"
        ).fetchone() or ("",)
        now = datetime.now(UTC)
        until = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        prefix = f"{round(until.timestamp() * 1_000):012x}"
        assert bound == f"FOR VALUES FROM (MINVALUE) TO ('{prefix[:8]}-{prefix[8:]}-0000-0000-000000000000')"
        # All indexes are there, and belong to the parent's.
        (wanted,) = owner.execute(
            "SELECT count(*) FROM pg_index WHERE indrelid = 'rewards.transfers'::regclass"
        ).fetchone() or (0,)
        for table in ("transfers_before", "transfers_other"):
            count = owner.execute(
                "SELECT count(*) FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid"
                " WHERE i.indrelid = ('rewards.' || %s)::regclass",
                (table,),
            ).fetchone()
            assert count == (wanted,)
