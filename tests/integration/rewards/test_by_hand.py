"""What people book: never further than there is, with the reason and who did it, and told to the partner."""

from __future__ import annotations

import pytest

from contracts.errors import PermanentError
from contracts.money import Money
from runtime.database import Database
from services.rewards.by_hand import Bookings
from services.rewards.legs import ByHand
from services.rewards.reads import explain, holds
from tests.integration.rewards.test_holds import AVAILABLE, COST, DAY_MS, PENDING, balances_of, clockwork, facts, held
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver

ANN = ByHand("customer cancelled", "ann")


@pytest.fixture
def bookings(database: Database) -> Bookings:
    return Bookings(database, clock=SetClock(POSTED_AT_MS + DAY_MS))


async def test_parts_of_a_hold_are_voided_and_released_by_hand_and_the_clock_releases_the_rest(
    bookings: Bookings, database: Database, ledger_url: str
) -> None:
    decision = held(1)
    await deliver(database, decision)
    await bookings.void(decision.id, Money(2_500, "USD"), ANN)
    await bookings.release(decision.id, Money(1_000, "USD"), ANN)
    await bookings.void(decision.id, Money(500, "USD"), ANN)
    assert balances_of(ledger_url) == {COST: -7_000, PENDING: 6_000, AVAILABLE: 1_000}
    assert [(line["decision"], line["minor"]) for line in holds(ledger_url)] == [(decision.id, 6_000)]
    await deliver(database, decision)
    await clockwork(database, SetClock(POSTED_AT_MS + 31 * DAY_MS)).tick()
    assert balances_of(ledger_url) == {COST: -7_000, AVAILABLE: 7_000}
    found = explain(ledger_url, decision.id)
    assert found is not None
    assert sorted(t["stage"] for t in found["transfers"]) == ["granted", "released", "released", "voided", "voided"]
    assert [(f.reason, f.booked_by) for f in await facts(database) if f.stage == "voided"] == [ANN, ANN]
    # A refund afterwards takes what is left of it, and no more.
    await deliver(database, decided(2, amount_minor=-10_000, takes_back=decision.id))
    assert balances_of(ledger_url) == {}
    await assert_sound(database)


async def test_what_is_not_there_cannot_be_voided_or_released(bookings: Bookings, database: Database) -> None:
    decision, plain = held(1), decided(2)
    await deliver(database, decision, plain)
    for amount in (Money(10_001, "USD"), Money(0, "USD"), Money(1, "EUR")):
        with pytest.raises(PermanentError, match="on hold"):
            await bookings.void(decision.id, amount, ANN)
    await bookings.void(decision.id, None, ANN)
    for work in (bookings.void, bookings.release):
        with pytest.raises(PermanentError, match="on hold"):
            await work(decision.id, None, ANN)
        with pytest.raises(PermanentError, match="holds nothing back"):
            await work(plain.id, None, ANN)
        with pytest.raises(PermanentError, match="not the id"):
            await work("x", None, ANN)
    with pytest.raises(PermanentError, match="says why"):
        await bookings.void(decision.id, None, ByHand(" ", "ann"))
    await assert_sound(database)


async def test_a_debt_is_carried_forward_and_written_off_never_further_than_it_is_owed(
    bookings: Bookings, database: Database, ledger_url: str
) -> None:
    first = decided(1)
    await deliver(database, first, decided(2, amount_minor=-3_000, restates="r-1"))
    await deliver(database, decided(3, amount_minor=-10_000, takes_back=first.id))
    assert balances_of(ledger_url)[AVAILABLE] == -3_000
    with pytest.raises(PermanentError, match="owes 3000"):
        await bookings.write_off(AVAILABLE, "USD", "crm-sales", 3_001, ANN)
    await bookings.write_off(AVAILABLE, "USD", "crm-sales", 1_000, ANN)
    # What is earned next makes up for it.
    await deliver(database, decided(4, amount_minor=500))
    assert balances_of(ledger_url)[AVAILABLE] == -1_500
    (made,) = await bookings.write_off(AVAILABLE, "USD", "crm-sales", None, ANN)
    assert (made.stage, made.debit, made.amount_minor) == ("written_off", "programme:crm-sales:written-off", 1_500)
    with pytest.raises(PermanentError, match="owes 0"):
        await bookings.write_off(AVAILABLE, "USD", "crm-sales", None, ANN)
    with pytest.raises(PermanentError, match="no beneficiary"):
        await bookings.write_off(COST, "USD", "crm-sales", None, ANN)
    await assert_sound(database)


async def test_a_clawback_takes_from_the_hold_first_and_in_parts_never_more_than_was_granted(
    database: Database, ledger_url: str
) -> None:
    decision = held(1)
    parts = [decided(10 + n, amount_minor=-4_000, takes_back=decision.id) for n in range(4)]
    await deliver(database, decision, parts[0])
    assert balances_of(ledger_url) == {COST: -6_000, PENDING: 6_000}
    await clockwork(database, SetClock(POSTED_AT_MS + 31 * DAY_MS)).tick()
    for _ in range(2):
        await deliver(database, decision, *parts)
    assert balances_of(ledger_url) == {}
    rows = await database.fetch_all("SELECT reason FROM rewards.lives WHERE reason <> '' ORDER BY reason")
    assert rows == [("of 4000 only 0 was left to take back",), ("of 4000 only 2000 was left to take back",)]
    found = explain(ledger_url, decision.id)
    assert found is not None
    assert sorted((t["stage"], t["minor"]) for t in found["transfers"]) == [
        ("clawed_back", 2_000),
        ("clawed_back", 4_000),
        ("granted", 10_000),
        ("released", 6_000),
        ("voided", 4_000),
    ]
    await assert_sound(database)


@pytest.mark.parametrize("is_held", [True, False])
async def test_a_clawback_before_its_grant_waits_for_it(database: Database, ledger_url: str, is_held: bool) -> None:
    decision = held(1) if is_held else decided(1)
    early = decided(2, amount_minor=-4_000, takes_back=decision.id)
    await deliver(database, early)
    await deliver(database, early)
    work = clockwork(database, SetClock())
    assert await work.tick() == 0
    assert balances_of(ledger_url) == {}
    await deliver(database, decision)
    assert await work.tick() == 1
    assert await work.tick() == 0
    assert balances_of(ledger_url) == {COST: -6_000, (PENDING if is_held else AVAILABLE): 6_000}
    await assert_sound(database)


async def test_a_clawback_of_somebody_elses_reward_is_refused(database: Database, ledger_url: str) -> None:
    decision = decided(1)
    await deliver(database, decision, decided(2, partner="bob", amount_minor=-1, takes_back=decision.id))
    assert balances_of(ledger_url) == {COST: -10_000, AVAILABLE: 10_000}
    assert await database.fetch_all("SELECT reason FROM rewards.lives WHERE state = 'refused'") == [
        ("the decision it takes from gave USD to partner:ann",)
    ]
