"""The invariants see what they are there to see: a ledger altered by somebody with full access to the database."""

from __future__ import annotations

import psycopg
import pytest

from runtime.database import Database
from services.rewards.invariants import BalancesMatch, Offender, SumsToZero
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
