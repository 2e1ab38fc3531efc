"""The invariants see what they are there to see: a ledger altered by somebody with full access to the database."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from runtime.database import Database
from services.rewards.invariants import BalancesMatch, ChainHolds, Offender, SumsToZero
from services.rewards.store import Ledger
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, transfers

ALTERATIONS = [
    # What was done                                                     sums to zero?   offenders of balances-match
    ("UPDATE rewards.balances SET minor = minor + 1 WHERE minor > 0", [Offender("USD", 0, 1)], 1),
    ("UPDATE rewards.balances SET minor = minor * 2", [], 2),
    ("DELETE FROM rewards.balances WHERE minor > 0", [Offender("USD", 0, -20_000)], 1),
    (
        (
            "ALTER TABLE rewards.transfers DISABLE TRIGGER transfers_append_only;"
            " UPDATE rewards.transfers SET amount_minor = 1 WHERE event_id = 'opp-1-won'"
        ),
        [],
        2,
    ),
]


@pytest.mark.parametrize(("alteration", "zero_offenders", "match_count"), ALTERATIONS)
async def test_an_alteration_is_named(
    ledger: Ledger,
    database: Database,
    ledger_url: str,
    alteration: str,
    zero_offenders: list[Offender],
    match_count: int,
) -> None:
    await ledger.post(transfers(decided(1), decided(2)))
    await assert_sound(database)
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        owner.execute(psycopg.sql.SQL(alteration))
    async with database.connection() as connection:
        assert await SumsToZero().check(connection) == zero_offenders
        offenders = await BalancesMatch().check(connection)
    assert len(offenders) == match_count
    assert all(offender.expected_minor != offender.found_minor for offender in offenders)
    assert any(offender.where.startswith(("partner:ann", "programme:crm-sales")) for offender in offenders)


CHAIN_ALTERATIONS: list[tuple[LiteralString, list[Offender]]] = [
    ("UPDATE rewards.transfers_2026_01 SET deal = 'x' WHERE event_id = 'opp-2-won'", [Offender("block 2", 1, 0)]),
    ("DELETE FROM rewards.transfers_2026_01 WHERE event_id = 'opp-1-won'", [Offender("block 1", 1, 0)]),
    (
        "UPDATE rewards.accounts SET address = 'partner:eve:paid' WHERE address ~ 'ann'",
        [Offender("block 1", 1, 0), Offender("block 2", 1, 0)],
    ),
    ("UPDATE rewards.blocks SET previous = hash WHERE number = 2", [Offender("block 2", -1, 0)]),
    ("UPDATE rewards.blocks SET sealed_at = now() WHERE number = 1", [Offender("block 1", -1, 0)]),
]


@pytest.mark.parametrize(("alteration", "offenders"), CHAIN_ALTERATIONS)
async def test_the_newest_blocks_are_recomputed(
    ledger: Ledger, database: Database, ledger_url: str, alteration: LiteralString, offenders: list[Offender]
) -> None:
    await ledger.post(transfers(decided(1)))
    await ledger.post(transfers(decided(2)))
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        for table in ("transfers_2026_01", "blocks"):
            owner.execute(psycopg.sql.SQL("ALTER TABLE rewards.{} DISABLE TRIGGER ALL").format(psycopg.sql.SQL(table)))
        owner.execute(alteration)
    async with database.connection() as connection:
        assert await ChainHolds().check(connection) == offenders
