"""Transfers, blocks and heads cannot be altered: denied to the service's role, refused by a trigger even to the owner.

Tried on the table, on the partition that the row is in, and on one that is made later.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import date

import psycopg
import pytest

from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.partitions.store import open_months
from services.rewards.store import ROLE, SETUP, Ledger
from tests.support.decisions import decided
from tests.support.ledger import expected_balances, found_balances, transfers

PARTITION = "rewards.transfers_2026_01"
_OF_TABLE = [
    "UPDATE rewards.transfers SET amount_minor = 1",
    "UPDATE rewards.transfers SET amount_minor = 1 WHERE false",
    "DELETE FROM rewards.transfers",
    "TRUNCATE rewards.transfers",
    "MERGE INTO rewards.transfers t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "INSERT INTO rewards.transfers SELECT * FROM rewards.transfers ON CONFLICT (id) DO UPDATE SET amount_minor = 1",
]
ALTERATIONS = [
    *_OF_TABLE,
    *(statement.replace("rewards.transfers", PARTITION) for statement in _OF_TABLE),
    "DELETE FROM rewards.transfers_other",
    "TRUNCATE rewards.transfers_2027_01",
    "UPDATE rewards.blocks SET hash = previous",
    "DELETE FROM rewards.blocks",
    "TRUNCATE rewards.blocks",
    "INSERT INTO rewards.blocks SELECT * FROM rewards.blocks ON CONFLICT (number) DO UPDATE SET count = 0",
    "UPDATE rewards.heads SET signature = hash",
    "DELETE FROM rewards.heads",
    "TRUNCATE rewards.heads",
]
FORBIDDEN_TO_THE_ROLE = [
    "ALTER TABLE rewards.transfers DISABLE TRIGGER transfers_append_only",
    "DROP TABLE rewards.transfers",
    "ALTER TABLE rewards.blocks DISABLE TRIGGER blocks_append_only",
    "DROP TABLE rewards.heads",
    "DELETE FROM rewards.chain",
    "DROP FUNCTION rewards.seal(uuid[], bytea)",
    f"ALTER TABLE {PARTITION} DISABLE TRIGGER transfers_append_only",
    f"ALTER TABLE rewards.transfers DETACH PARTITION {PARTITION}",
    f"DROP TABLE {PARTITION}",
    # Only by the parent, which says what belongs where.
    f"SELECT * FROM {PARTITION}",
    f"INSERT INTO {PARTITION} SELECT * FROM rewards.transfers",
    "CREATE TABLE rewards.transfers_2030_01 PARTITION OF rewards.transfers FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
    "UPDATE rewards.accounts SET address = 'x'",
    "DELETE FROM rewards.balances",
    "DELETE FROM rewards.refusals",
    "UPDATE rewards.conflicts SET fields = '{}'",
    "DELETE FROM rewards.decisions",
]


@pytest.fixture(scope="module")
def one_transfer_url(postgres_module_url: str) -> str:
    """A ledger of one transfer, which every test here fails to change."""
    migrate(postgres_module_url, "rewards")

    async def post() -> None:
        database = Database(postgres_module_url, application="rewards", setup=SETUP)
        await database.start()
        await Ledger(database).post(transfers(decided(1)))
        async with database.connection() as connection:
            await open_months(connection, [date(2027, 1, 1)])
        await database.stop()

    asyncio.run(post())
    return postgres_module_url


@pytest.mark.parametrize("alteration", [*ALTERATIONS, *FORBIDDEN_TO_THE_ROLE])
def test_the_services_role_may_not(alteration: str, one_transfer_url: str) -> None:
    with psycopg.connect(one_transfer_url, autocommit=True) as connection:
        for statement in SETUP:
            connection.execute(statement)
        assert connection.execute("SELECT current_user").fetchone() == (ROLE,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(psycopg.sql.SQL(alteration))
    assert found_balances(one_transfer_url) == expected_balances([decided(1)])


@pytest.mark.parametrize("replication", ["origin", "replica"])
@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_the_owner_is_refused(alteration: str, replication: str, one_transfer_url: str) -> None:
    with psycopg.connect(one_transfer_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('session_replication_role', %s, false)", (replication,))
        with pytest.raises(psycopg.errors.RestrictViolation, match="append only"):
            owner.execute(psycopg.sql.SQL(alteration))
        row = owner.execute("SELECT amount_minor FROM rewards.transfers").fetchone()
    assert row == (10_000,)


async def test_without_the_role_the_service_works_and_the_trigger_still_refuses(ledger_url: str) -> None:
    """As on a server where the migrating user may not create roles: a login without membership stands for it."""
    name = f"login_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        owner.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(psycopg.sql.Identifier(name)))
        owner.execute(psycopg.sql.SQL("GRANT USAGE ON SCHEMA rewards TO {}").format(psycopg.sql.Identifier(name)))
        owner.execute(
            psycopg.sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA rewards TO {}").format(psycopg.sql.Identifier(name))
        )
        info = psycopg.conninfo.make_conninfo(ledger_url, user=name, password="x")
        database = Database(info, application="rewards", setup=SETUP)
        await database.start()
        await Ledger(database).post(transfers(decided(1)))
        with pytest.raises(psycopg.errors.RestrictViolation):
            await database.fetch_all("DELETE FROM rewards.transfers")
        await database.stop()
        owner.execute(psycopg.sql.SQL("DROP OWNED BY {}").format(psycopg.sql.Identifier(name)))
        owner.execute(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(name)))
