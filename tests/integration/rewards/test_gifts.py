"""Gifts: two people, a reason, a budget that is never overspent, limits that hold however many approve at once."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from contracts.money import Money
from runtime.database import Database
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import Gift, Limits, read_limits
from services.rewards.legs import ByHand
from services.rewards.store import Ledger
from tests.integration.rewards.test_budgets import claiming
from tests.integration.rewards.test_holds import DAY_MS, facts
from tests.integration.rewards.test_redemptions import moved, refused
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

ANN = "partner:ann"
GOODWILL = BudgetKey("crm-sales", "goodwill", "2026", "EUR")


def desk(database: Database, limits: Limits = Limits({}, {}), *, day: float = 0) -> Gifts:  # noqa: B008 - a tuple never changes
    clock = SetClock(POSTED_AT_MS + round(day * DAY_MS))
    return Gifts(database, Ledger(database), clock=clock, limits=limits)


async def propose(on: Gifts, euros: int = 50, *, key: str = "k", **fields: Any) -> Gift:
    known: dict[str, Any] = {"budget": "goodwill", "period": "2026", "reason": "a hard month", "by": "ann"} | fields
    return await on.propose("crm-sales", known.pop("to", ANN), Money(euros * 100, "EUR"), key=key, **known)


@pytest.fixture
async def budget(database: Database) -> BudgetKey:
    bookings = Bookings(database, clock=SetClock())
    await bookings.top_up(GOODWILL, 100_00, ByHand("for the year", "ann"))
    return GOODWILL


async def test_a_gift_is_granted_once_by_somebody_else(database: Database, ledger_url: str, budget: BudgetKey) -> None:
    on = desk(database)
    made = [await propose(on) for _ in range(2)]
    assert made[0].id == made[1].id
    await refused("key-reused", propose(on, 51))
    await refused("same-person", on.approve(made[0].id, by=" ANN "))
    for _ in range(2):
        assert (await on.approve(made[0].id, by="bob", because="well deserved")).decided_by == "bob"
    await refused("gift-decided", on.reject(made[0].id, by="bob", because="no"))
    told = [fact for fact in await facts(database) if fact.stage != "allotted"]
    assert moved(told, "granted", "claimed") == [
        ("granted", "programme:crm-sales:cost", "partner:ann:available", 50_00),
        ("claimed", "programme:crm-sales:budget:goodwill:2026", "programme:crm-sales:spent:goodwill:2026", 50_00),
    ]
    assert (told[0].rule, told[0].reason, told[0].booked_by) == ("gift", "a hard month", "ann, bob")
    await assert_sound(database)


async def test_what_a_budget_cannot_bear_stays_proposed(database: Database, budget: BudgetKey) -> None:
    on = desk(database)
    large, none = await propose(on, 101), await propose(on, 1, key="b", period="2027")
    await refused("budget-spent", on.approve(large.id, by="bob"))
    await refused("no-such-budget", on.approve(none.id, by="bob"))
    assert [gift.state for gift in await on.listed(beneficiary=ANN)] == ["proposed", "proposed"]
    for _ in range(2):
        assert (await on.reject(large.id, by="ann", because="too much")).state == "rejected"
    await refused("gift-decided", on.approve(large.id, by="bob"))
    await refused("reason-missing", on.reject(none.id, by="bob", because=" "))
    await refused("no-such-gift", on.approve("x", by="bob"))
    await refused("id-malformed", propose(on, key="a b"))
    await refused("amount-out-of-range", propose(on, 0))
    await refused("account-outside-chart", propose(on, to="bob", key="c"))
    await assert_sound(database)


async def test_nobody_overtakes_those_who_wait_for_the_budget(database: Database) -> None:
    await deliver(database, claiming(1, 20_000), claiming(2, 40_000))
    on = desk(database)
    gift = await on.propose(
        "crm-sales", ANN, Money(1, "USD"), budget="yearly", period="2026", reason="x", key="k", by="ann"
    )
    await refused("budget-waited-for", on.approve(gift.id, by="bob"))


async def test_limits_hold_for_one_gift_and_for_a_person_within_a_year(database: Database, budget: BudgetKey) -> None:
    limits = Limits(read_limits("50 EUR"), read_limits("60.00 EUR, 1_000 POINTS"))
    on = desk(database, limits)
    await refused("gift-over-limit", propose(on, 51))
    gifts = [await propose(on, 30, key=key) for key in ("a", "b", "c")]
    await on.approve(gifts[0].id, by="bob")
    # The other two would break it together, whoever comes first.
    answers = await asyncio.gather(
        *(desk(database, limits).approve(gift.id, by="bob") for gift in gifts[1:]), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Gift", "PermanentError"]
    await refused("gift-person-limit", propose(on, 1, key="d"))
    assert (await propose(on, 30, key="e", to="partner:bea")).state == "proposed"
    assert (await propose(desk(database, limits, day=366), 30, key="d")).state == "proposed"
    await assert_sound(database)


async def test_a_budget_is_never_overspent_however_many_approve(
    database: Database, ledger_url: str, budget: BudgetKey
) -> None:
    gifts = [await propose(desk(database), 30, key=f"k{n}", to=f"partner:p{n}") for n in range(8)]
    answers = await asyncio.gather(
        *(desk(database).approve(gift.id, by="bob") for gift in gifts), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Gift"] * 3 + ["PermanentError"] * 5
    assert found_balances(ledger_url)["programme:crm-sales:budget:goodwill:2026", "EUR"] == 10_00
    await assert_sound(database)


async def test_the_table_itself_refuses_one_person(database: Database, ledger_url: str, budget: BudgetKey) -> None:
    gift = await propose(desk(database))
    with psycopg.connect(ledger_url) as owner, pytest.raises(psycopg.errors.CheckViolation, match="gifts_by_two"):
        owner.execute(
            "UPDATE rewards.gifts SET state = 'granted', decided_by = 'Ann', decided_at_ms = 1 WHERE id = %s",
            (gift.id,),
        )


@pytest.mark.parametrize("text", ["500", "EUR", "1 EUR, 2 EUR", "1.234 EUR", "1.5 POINTS", "-1 EUR", "1 EUR;"])
def test_what_is_no_limit_is_refused_when_the_service_starts(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.rewards.settings import RewardsSettings

    monkeypatch.setenv("GOODWORD_REWARDS_GIFT_MAX", text)
    with pytest.raises(ValueError, match="no limit: write amounts like"):
        RewardsSettings()


def test_limits_are_in_minor_units() -> None:
    assert read_limits("500 EUR, 10_000 POINTS, 1.5 KWD, 7 JPY") == {
        "EUR": 50_000,
        "POINTS": 10_000,
        "KWD": 1_500,
        "JPY": 7,
    }
    assert read_limits(" ") == {}
