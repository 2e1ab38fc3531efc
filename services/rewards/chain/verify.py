"""Verifies the chain: every block, every row, both ways, from one moment of the ledger.

Promises: rows are read block by block and never more than a window of them is held; what is wrong is named, the first
first: a block that is missing, altered or badly linked, a row that is missing, altered, twice or in no block. Nothing
is written. What somebody with all rights rewrote from end to end is consistent, and is found only by comparing with
what left the ledger before: `published.py` and signed heads.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, LiteralString

import psycopg

from contracts.errors import PermanentError, Problem
from services.rewards.chain.findings import Finding, Findings
from services.rewards.chain.rows import Accounts, rows_of_blocks, set_up
from services.rewards.chain.walk import StoredBlock, Walk
from services.rewards.reads.connect import Connection, open_ledger

WINDOW_BLOCKS_MAX: Final = 64
WINDOW_ROWS_MAX: Final = 50_000
NAMED_MAX: Final = 10
"""Rows of one kind that are named where a whole set is compared."""
_BLOCKS: Final = (
    "SELECT number, hash_version, previous, hash, count,"
    " (extract(epoch FROM sealed_at) * 1000000)::bigint - 946684800000000 AS sealed_at_us,"
    " cardinality(ids) AS ids_count, row_hashes"
    " FROM rewards.blocks WHERE number >= %s ORDER BY number LIMIT %s"
)


@dataclass(slots=True)
class Verified:
    """What was verified, and what was found."""

    first_block: int | None = None
    last_block: int | None = None
    last_hash: str | None = None
    blocks: int = 0
    transfers: int = 0
    findings: Findings = field(default_factory=Findings)


def verify_chain(
    postgres: str, *, from_block: int | None = None, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Verified:
    """Recompute the chain, from a block on or whole; only a whole one finds rows that are in no block.

    Args:
        postgres: URL of the database.
        from_block: The first block; None for the whole chain.
        on_progress: Told how many transfers of how many are done.

    Raises:
        PermanentError: `no-such-block`.
    """
    done = Verified()
    with open_ledger(postgres) as connection:
        set_up(connection)
        total = _one(
            connection, "SELECT coalesce(sum(count), 0) FROM rewards.blocks WHERE number >= %s", from_block or 0
        )
        walk = Walk(done.findings, _before(connection, from_block))
        for _ in _walked(connection, walk, from_block or 0, done):
            on_progress(walk.transfers, int(total))
        if from_block is not None and not walk.blocks:
            raise _no_such_block(from_block)
        _check_end(connection, walk, done.findings)
        if from_block is None:
            _check_both_ways(connection, done.findings)
    return done


def verify_part(
    postgres: str,
    *,
    from_block: int | None = None,
    after: tuple[int, bytes] | None = None,
    is_over: Callable[[], bool],
) -> tuple[Verified, bool]:
    """Recompute a part of the chain, a window of blocks at least; returns whether that was the rest of it.

    Parts that follow each other see a moment of the ledger each, and together every block: what was rewritten meanwhile
    does not follow the part before. Rows that are in no block, only the whole finds.

    Args:
        postgres: URL of the database.
        from_block: The first block; None for the chain's beginning.
        after: Number and hash of the last block of the part before, whatever the ledger says of it now.
        is_over: Asked after each window.

    Raises:
        PermanentError: `no-such-block`.
    """
    done = Verified()
    with open_ledger(postgres) as connection:
        set_up(connection)
        walk = Walk(done.findings, after or _before(connection, from_block))
        for _ in _walked(connection, walk, after[0] + 1 if after else from_block or 0, done):
            if is_over():
                return done, False
        if from_block is not None and after is None and not walk.blocks:
            raise _no_such_block(from_block)
        _check_end(connection, walk, done.findings)
    return done, True


def _walked(connection: Connection, walk: Walk, number: int, done: Verified) -> Iterator[None]:
    """Walk from a block on, and pause after each window."""
    accounts: Accounts = {}
    for window in _windows(connection, number):
        if done.first_block is None:
            done.first_block = window[0].number
        rows = rows_of_blocks(connection, window[0].number, window[-1].number, accounts)
        for block in window:
            walk.block(block)
            rows_of_block = list(islice(rows, block.ids_count))
            for position in walk.rows(block, rows_of_block):
                done.findings.add(_bad_row(connection, block.number, position, rows_of_block[position]))
        done.blocks, done.transfers = walk.blocks, walk.transfers
        if walk.end is not None:
            done.last_block, done.last_hash = walk.end[0], walk.end[1].hex()
        yield


def _no_such_block(number: int) -> PermanentError:
    return PermanentError(
        Problem(
            code="no-such-block",
            message=f"the chain has no block {number}, nor any after it",
            help="`goodword ledger verify` says where it ends",
        )
    )


def _before(connection: Connection, from_block: int | None) -> tuple[int, bytes] | None:
    if from_block is None:
        return None
    row = connection.execute("SELECT number, hash FROM rewards.blocks WHERE number = %s", (from_block - 1,)).fetchone()
    return None if row is None else (row[0], row[1])


def _windows(connection: Connection, number: int) -> Iterator[list[StoredBlock]]:
    """All blocks from that number on, in portions of so many blocks or rows, whichever is less; or one block."""
    while True:
        with connection.cursor(row_factory=psycopg.rows.class_row(StoredBlock), binary=True) as cursor:
            blocks = cursor.execute(_BLOCKS, (number, WINDOW_BLOCKS_MAX)).fetchall()
        if not blocks:
            return
        window, rows = [blocks[0]], blocks[0].ids_count
        for block in blocks[1:]:
            rows += block.ids_count
            if rows > WINDOW_ROWS_MAX:
                break
            window.append(block)
        yield window
        number = window[-1].number + 1


def _bad_row(connection: Connection, block: int, position: int, row: bytes | None) -> Finding:
    named = connection.execute(
        "SELECT ids[%s]::text FROM rewards.blocks WHERE number = %s", (position + 1, block)
    ).fetchone()
    transfer = named[0] if named else None
    if row is None:
        return Finding(
            kind="row-missing",
            block=block,
            transfer=transfer,
            message="it was sealed, and is not in the ledger any more",
        )
    return Finding(
        kind="row-altered",
        block=block,
        transfer=transfer,
        message=f"it is not as it was sealed: {_told(connection, transfer)}",
    )


def _told(connection: Connection, transfer: str | None) -> str:
    row = connection.execute(
        "SELECT stage, amount_minor, unit, event_source, event_id FROM rewards.transfers WHERE id = %s", (transfer,)
    ).fetchone()
    return "" if row is None else f"now {row[0]} {row[1]} minor units of {row[2]} for {row[3]}/{row[4]}"


def _check_end(connection: Connection, walk: Walk, findings: Findings) -> None:
    """The chain's own row says where it ends."""
    said = connection.execute("SELECT block, hash FROM rewards.chain").fetchone()
    end = walk.end
    if said is None or (end is None and bytes(said[1]) == bytes(32)):
        return
    if end is None or (said[0], bytes(said[1])) != end:
        where = "nowhere" if end is None else f"at block {end[0]} with {end[1].hex()}"
        message = f"it should end at block {said[0]} with {bytes(said[1]).hex()}, and ends {where}"
        findings.add(Finding(kind="chain-end", block=None if end is None else end[0], message=message))


