"""A ledger of the first version is upgraded as it is, with what it holds, and goes on."""

from __future__ import annotations

import psycopg
import pytest

from contracts.ids import event_hash
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.legs import granted_transfer_id
from services.rewards.store import SETUP
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, deliver, found_balances


async def test_what_was_posted_before_can_be_delivered_again_and_taken_back(postgres_url: str) -> None:
    old = decided(1)
    migrate(postgres_url, "rewards", revision="0001")
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO rewards.accounts (address) VALUES ('programme:crm-sales:cost'), ('partner:ann:available')"
        )
        owner.execute(
            "SELECT rewards.post(ARRAY[%(id)s::uuid], ARRAY[%(id)s::uuid], ARRAY[%(decision)s::uuid], ARRAY[1::bigint],"
            " ARRAY[2::bigint], ARRAY[10000::bigint], ARRAY[%(hash)s::bigint], ARRAY[to_timestamp(%(at)s / 1000.0)],"
            " ARRAY[now()], ARRAY[1], ARRAY['granted'], ARRAY['USD'], ARRAY['crm-sales'], ARRAY['commission'],"
            " ARRAY['ann'], ARRAY[%(source)s::text], ARRAY[%(event)s::text], ARRAY['cancity'], ARRAY['deal-1'],"
            " ARRAY[NULL::text], ''::bytea)",
            {
                "id": granted_transfer_id(old.id),
                "decision": old.id,
                "hash": event_hash(old.event_source, old.event_id),
                "at": old.time_ms,
                "source": old.event_source,
                "event": old.event_id,
            },
        )
    migrate(postgres_url, "rewards")
    database = Database(postgres_url, application="rewards", setup=SETUP)
    await database.start()
    await deliver(database, old, decided(2, amount_minor=-4_000, takes_back=old.id))
    assert found_balances(postgres_url) == {
        ("programme:crm-sales:cost", "USD"): -6_000,
        ("partner:ann:available", "USD"): 6_000,
    }
    assert await database.fetch_all("SELECT count(*) FROM rewards.conflicts") == [(0,)]
    await assert_sound(database)
    await database.stop()


async def test_what_was_released_before_transfers_told_when_they_count_is_filled_in(postgres_url: str) -> None:
    migrate(postgres_url, "rewards", revision="0004")
    stages = ("granted", "released", "expired", "written_off")
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        for number, stage in enumerate(stages):
            owner.execute(
                "INSERT INTO rewards.transfers (id, group_id, decision_id, debit_id, credit_id, amount_minor,"
                " event_hash, event_at, posted_at, revision, stage, unit, programme, rule, partner, event_source,"
                " event_id, available_at, expires_at, booked_by) VALUES (%(id)s, %(id)s, %(id)s, 1, 2, 1, 1,"
                " '2026-01-01Z', '2026-01-09Z', 1, %(stage)s, 'USD', 'p', 'r', 'ann', 's', 'e', '2026-01-02Z',"
                " '2026-01-03Z', %(by)s)",
                {
                    "id": f"00000000-0000-8000-8000-00000000000{number}",
                    "stage": stage,
                    "by": "ann" if stage == "written_off" else None,
                },
            )
    migrate(postgres_url, "rewards")
    with psycopg.connect(postgres_url) as owner:
        found = owner.execute("SELECT stage, extract(day FROM news_at AT TIME ZONE 'UTC') FROM rewards.transfers")
        assert dict(found.fetchall()) == {"granted": None, "released": 2, "expired": 3, "written_off": 9}
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute("UPDATE rewards.transfers SET amount_minor = 2")
