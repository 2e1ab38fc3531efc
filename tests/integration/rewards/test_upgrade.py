"""A ledger of the first version is upgraded as it is, with what it holds, and goes on."""

from __future__ import annotations

import psycopg

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
