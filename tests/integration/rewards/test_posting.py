"""Posting: once, whatever is delivered and however often; what differs is kept; what cannot be is refused for good."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import psycopg
import pytest

from contracts.decisions import Decision
from contracts.errors import TransientError
from contracts.events import EPOCH
from goodword.embedded.postgres import PostgresServer
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards import packing
from services.rewards.reads import explain
from services.rewards.store import SETUP, Ledger, Posted
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, expected_balances, found_balances, transfers, writer_on

pytestmark = pytest.mark.timeout(120)


async def count(database: Database, table: str) -> int:
    query = psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier("rewards", table))
    async with database.connection() as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def test_many_deliveries_are_one_posting(ledger: Ledger, database: Database, ledger_url: str) -> None:
    decisions = [decided(n, partner=f"p{n % 3}", unit=("USD", "POINTS")[n % 2]) for n in range(20)]
    assert await ledger.post(transfers(*decisions)) == Posted(Counter(granted=20))
    assert await ledger.post(transfers(*decisions)) == Posted(duplicates=20)
    # Another batching, some of it new, some of it twice in the same batch.
    more = [*decisions[10:], decided(20), decided(20), decided(21)]
    assert await ledger.post(transfers(*more)) == Posted(Counter(granted=2), duplicates=11)
    assert found_balances(ledger_url) == expected_balances([*decisions, *more])
    assert await count(database, "conflicts") == 0
    await assert_sound(database)


async def test_a_later_posting_time_is_no_conflict(ledger: Ledger) -> None:
    await ledger.post(transfers(decided(1), posted_at_ms=1_000))
    assert await ledger.post(transfers(decided(1), posted_at_ms=2_000)) == Posted(duplicates=1)


@pytest.mark.parametrize(
    ("fields", "differing"),
    [
        ({"amount_minor": 10_001}, ["amount_minor"]),
        ({"unit": "EUR"}, ["unit"]),
        ({"beneficiary": "customer:cancity"}, ["credit_id"]),
        ({"revision": 2, "deal": None}, ["deal", "revision"]),
        ({"event_id": "other"}, ["event_hash", "event_id"]),
        ({"time_ms": 5, "rule": "bonus"}, ["event_at", "rule"]),
    ],
)
async def test_an_id_with_other_data_moves_nothing_and_the_field_is_named(
    ledger: Ledger, database: Database, ledger_url: str, fields: dict[str, Any], differing: list[str]
) -> None:
    first = decided(1)
    other = decided(1, id=first.id, **fields)
    await ledger.post(transfers(first))
    before = found_balances(ledger_url)
    assert await ledger.post(transfers(other)) == Posted(conflicts=1)
    # Delivered again it is the same conflict, told once.
    assert await ledger.post(transfers(other)) == Posted()
    assert {key: minor for key, minor in found_balances(ledger_url).items() if minor} == before
    explained = explain(ledger_url, transfers(first)[0].id)
    assert explained is not None
    (conflict,) = explained["conflicts"]
    assert conflict["fields"] == differing
    assert all(conflict["stored"][field] != conflict["received"][field] for field in differing)
    await assert_sound(database)


async def test_the_same_id_twice_in_one_batch_with_other_data_is_a_conflict_and_the_first_holds(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    first = decided(1)
    batch = transfers(first, decided(1, id=first.id, amount_minor=5), decided(2))
    assert await ledger.post(batch) == Posted(Counter(granted=2), conflicts=1)
    assert found_balances(ledger_url) == expected_balances([first, decided(2)])
    await assert_sound(database)


async def test_a_balance_that_would_overflow_is_refused_for_good_and_its_neighbours_are_posted(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    most = 2**63 - 1
    await ledger.post(transfers(decided(0, partner="rich", amount_minor=most)))
    decisions = [decided(n, partner="ann", unit="EUR") for n in range(1, 8)]
    absurd = decided(9, partner="rich", amount_minor=most)
    batch = transfers(*decisions[:3], absurd, *decisions[3:])
    assert await ledger.post(batch) == Posted(Counter(granted=7), refused=1)
    assert found_balances(ledger_url) == expected_balances([decided(0, partner="rich", amount_minor=most), *decisions])
    # The same answer ever after, although the rest of that batch is posted already or new.
    assert await ledger.post(batch) == Posted(duplicates=8)
    assert await ledger.post(transfers(absurd, decided(10, unit="EUR"))) == Posted(Counter(granted=1), duplicates=1)
    explained = explain(ledger_url, transfers(absurd)[0].id)
    assert explained is not None
    assert [refusal["reason"] for refusal in explained["refusals"]] == ["balance-out-of-range"]
    await assert_sound(database)


async def test_facts_leave_only_for_what_was_posted(ledger: Ledger, database: Database) -> None:
    await ledger.post(transfers(decided(1), decided(2)))
    await ledger.post(transfers(decided(1)))
    await ledger.post(transfers(decided(2), decided(3)))
    rows = await database.fetch_all("SELECT block, posted_ids FROM rewards.outbox ORDER BY block")
    (new,) = transfers(decided(3))
    assert [(block, ids if ids is None else [str(id) for id in ids]) for block, ids in rows] == [
        (1, None),
        (2, [new.id]),
    ]


async def test_two_writers_with_the_same_transfers_in_opposite_orders_post_each_once(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    """Both run over the same decisions, one from the front and one from the back, with caches of their own."""
    decisions = [decided(n, partner=f"p{n % 7}", programme=f"programme-{n % 2}") for n in range(400)]
    batches = [decisions[at : at + 20] for at in range(0, 400, 20)]

    async def write(order: list[list[Decision]]) -> Posted:
        own = Ledger(database)
        total = Posted()
        for batch in order:
            total += await own.post(transfers(*batch))
        return total

    forth, back = await asyncio.gather(write([*batches]), write([list(reversed(b)) for b in reversed(batches)]))
    assert forth + back == Posted(Counter(granted=400), duplicates=400)
    assert found_balances(ledger_url) == expected_balances(decisions)
    await assert_sound(database)


async def test_what_waits_is_posted_together(database: Database, ledger_url: str) -> None:
    seen: list[Posted] = []
    writer = writer_on(database, writers_max=1, posting_transfers_max=50, on_posted=seen.append)
    decisions = [decided(n) for n in range(60)]
    waiting = [asyncio.create_task(writer.post(transfers(decision))) for decision in decisions]
    await asyncio.gather(*waiting)
    assert [posted.count for posted in seen] == [50, 10]
    assert found_balances(ledger_url) == expected_balances(decisions)


async def test_an_outage_is_transient_and_the_same_batch_can_be_given_again(
    postgres_server: PostgresServer, ledger_url: str
) -> None:
    database = Database(ledger_url, application="rewards", connections_max=2, setup=SETUP)
    await database.start()
    writer = writer_on(database)
    await writer.post(transfers(decided(1)))
    postgres_server.kill()
    with pytest.raises(TransientError):
        await asyncio.wait_for(writer.post(transfers(decided(1), decided(2))), 60)
    postgres_server.start()
    deadline = asyncio.get_running_loop().time() + 60
    while True:
        try:
            await writer.post(transfers(decided(1), decided(2)))
            break
        except TransientError:
            assert asyncio.get_running_loop().time() < deadline
    assert found_balances(ledger_url) == expected_balances([decided(1), decided(2)])
    await database.stop()


async def test_a_later_start_migrates_nothing_and_keeps_everything(ledger: Ledger, ledger_url: str) -> None:
    await ledger.post(transfers(decided(1)))
    before = found_balances(ledger_url)
    await asyncio.to_thread(migrate, ledger_url, "rewards")
    assert found_balances(ledger_url) == before


async def test_packed_columns_arrive_as_they_were(database: Database) -> None:
    draw = random.Random(7)
    texts = [None, "", "USD", '☃ \\ " {},', "x" * 5000, *(str(draw.random()) for _ in range(50))]
    bigints = [-(2**63), 2**63 - 1, 0, -1, *(draw.randrange(-(2**62), 2**62) for _ in range(50))]
    uuids = [transfer.id for transfer in transfers(*(decided(n) for n in range(50)))]
    ids = [f"opp-{number}" for number in range(50)] + ["", "x" * 127]
    times = [0, -62_135_596_800_000, 253_402_300_799_999, 1_767_300_000_123]
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT %s, %s, %s, %s, %s, %s, %s::text[], %s, %s, %s",
            (
                packing.texts(texts),
                packing.unique_texts(texts),
                packing.bigints(bigints),
                packing.integers([2**31 - 1, -(2**31)]),
                packing.uuids(uuids),
                packing.times(times),
                packing.texts([]),
                packing.unique_texts(ids),
                packing.unique_texts([None, None]),
                packing.unique_texts([*ids, None, "é"]),
            ),
        )
        row = await cursor.fetchone()
    assert row is not None
    assert row[:2] == (texts, texts)
    assert row[2:4] == (bigints, [2**31 - 1, -(2**31)])
    assert [str(id) for id in row[4]] == uuids
    assert [(moment - EPOCH).total_seconds() * 1000 for moment in row[5]] == times
    assert row[7:] == (ids, [None, None], [*ids, None, "é"])
    assert row[6] == []