def _check_both_ways(connection: Connection, findings: Findings) -> None:
    """Every row in one block, and in one only. Summed by a keyed hash first, because that reads each once."""
    key = secrets.randbits(62)
    sealed = connection.execute(
        "SELECT count(*), sum(uuid_hash_extended(id, %s)) FROM (SELECT unnest(ids) AS id FROM rewards.blocks) b", (key,)
    ).fetchone()
    kept = connection.execute(
        "SELECT count(*), sum(uuid_hash_extended(id, %s)) FROM rewards.transfers", (key,)
    ).fetchone()
    if sealed == kept:
        return
    connection.execute("SET enable_hashjoin = on")
    for (id,) in connection.execute(
        "SELECT t.id::text FROM rewards.transfers t WHERE NOT EXISTS ("
        "SELECT FROM (SELECT unnest(ids) AS id FROM rewards.blocks) b WHERE b.id = t.id) ORDER BY t.id LIMIT %s",
        (NAMED_MAX,),
    ).fetchall():
        message = f"it is in the ledger, and no block has sealed it: {_told(connection, id)}"
        findings.add(Finding(kind="row-extra", transfer=id, message=message))
    for id, first, second in connection.execute(
        "SELECT id::text, min(number), max(number) FROM (SELECT number, unnest(ids) AS id FROM rewards.blocks) b"
        " GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT %s",
        (NAMED_MAX,),
    ).fetchall():
        message = f"it was sealed twice, in block {first} and in block {second}"
        findings.add(Finding(kind="row-twice", block=second, transfer=id, message=message))


def _one(connection: Connection, query: LiteralString, *parameters: Any) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]
