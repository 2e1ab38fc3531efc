"""Redemptions: never oversold, never twice, each ended once; what expires meanwhile expires, and codes stay secret."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from contracts.errors import PermanentError
from contracts.facts import TransferPosted
from contracts.topics import DECISIONS
from runtime.bus.open import open_bus
from runtime.bus.port import Batch, Received
from runtime.database import Database
from services.rewards.catalogue.publishing import Catalogues
from services.rewards.clockwork import Clockwork
from services.rewards.decode import decode_heads
from services.rewards.lives.settling import Settler
from services.rewards.redemptions.deciding import Redemption
from services.rewards.redemptions.redeeming import Redemptions
from services.rewards.standings.keeping import Standings
from services.rewards.store import SETUP, Ledger
from tests.integration.rewards.test_holds import DAY_MS, facts
from tests.integration.rewards.test_lots import lot
from tests.support.catalogues import PROGRAMME, publish, redeeming
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

ANN = "partner:ann"


async def never() -> None:
    """What is delivered here is committed by nobody."""
    raise AssertionError


async def reserve(on: Redemptions, item: str = "card", whom: str = ANN, *, key: str = "k", **more: Any) -> Redemption:
    return await on.reserve(PROGRAMME, item, whom, quantity=more.get("quantity", 1), key=key, by="ann")


async def refused(code: str, wish: Any) -> None:
    with pytest.raises(PermanentError) as raised:
        await wish
    assert raised.value.problem.code == code


async def tick(database: Database, day: float) -> None:
    clock = SetClock(POSTED_AT_MS + round(day * DAY_MS))
    work = Clockwork(
        database,
        Settler(database, Ledger(database)),
        clock=clock,
        batch_max=10,
        expiry_notice_days=30,
        chores=[redeeming(database, clock).cancel_overdue],
    )
    await work.tick()


def moved(made: list[TransferPosted], *stages: str) -> list[tuple[str, str, str, int]]:
    return [(t.stage, t.debit, t.credit, t.amount_minor) for t in made if t.stage in stages]


async def test_it_is_reserved_once_and_ended_once(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    await publish(database, card={"stock": 1})
    on = redeeming(database)
    made = [await reserve(on) for _ in range(3)]
    assert {one.id for one in made} == {made[0].id}
    assert found_balances(ledger_url)["partner:ann:reserved", "USD"] == 6_000
    await refused("key-reused", reserve(on, quantity=2))
    await refused("out-of-stock", reserve(on, key="other"))
    for _ in range(2):
        assert (await on.fulfil(made[0].id, by="bob")).state == "fulfilled"
    await refused("redemption-over", on.cancel(made[0].id, reason="late", by="bob"))
    assert moved(await facts(database), "reserved", "redeemed") == [
        ("reserved", "partner:ann:available", "partner:ann:reserved", 6_000),
        ("redeemed", "partner:ann:reserved", "programme:crm-sales:redeemed", 6_000),
    ]
    await assert_sound(database)


async def test_a_cancelled_one_is_available_again(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    await publish(database, card={"stock": 1, "per_person": 1})
    on = redeeming(database)
    for key in ("a", "b"):
        made = await reserve(on, key=key)
        for _ in range(2):
            assert (await on.cancel(made.id, reason="changed their mind", by="bob")).reason == "changed their mind"
    assert found_balances(ledger_url)["partner:ann:available", "USD"] == 10_000
    await refused("redemption-over", on.fulfil(made.id, by="bob"))
    await refused("no-such-redemption", on.cancel("x", reason="y", by="bob"))
    await assert_sound(database)


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("not-enough", {"price": "100.01 USD"}, {}),
    ("no-such-item", {}, {"item": "cart"}),
    ("item-not-yet", {"from": "2026-01-02"}, {}),
    ("item-no-longer", {"to": "2025-12-31"}, {}),
    ("tier-too-low", {"tiers": "[silver, gold]"}, {}),
    ("per-person-limit", {"per_person": 1, "price": "1 USD"}, {"quantity": 2}),
    ("out-of-stock", {"stock": 0}, {}),
    ("out-of-stock", {"stock": "codes", "kind": "gift_card"}, {}),
    ("account-outside-chart", {}, {"whom": "partner:a:b"}),
    ("id-malformed", {}, {"key": "a b"}),
]


async def test_a_refusal_moves_nothing(database: Database) -> None:
    await deliver(database, decided(1))
    items: dict[str, Any] = {f"item{number}": fields for number, (_, fields, _) in enumerate(REFUSED)}
    await publish(database, **items)
    for number, (code, _, wish) in enumerate(REFUSED):
        await refused(code, reserve(redeeming(database), **({"item": f"item{number}"} | wish)))
    assert moved(await facts(database), "reserved") == []
    await assert_sound(database)


async def test_what_is_left_of_a_tier_is_what_the_newest_decision_says(database: Database, ledger_url: str) -> None:
    def told(number: int, tier: str) -> Received:
        from contracts.decisions import encode_decision

        decision = decided(number, rule="tier", amount_minor=None, unit=None, tier_to=tier)
        return Received(number, b"ann", encode_decision(decision), (), 0)

    # What is tested does not look at the log.
    standings = Standings(database, open_bus(kafka=None, postgres=ledger_url, client="test"))

    async def deliver_tiers(*records: Received) -> None:
        decoded = decode_heads([record.value for record in records])
        batch = Batch(DECISIONS.name, 0, records, records[-1].offset + 1, commit=never)
        await standings.keep(batch, decoded.indexes, decoded.decisions)

    await deliver(database, decided(1))
    await publish(database, card={"tiers": "[silver]", "price": "1 USD"})
    on = redeeming(database)
    await deliver_tiers(told(5, "gold"), told(6, "silver"))
    await deliver_tiers(told(5, "gold"))
    await reserve(on, key="a")
    await deliver_tiers(told(7, "bronze"))
    await refused("tier-too-low", reserve(on, key="b"))
    await refused("tier-too-low", reserve(on, whom="customer:ann", key="b"))


async def test_what_was_reserved_keeps_its_price_and_version(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    first = await publish(database, card={"stock": 1})
    on = redeeming(database)
    made = await reserve(on)
    assert await publish(database, card={"stock": 1}) == first._replace(is_new=False)
    await refused("stock-below-taken", publish(database, card={"stock": 0}))
    again = await publish(database, cart={"price": "1 USD"})
    assert (again.version, again.withdrawn) == (2, ("card",))
    await refused("item-withdrawn", reserve(on, key="b"))
    assert ((await on.fulfil(made.id, by="bob")).price_minor, made.version) == (6_000, 1)
    catalogues = Catalogues(database, clock=SetClock())
    assert "card" in ((await catalogues.source(PROGRAMME, 1)) or (0, ""))[1]
    assert await catalogues.source(PROGRAMME, 3) is None
    await assert_sound(database)


async def test_a_credit_gives_what_it_says(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    await publish(database, credit={"kind": "credit", "gives": "12.50 CREDIT", "price": "20 USD"})
    on = redeeming(database)
    await on.fulfil((await reserve(on, "credit", quantity=2)).id, by="bob")
    assert found_balances(ledger_url)["partner:ann:available", "CREDIT"] == 2_500
    (credited,) = [fact for fact in await facts(database) if fact.stage == "credited"]
    assert (credited.decimals, credited.debit) == (2, "programme:crm-sales:cost")
    await assert_sound(database)


async def test_each_code_is_handed_out_once_and_shown_to_who_asks_for_it(database: Database) -> None:
    await deliver(database, decided(1), decided(2, partner="bea"))
    await publish(database, gift={"kind": "gift_card", "stock": "codes", "price": "10 USD"}, own={"price": "1 USD"})
    catalogues, on = Catalogues(database, clock=SetClock()), redeeming(database)
    assert await catalogues.load_codes(PROGRAMME, "gift", ["AAA", "BBB"], by="ann") == 2
    assert await catalogues.load_codes(PROGRAMME, "gift", ["BBB", "CCC"], by="ann") == 1
    await refused("no-codes-wanted", catalogues.load_codes(PROGRAMME, "own", ["X"], by="ann"))
    await refused("code-malformed", catalogues.load_codes(PROGRAMME, "gift", ["", "X"], by="ann"))
    two = await reserve(on, "gift", quantity=2)
    one = await reserve(on, "gift", "partner:bea", key="b")
    await refused("out-of-stock", reserve(on, "gift", key="c"))
    await on.fulfil(one.id, by="bob")
    await on.fulfil(two.id, by="bob")
    assert [await on.reveal(each.id, by="bea") for each in (one, two)] == [["AAA"], ["BBB", "CCC"]]
    assert await database.fetch_all("SELECT revealed_by FROM rewards.code_reveals") == [("bea",), ("bea",)]
    own = await reserve(on, "own", key="d")
    await refused("code-malformed", on.fulfil(own.id, codes=[" "], by="bob"))
    await refused("codes-missing", on.fulfil(own.id, codes=["X", "Y"], by="bob"))
    await on.fulfil(own.id, codes=["X"], by="bob")
    assert (await on.fulfil(own.id, codes=["X"], by="bob")).state == "fulfilled"
    other = await reserve(on, "own", key="e")
    await refused("code-given-before", on.fulfil(other.id, codes=["X"], by="bob"))
    await assert_sound(database)


async def test_what_comes_back_after_its_date_expires(database: Database, ledger_url: str) -> None:
    # 100 until day 10 and 50 until day 20; 80 are reserved, so 20 expire on day 10 and the rest when it comes back.
    await deliver(database, lot(1, 100, days=10), lot(2, 50, days=20))
    await publish(database, card={"price": "80 POINTS"})
    on = redeeming(database)
    made = await reserve(on)
    assert made.parts == ((lot(1, 100, days=10).id, 80),)
    await tick(database, 10)
    assert found_balances(ledger_url)["partner:ann:available", "POINTS"] == 50
    await on.cancel(made.id, reason="changed their mind", by="bob")
    again = SetClock(POSTED_AT_MS + 10 * DAY_MS)
    await refused("not-enough", reserve(redeeming(database, again), key="early"))
    await tick(database, 10)
    assert found_balances(ledger_url)["partner:ann:available", "POINTS"] == 50
    assert [amount for *_, amount in moved(await facts(database), "expired")] == [20, 80]
    await tick(database, 20)
    assert found_balances(ledger_url)["partner:ann:available", "POINTS"] == 0
    await assert_sound(database)


async def test_the_clock_cancels_what_nobody_fulfils(database: Database, ledger_url: str) -> None:
    await deliver(database, decided(1))
    await publish(database, card={"stock": 1})
    on = redeeming(database)
    made = await reserve(on)
    await tick(database, 13.9)
    assert (await on.show(made.id))["state"] == "reserved"
    await tick(database, 14)
    await tick(database, 14)
    found = await on.show(made.id)
    assert (found["state"], found["closed_by"], found["reason"]) == ("cancelled", "clock", "not fulfilled in time")
    assert found_balances(ledger_url)["partner:ann:available", "USD"] == 10_000
    assert [each.id for each in await on.listed(state="cancelled", beneficiary=ANN)] == [made.id]
    await assert_sound(database)


@pytest.mark.timeout(120)
async def test_eight_writers_never_oversell_and_never_wait_in_a_circle(ledger_url: str, seed: int) -> None:
    draw = random.Random(seed)
    database = Database(ledger_url, application="rewards", connections_max=8, setup=SETUP)
    await database.start()
    await deliver(database, *(decided(n, partner=f"p{n % 3}") for n in range(9)))
    items: dict[str, Any] = {f"item{n}": {"stock": 5, "price": f"{n + 1} USD"} for n in range(4)}
    await publish(database, **items)

    async def writer(number: int) -> int:
        on, ended = redeeming(database), 0
        # Each goes through items and people in an order of its own, half of the keys are another writer's too.
        wishes = [(f"item{n % 4}", f"partner:p{n % 3}", f"{number // 2}-{n}") for n in range(12)]
        draw.shuffle(wishes)
        for item, whom, key in wishes:
            try:
                made = await reserve(on, item, whom, key=key)
                if draw.random() < 0.3:
                    await on.cancel(made.id, reason="no", by="x")
                elif draw.random() < 0.5:
                    await on.fulfil(made.id, by="x")
            except PermanentError as error:
                assert error.problem.code in {"out-of-stock", "redemption-over", "not-enough"}  # noqa: PT017 - any of these is right
                ended += 1
        return ended

    await asyncio.gather(*(writer(number) for number in range(8)))
    await assert_sound(database)
    rows = await database.fetch_all("SELECT count(*) FROM rewards.catalogue_items WHERE taken > 5 OR taken < 0")
    assert rows == [(0,)]
    await database.stop()
