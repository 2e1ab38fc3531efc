"""Whatever somebody with all rights does to the ledger, the verification names the first row or block it was done to.

As the superuser with the triggers off: every column of a transfer, rows gone, added, swapped, blocks altered, moved,
cut off. A chain that was rewritten from end to end is in test_published.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, LiteralString

import psycopg
import pytest

from contracts.errors import PermanentError
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.chain.findings import FINDINGS_MAX, Findings
from services.rewards.chain.verify import verify_chain
from services.rewards.store import SETUP, Ledger
from tests.support.decisions import decided
from tests.support.ledger import transfers

BLOCKS: Final = 6
ROWS: Final = 10
IDS: Final = [
    sorted(t.id for t in transfers(*(decided(ROWS * block + n) for n in range(ROWS)))) for block in range(BLOCKS)
]
"""The ids of the transfers, block by block; the numbers of blocks begin with 1."""
VICTIM: Final = IDS[2][4]

COLUMNS: Final[dict[str, LiteralString]] = {
    "id": "'01940000-0000-8000-8000-000000000001'",
    "group_id": "decision_id",
    "decision_id": "id",
    "debit_id": "(SELECT id FROM rewards.accounts WHERE address = 'partner:bob:available')",
    "credit_id": "(SELECT id FROM rewards.accounts WHERE address = 'partner:bob:available')",
    "amount_minor": "amount_minor + 1",
    "event_hash": "event_hash + 1",
    "event_at": "event_at + interval '1 microsecond'",
    "posted_at": "posted_at - interval '1 microsecond'",
    "revision": "revision + 1",
    "stage": "'released'",
    "unit": "'usd'",
    "programme": "'crm-salez'",
    "rule": "''",
    "partner": "'bob'",
    "event_source": "event_source || ' '",
    "event_id": "upper(event_id)",
    "customer": "NULL",
    "deal": "'deal-1'",
    "lead": "''",
    "available_at": "now()",
    "expires_at": "now()",
    "takes_back": "id",
    "reason": "''",
    "booked_by": "'nobody'",
    "news_at": "event_at",
}


@pytest.fixture(scope="module")
def sealed_url(postgres_module_url: str) -> str:
    """A ledger of six blocks, which every test tampers with and rolls back, as far as the verification can see."""
    migrate(postgres_module_url, "rewards")

    async def post() -> None:
        database = Database(postgres_module_url, application="rewards", setup=SETUP)
        await database.start()
        ledger = Ledger(database)
        async with database.connection() as connection:
            await ledger.open_accounts(connection, {"partner:bob:available"})
        for block in range(BLOCKS):
            await ledger.post(transfers(*(decided(ROWS * block + n) for n in range(ROWS))))
        await database.stop()

    asyncio.run(post())
    return postgres_module_url


@pytest.fixture
def owner(sealed_url: str) -> Iterator[psycopg.Connection]:
    """The superuser, with the triggers off; puts back what it did."""
    tables: tuple[LiteralString, ...] = ("transfers", "blocks", "chain", "accounts")
    with psycopg.connect(sealed_url, autocommit=True) as connection:
        for table in tables:
            if table in ("transfers", "blocks"):
                partitions = connection.execute(
                    "SELECT relid::regclass::text FROM pg_partition_tree('rewards.' || %s)", (table,)
                ).fetchall() or [(f"rewards.{table}",)]
                for (partition,) in partitions:
                    connection.execute(
                        psycopg.sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(
                            psycopg.sql.SQL(partition)  # A name that the server has quoted.
                        )
                    )
            connection.execute(
                psycopg.sql.SQL("CREATE TEMP TABLE was_{0} AS TABLE rewards.{0}").format(psycopg.sql.SQL(table))
            )
        yield connection
        for table in tables:
            connection.execute(
                psycopg.sql.SQL("DELETE FROM rewards.{}").format(psycopg.sql.SQL(table))
            ) if table != "accounts" else None
        for table in ("transfers", "blocks", "chain"):
            connection.execute(psycopg.sql.SQL("INSERT INTO rewards.{0} TABLE was_{0}").format(psycopg.sql.SQL(table)))
        connection.execute("UPDATE rewards.accounts a SET address = w.address FROM was_accounts w WHERE w.id = a.id")


def found(url: str, *, from_block: int | None = None) -> list[tuple[str, int | None, str | None]]:
    verified = verify_chain(url, from_block=from_block)
    return [(one.kind, one.block, one.transfer) for one in verified.findings.first]


def test_what_nobody_touched_is_whole(sealed_url: str) -> None:
    progress: list[tuple[int, int]] = []
    verified = verify_chain(sealed_url, on_progress=lambda done, total: progress.append((done, total)))
    assert (verified.findings, verified.blocks, verified.transfers) == (Findings(), BLOCKS, BLOCKS * ROWS)
    assert (verified.first_block, verified.last_block) == (1, BLOCKS)
    assert progress[-1] == (BLOCKS * ROWS, BLOCKS * ROWS)
    partial = verify_chain(sealed_url, from_block=3)
    assert (partial.findings, partial.first_block, partial.blocks, partial.transfers) == (Findings(), 3, 4, 40)
    assert partial.last_hash == verified.last_hash
    with pytest.raises(PermanentError, match="no block 7"):
        verify_chain(sealed_url, from_block=BLOCKS + 1)


def test_an_empty_ledger_is_whole(ledger_url: str) -> None:
    verified = verify_chain(ledger_url)
    assert (verified.findings, verified.blocks, verified.last_block) == (Findings(), 0, None)


def test_every_column_is_in_the_table(owner: psycopg.Connection) -> None:
    columns = owner.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'rewards.transfers'::regclass AND attnum > 0"
    ).fetchall()
    assert {name for (name,) in columns} == COLUMNS.keys()


@pytest.mark.parametrize("column", sorted(COLUMNS.keys() - {"id"}))
def test_an_altered_column_is_found_in_its_row(column: str, owner: psycopg.Connection, sealed_url: str) -> None:
    alter = psycopg.sql.SQL("UPDATE rewards.transfers SET {} = {} WHERE id = %s").format(
        psycopg.sql.Identifier(column), psycopg.sql.SQL(COLUMNS[column])
    )
    assert owner.execute(alter, (VICTIM,)).rowcount == 1
    assert found(sealed_url) == [("row-altered", 3, VICTIM)]
    assert found(sealed_url, from_block=3) == [("row-altered", 3, VICTIM)]
    assert found(sealed_url, from_block=4) == []


TAMPERINGS: Final[list[tuple[str, LiteralString, list[tuple[str, int | None, str | None]]]]] = [
    (
        "an id is altered",
        "UPDATE rewards.transfers SET id = '019b76da-a800-8000-8000-000000000001' WHERE id = %(victim)s",
        [("row-missing", 3, VICTIM), ("row-extra", None, "019b76da-a800-8000-8000-000000000001")],
    ),
    (
        "a row is deleted",
        "DELETE FROM rewards.transfers WHERE id = %(victim)s",
        [("row-missing", 3, VICTIM)],
    ),
    (
        "a row is added",
        (
            "INSERT INTO rewards.transfers SELECT '019b76da-a800-8000-8000-000000000001', group_id, decision_id,"
            " debit_id, credit_id, 1, event_hash, event_at, posted_at, revision, stage, unit, programme, rule, partner,"
            " event_source, event_id FROM rewards.transfers WHERE id = %(victim)s"
        ),
        [("row-extra", None, "019b76da-a800-8000-8000-000000000001")],
    ),
    (
        "two rows swap their ids",
        (
            "UPDATE rewards.transfers t SET amount_minor = o.amount_minor, event_id = o.event_id, deal = o.deal,"
            " event_at = o.event_at, decision_id = o.decision_id, group_id = o.group_id, event_hash = o.event_hash"
            " FROM rewards.transfers o WHERE (t.id, o.id) IN ((%(victim)s, %(other)s), (%(other)s, %(victim)s))"
        ),
        [("row-altered", 3, VICTIM), ("row-altered", 4, IDS[3][7])],
    ),
    (
        "a row is altered and its hash with it",
        (
            "WITH altered AS (UPDATE rewards.transfers SET amount_minor = 1 WHERE id = %(victim)s RETURNING *)"
            " UPDATE rewards.blocks SET row_hashes = overlay(row_hashes PLACING ("
            "SELECT sha256(rewards.row_bytes_1(ROW(a.*)::rewards.transfers, d.address, c.address)) FROM altered a"
            " JOIN rewards.accounts d ON d.id = a.debit_id JOIN rewards.accounts c ON c.id = a.credit_id)"
            " FROM 4 * 32 + 1 FOR 32) WHERE number = 3"
        ),
        [("block-altered", 3, None)],
    ),
    (
        "an account is renamed",
        "UPDATE rewards.accounts SET address = 'partner:eve:available' WHERE address = 'partner:ann:available'",
        [("row-altered", block + 1, id) for block, ids in enumerate(IDS) for id in ids],
    ),
    (
        "a block's time is altered",
        "UPDATE rewards.blocks SET sealed_at = sealed_at + interval '1 microsecond' WHERE number = 3",
        [("block-altered", 3, None)],
    ),
    (
        "a block's hash is altered",
        "UPDATE rewards.blocks SET hash = sha256(hash) WHERE number = 3",
        [("block-altered", 3, None), ("block-link", 4, None)],
    ),
    (
        "a block's previous hash is altered",
        "UPDATE rewards.blocks SET previous = sha256(previous) WHERE number = 3",
        [("block-link", 3, None), ("block-altered", 3, None)],
    ),
    (
        "a block's version is altered",
        "UPDATE rewards.blocks SET hash_version = 2 WHERE number = 3",
        [("hash-version", 3, None)],
    ),
    (
        "a block's ids are in another order",
        "UPDATE rewards.blocks SET ids = ids[2:2] || ids[1:1] || ids[3:] WHERE number = 3",
        [("row-altered", 3, IDS[2][1]), ("row-altered", 3, IDS[2][0])],
    ),
    (
        "a block names a row of another block",
        "UPDATE rewards.blocks SET ids = ids[:9] || %(other)s::uuid WHERE number = 3",
        [("row-altered", 3, IDS[3][7]), ("row-extra", None, IDS[2][9]), ("row-twice", 4, IDS[3][7])],
    ),
    (
        "a block lets go of its last row",
        (
            "UPDATE rewards.blocks SET count = 9, ids = ids[:9], row_hashes = substring(row_hashes, 1, 288)"
            " WHERE number = 3"
        ),
        [("block-altered", 3, None), ("row-extra", None, IDS[2][9])],
    ),
    (
        "a block is deleted with its rows",
        (
            "WITH gone AS (DELETE FROM rewards.blocks WHERE number = 3 RETURNING ids)"
            " DELETE FROM rewards.transfers WHERE id IN (SELECT unnest(ids) FROM gone)"
        ),
        [("block-missing", 3, None)],
    ),
    (
        "two blocks change places",
        (
            "WITH low AS (UPDATE rewards.blocks SET number = 1003 WHERE number = 3),"
            " high AS (UPDATE rewards.blocks SET number = 1004 WHERE number = 4) SELECT 1;"
            "UPDATE rewards.blocks SET number = 1007 - number WHERE number > 1000"
        ),
        [
            ("block-link", 3, None),
            ("block-altered", 3, None),
            ("block-link", 4, None),
            ("block-altered", 4, None),
            ("block-link", 5, None),
        ],
    ),
    (
        "the tail is cut off",
        (
            "WITH gone AS (DELETE FROM rewards.blocks WHERE number > 4 RETURNING ids)"
            " DELETE FROM rewards.transfers WHERE id IN (SELECT unnest(ids) FROM gone)"
        ),
        [("chain-end", 4, None)],
    ),
    (
        "the beginning is cut off",
        (
            "WITH gone AS (DELETE FROM rewards.blocks WHERE number < 3 RETURNING ids)"
            " DELETE FROM rewards.transfers WHERE id IN (SELECT unnest(ids) FROM gone)"
        ),
        [("block-link", 3, None)],
    ),
    (
        "everything is gone",
        "WITH gone AS (DELETE FROM rewards.blocks) DELETE FROM rewards.transfers",
        [("chain-end", None, None)],
    ),
    (
        "the end is moved",
        "UPDATE rewards.chain SET block = block + 1",
        [("chain-end", 6, None)],
    ),
    (
        "a row is moved to a table of its own",
        (
            "CREATE TABLE rewards.hidden AS SELECT * FROM rewards.transfers WHERE id = %(victim)s;"
            "DELETE FROM rewards.transfers WHERE id IN (SELECT id FROM rewards.hidden); DROP TABLE rewards.hidden"
        ),
        [("row-missing", 3, VICTIM)],
    ),
]


@pytest.mark.parametrize(("what", "statement", "expected"), TAMPERINGS, ids=[what for what, *_ in TAMPERINGS])
def test_what_was_done_is_found_where_it_was_done(
    what: str,
    statement: LiteralString,
    expected: list[tuple[str, int | None, str | None]],
    owner: psycopg.Connection,
    sealed_url: str,
) -> None:
    for part in statement.split(";"):
        client = psycopg.ClientCursor(owner)
        client.execute(part, {"victim": VICTIM, "other": IDS[3][7]})
    assert sorted(found(sealed_url), key=str) == sorted(expected, key=str)
    first = found(sealed_url)[0]
    assert first[1] == expected[0][1]


def test_a_partition_that_was_taken_away_is_missed(owner: psycopg.Connection, sealed_url: str) -> None:
    """The owner may detach and drop; there is no right to take from an owner, but every row that is gone is named."""
    owner.execute("ALTER TABLE rewards.transfers DETACH PARTITION rewards.transfers_2026_01")
    assert found(sealed_url)[:2] == [("row-missing", 1, IDS[0][0]), ("row-missing", 1, IDS[0][1])]
    assert verify_chain(sealed_url).findings.count == BLOCKS * ROWS <= FINDINGS_MAX
    owner.execute(
        "ALTER TABLE rewards.transfers ATTACH PARTITION rewards.transfers_2026_01 FOR VALUES"
        " FROM ('019b76da-a800-0000-0000-000000000000') TO ('019c167c-6c00-0000-0000-000000000000')"
    )
