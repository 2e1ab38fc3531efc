"""Every posting appends a block to the chain, whatever was in it; SQL encodes rows as Python does."""

from __future__ import annotations

import asyncio
import hashlib

import psycopg
from hypothesis import HealthCheck, Phase, given, settings
from psycopg.rows import TupleRow

from contracts.facts import RewardNotice, TransferPosted
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.chain.encoding import NO_HASH, ROW_FIELDS, Block, block_hash, encode_row, row_hash
from services.rewards.store import Ledger
from tests.support.decisions import decided
from tests.support.ledger import deliver, transfers
from tests.support.transfers import any_transfer

BLOCKS = (
    "SELECT number, previous, hash, count, (extract(epoch FROM sealed_at) * 1000000)::bigint - 946684800000000, ids,"
    " row_hashes FROM rewards.blocks ORDER BY number"
)
ENCODED = (
    "SELECT rewards.row_bytes_1(t, d.address, c.address) FROM rewards.transfers t"
    " JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id"
)


def assert_chained(rows: list[TupleRow], *, first: int = 1) -> None:
    """The blocks follow each other, from this number on."""
    previous = NO_HASH
    for number, (stored_number, stored_previous, stored_hash, count, sealed_at_us, ids, hashes) in enumerate(
        rows, first
    ):
        block = Block(number=number, previous=previous, count=len(ids), sealed_at_us=sealed_at_us, row_hashes=hashes)
        assert (stored_number, stored_previous, count) == (number, previous, len(ids))
        assert stored_hash == block_hash(block)
        assert len(hashes) == 32 * len(ids)
        assert ids == sorted(ids)
        previous = stored_hash
    times = [row[4] for row in rows]
    assert times == sorted(times)


async def blocks(database: Database) -> list[TupleRow]:
    return await database.fetch_all(BLOCKS)


async def test_a_posting_is_a_block_with_the_hashes_of_its_rows(ledger: Ledger, database: Database) -> None:
    first, second = transfers(decided(2), decided(1)), transfers(decided(3))
    await ledger.post(first)
    await ledger.post(second)
    rows = await blocks(database)
    assert_chained(rows)
    assert [row[6] for row in rows] == [
        b"".join(row_hash(t) for t in sorted(batch, key=lambda t: t.id)) for batch in (first, second)
    ]
    chain = await database.fetch_all("SELECT block, hash, previous FROM rewards.chain")
    assert chain == [(2, rows[1][2], rows[0][2])]


async def test_only_what_was_posted_is_in_the_block(ledger: Ledger, database: Database) -> None:
    """Of a batch with rows that are there already, an id that came twice, and another's data under a known id."""
    old, new = transfers(decided(1)), transfers(decided(2), decided(3))
    await ledger.post(old)
    other = transfers(decided(1, amount_minor=1))
    await ledger.post([*old, *new, *other, new[0]])
    await ledger.post([*new, *old])
    rows = await blocks(database)
    assert_chained(rows)
    assert [row[6] for row in rows] == [
        row_hash(old[0]),
        b"".join(row_hash(t) for t in sorted(new, key=lambda t: t.id)),
    ]


async def test_notices_are_blocks_without_transfers(ledger: Ledger, database: Database) -> None:
    notice = RewardNotice(
        id="n", notice="held", decision="d", programme="p", rule="r", partner="ann", beneficiary="partner:ann",
        amount_minor=1, unit="USD", time_ms=1, posted_at_ms=1,
    )  # fmt: skip
    async with database.connection() as connection:
        await ledger.post_within(connection, [], [notice])
    await ledger.post(transfers(decided(1)))
    rows = await blocks(database)
    assert_chained(rows)
    assert [row[3] for row in rows] == [0, 1]


async def test_writers_side_by_side_make_one_chain(database: Database) -> None:
    await asyncio.gather(
        *(Ledger(database).post(transfers(*(decided(100 * w + n) for n in range(50)))) for w in range(8))
    )
    rows = await blocks(database)
    assert_chained(rows)
    assert sum(row[3] for row in rows) == 400


async def test_a_posting_that_is_rolled_back_leaves_no_gap(ledger: Ledger, database: Database) -> None:
    await ledger.post(transfers(decided(1)))
    async with database.connection() as connection, connection.transaction(force_rollback=True):
        await ledger.post_within(connection, transfers(decided(2)))
    await ledger.post(transfers(decided(3)))
    assert_chained(await blocks(database))


async def test_what_was_posted_before_the_chain_is_sealed_by_the_upgrade(postgres_url: str) -> None:
    migrate(postgres_url, "rewards", revision="0011")
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("INSERT INTO rewards.accounts (address) VALUES ('programme:p:cost'), ('partner:ann:available')")
        owner.execute("UPDATE rewards.chain SET block = 17")
        owner.execute(
            "INSERT INTO rewards.transfers SELECT i, i, i, 1, 2, 5, 1, now(), now(), 1, 'granted', 'USD', 'p', 'r',"
            " 'ann', 's', 'e' FROM (SELECT ('01940000-0000-8000-8000-' || lpad(n::text, 12, '0'))::uuid AS i"
            " FROM generate_series(1, 9001) n) n"
        )
        migrate(postgres_url, "rewards")
        rows = owner.execute(BLOCKS).fetchall()
        encoded = owner.execute(ENCODED + " ORDER BY t.id").fetchall()
    assert_chained(rows, first=18)
    assert [row[3] for row in rows] == [4_000, 4_000, 1_001]
    hashes = b"".join(row[6] for row in rows)
    assert hashes == b"".join(hashlib.sha256(one).digest() for (one,) in encoded)


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(transfer=any_transfer)
def test_sql_encodes_a_row_as_python_does(transfer: TransferPosted, ledger_url: str) -> None:
    async def post() -> None:
        database = Database(ledger_url, application="rewards")
        await database.start()

        async with database.connection() as connection:
            ledger = Ledger(database)
            await ledger.open_accounts(connection, {transfer.debit, transfer.credit})
            async with connection.transaction(force_rollback=True):
                await ledger.post_within(connection, [transfer])
                cursor = await connection.execute(ENCODED)
                assert await cursor.fetchall() == [(encode_row(transfer),)]
        await database.stop()

    asyncio.run(post())


async def test_no_column_of_a_transfer_is_left_out(database: Database) -> None:
    """A new column needs a new version of the encoding (services/rewards/chain/encoding.py), and this one stays."""
    columns = await database.fetch_all(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'rewards.transfers'::regclass AND attnum > 0"
        " AND NOT attisdropped"
    )
    numbers = {"debit_id": "debit", "credit_id": "credit"}
    assert {numbers.get(name, name) for (name,) in columns} == set(ROW_FIELDS)


async def test_a_redelivery_appends_nothing(database: Database) -> None:
    await deliver(database, decided(1))
    before = await blocks(database)
    await deliver(database, decided(1))
    assert await blocks(database) == before
