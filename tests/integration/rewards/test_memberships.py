"""Memberships: each term is charged once, ends once, and the rules hear of it in order, whatever crashes between."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import PermanentError
from contracts.events import decode_data, event_of
from contracts.topics import REFERRALS, TOPICS
from runtime.bus.postgres.log import PostgresBus
from runtime.database import Database
from services.rewards.clockwork import Clockwork
from services.rewards.lives.settling import Settler
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.memberships.telling import TierTeller
from services.rewards.store import Ledger
from tests.integration.rewards.test_holds import DAY_MS, facts
from tests.integration.rewards.test_lots import lot
from tests.integration.rewards.test_redemptions import moved, refused
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

ANN = "partner:ann"
PLUS = Offer("plus", "bronze", "month", 31_00, "USD")


def selling(database: Database, day: float = 0) -> Memberships:
    return Memberships(database, Ledger(database), clock=SetClock(POSTED_AT_MS + round(day * DAY_MS)))


async def buy(database: Database, offer: Offer = PLUS, *, key: str = "k", day: float = 0) -> Any:
    return await selling(database, day).buy("crm-sales", ANN, offer, key=key, by="bob")


async def tick(database: Database, day: float) -> None:
    clock = SetClock(POSTED_AT_MS + round(day * DAY_MS))
    work = Clockwork(
        database,
        Settler(database, Ledger(database)),
        clock=clock,
        batch_max=10,
        expiry_notice_days=30,
        chores=[selling(database, day).end_terms],
    )
    await work.tick()


async def told(database: Database) -> list[str]:
    rows = await database.fetch_all("SELECT tier FROM rewards.tier_tellings ORDER BY id")
    return [row[0] for row in rows]


async def test_a_fee_is_charged_once_and_what_is_unused_comes_back(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    made = [await buy(database) for _ in range(2)]
    assert made[0].id == made[1].id
    await refused("key-reused", buy(database, PLUS._replace(tier="gold")))
    await refused("membership-active", buy(database, key="other"))
    for _ in range(2):
        ended = await selling(database, 10.5).cancel(made[0].id, reason="moved away", by="bob")
        assert (ended.state, ended.refunded_minor) == ("refunded", 20_00)
    assert moved(await facts(database), "fee_charged", "fee_refunded") == [
        ("fee_charged", "partner:ann:available", "programme:crm-sales:membership-fees", 31_00),
        ("fee_refunded", "programme:crm-sales:membership-fees", "partner:ann:available", 20_00),
    ]
    assert await told(database) == ["plus", "bronze"]
    assert (await buy(database, key="other", day=11)).state == "active"
    await assert_sound(database)


REFUSED: list[tuple[str, Offer]] = [
    ("not-enough", PLUS._replace(price_minor=100_01)),
    ("price-malformed", PLUS._replace(price_minor=0)),
    ("id-malformed", PLUS._replace(tier="a b")),
    ("never-renewed", PLUS._replace(renews=True, per="ever")),
    ("never-renewed", PLUS._replace(renews=True, paid_outside="invoice 7")),
    ("reason-missing", PLUS._replace(paid_outside=" ")),
]


async def test_a_refusal_moves_nothing(database: Database) -> None:
    await deliver(database, decided(1))
    for code, offer in REFUSED:
        await refused(code, buy(database, offer))
    await refused("not-a-partner", selling(database).buy("crm-sales", "customer:x", PLUS, key="k", by="bob"))
    await refused("no-such-membership", selling(database).cancel("x", reason="y", by="bob"))
    assert (moved(await facts(database), "fee_charged"), await told(database)) == ([], [])


async def test_terms_are_renewed_while_there_is_enough_and_then_end(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    made = await buy(database, PLUS._replace(renews=True))
    for day in (30, 31, 31, 31 + 28, 31 + 28 + 31, 200):
        await tick(database, day)
    # 100.00 pays three terms; the fourth cannot be paid for.
    found = await selling(database).show(made.id)
    assert (found.state, found.term, found.reason) == ("ended", 2, "the next term could not be paid for")
    assert [amount for *_, amount in moved(await facts(database), "fee_charged")] == [31_00] * 3
    assert found_balances(ledger_url)["partner:ann:available", "USD"] == 7_00
    assert await told(database) == ["plus", "bronze"]
    await refused("membership-over", selling(database).cancel(made.id, reason="x", by="y"))
    await assert_sound(database)


async def test_what_is_paid_elsewhere_is_recorded_and_ends_by_the_clock(database: Database, ledger_url: str) -> None:
    made = await buy(database, PLUS._replace(paid_outside="invoice 7"))
    await database.fetch_all(
        "INSERT INTO rewards.standings VALUES ('crm-sales', 'ann', 'gold', %(id)s::uuid, 0, 1) RETURNING 1",
        {"id": made.id},
    )
    await tick(database, 31)
    # Metrics have made it gold meanwhile, and gold it stays.
    assert await told(database) == ["plus", "gold"]
    assert found_balances(ledger_url) == {
        ("programme:crm-sales:membership-fees", "USD"): 31_00,
        ("programme:crm-sales:paid-outside", "USD"): -31_00,
    }
    await assert_sound(database)


async def test_points_that_come_back_after_their_date_expire(database: Database, ledger_url: str) -> None:
    await deliver(database, lot(1, 31, days=5))
    made = await buy(database, PLUS._replace(price_minor=31, unit="POINTS"))
    await tick(database, 6)
    assert (await selling(database, 10).cancel(made.id, reason="x", by="y")).refunded_minor == 20
    await tick(database, 10)
    assert found_balances(ledger_url)["partner:ann:available", "POINTS"] == 0
    assert [amount for *_, amount in moved(await facts(database), "expired")] == [20]
    await assert_sound(database)


async def test_the_rules_hear_of_it_in_order_and_again_after_a_crash(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    made = await buy(database)
    await selling(database, 1).cancel(made.id, reason="x", by="y")
    bus = PostgresBus(ledger_url, client="rewards")
    await bus.start()
    await bus.ensure_topics(TOPICS, 1)
    teller = TierTeller(database, bus, clock=SetClock())
    assert [await teller.tell() for _ in range(2)] == [2, 0]
    # A crash between the log and the mark.
    await database.fetch_all("UPDATE rewards.tier_tellings SET told_at_ms = NULL WHERE tier = 'bronze' RETURNING 1")
    assert await teller.tell() == 1
    records = [
        record async for batch in bus.read(REFERRALS.name, 0, start=0, end=3, batch_records_max=10) for record in batch
    ]
    events = [event_of(record.headers, decode_data(record.value)) for record in records]
    assert [(event.type, event.id.rpartition("/")[2], event.data.tier) for event in events] == [
        ("partner.tier_assigned", "1", "plus"),
        ("partner.tier_assigned", "2", "bronze"),
        ("partner.tier_assigned", "2", "bronze"),
    ]
    assert {(event.source, event.data.partner, record.key) for event, record in zip(events, records, strict=True)} == {
        ("goodword/rewards", "ann", b"ann")
    }
    await bus.close()


async def test_a_permanent_error_is_what_people_see(database: Database) -> None:
    with pytest.raises(PermanentError, match="can spend 0"):
        await buy(database)
