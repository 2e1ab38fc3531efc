"""The schema `rules`: what was published before is kept by a migration, and nobody alters what was recorded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from runtime.database import Connection
from runtime.migrations import migrate
from services.rules.lifecycle import Backtest, backtest_of, record_backtest
from services.rules.lifecycle.connect import connect

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PUBLISHED = """
    INSERT INTO rules.revisions (programme, revision, digest, path, source_text, effective_from_at, published_at,
                                 author, state)
    VALUES ('saas', 1, 'd1', 'saas.yaml', 'one', '2016-01-01Z', '2026-01-01Z', 'ana', 'superseded'),
           ('saas', 2, 'd2', 'saas.yaml', 'two', '2026-02-01Z', '2026-02-01Z', 'ben', 'active'),
           ('saas', 3, 'd3', 'saas.yaml', 'three', '2026-03-01Z', '2026-03-01Z', 'ana', 'publishing')
"""


@pytest.fixture
async def old_url(postgres_url: str) -> str:
    """A database of the version before, with what was published then, migrated to this version."""
    await asyncio.to_thread(migrate, postgres_url, "rules", revision="0001")
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        await connection.execute(PUBLISHED)
    await asyncio.to_thread(migrate, postgres_url, "rules")
    return postgres_url


async def rows(url: str, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await (await connection.execute(query)).fetchall()


async def test_a_migration_keeps_what_was_published_and_what_a_crash_left(old_url: str) -> None:
    assert await rows(old_url, "SELECT revision, state, author, note FROM rules.revisions ORDER BY 1") == [
        (1, "superseded", "ana", ""),
        (2, "active", "ben", ""),
        (3, "publishing", "ana", ""),
    ]
    assert await rows(
        old_url, "SELECT activation, revision, kind, broadcast_at IS NULL FROM rules.activations ORDER BY 1"
    ) == [(1, 1, "all", False), (2, 2, "all", False), (3, 3, "all", True)]
    assert await rows(old_url, "SELECT number, action, who FROM rules.audit ORDER BY 1") == [
        (1, "activated", "ana"),
        (2, "activated", "ben"),
        (3, "activated", "ana"),
    ]


ALTERING = {
    "an audit row changed": "UPDATE rules.audit SET who = 'nobody'",
    "an audit row deleted": "DELETE FROM rules.audit WHERE number = 2",
    "the audit log emptied": "TRUNCATE rules.audit",
    "a text changed": "UPDATE rules.revisions SET source_text = 'other' WHERE revision = 1",
    "a digest changed": "UPDATE rules.revisions SET digest = 'other' WHERE revision = 1",
    "an author changed": "UPDATE rules.revisions SET author = 'other' WHERE revision = 1",
    "a revision deleted": "DELETE FROM rules.revisions WHERE revision = 3",
    "all revisions gone": "TRUNCATE rules.revisions CASCADE",
}


@pytest.mark.parametrize("what", ALTERING)
async def test_not_even_the_owner_of_the_tables_alters_the_record(old_url: str, what: str) -> None:
    """Also with the triggers of an ordinary session switched off, as a replica has them."""
    for setting in ("SET session_replication_role = origin", "SET session_replication_role = replica"):
        async with await psycopg.AsyncConnection.connect(old_url, autocommit=True) as connection:
            await connection.execute(setting)
            with pytest.raises(psycopg.errors.RestrictViolation):
                await connection.execute(ALTERING[what])


@pytest.mark.parametrize("what", [*ALTERING, "a trigger dropped", "a back-test made up"])
async def test_the_role_of_the_service_has_no_right_to(old_url: str, what: str) -> None:
    statement = ALTERING.get(what, "DROP TRIGGER audit_append_only ON rules.audit")
    if what == "a back-test made up":
        statement = "UPDATE rules.backtests SET summary = '{}'"
    async with connect(old_url) as connection:
        await _assert_role(connection)
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)):
            await connection.execute(statement)


async def _assert_role(connection: Connection) -> None:
    row = await (await connection.execute("SELECT current_user")).fetchone()
    assert row == ("goodword_rules",)


async def test_a_backtest_is_found_by_text_and_by_what_it_was_compared_with(old_url: str) -> None:
    async def found(digest: str, against: int | None) -> dict[str, object] | None:
        async with connect(old_url) as connection:
            backtest = await backtest_of(connection, "saas", digest, against)
        return dict(backtest.summary) if backtest else None

    for against, difference in ((2, 5), (2, 7), (None, 1)):
        await record_backtest(
            old_url,
            Backtest(
                programme="saas",
                digest="d4",
                against_revision=against,
                finished_at=NOON,
                summary={"difference_minor": difference},
                by="ana",
            ),
        )
    assert await found("d4", 2) == {"difference_minor": 7}, "the newest"
    assert await found("d4", None) == {"difference_minor": 1}
    assert await found("d4", 1) is None
    assert await found("d5", 2) is None
