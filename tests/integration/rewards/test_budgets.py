"""Budgets: nothing goes below the floor, nobody is overtaken, every redelivery gets the same answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts.decisions import BudgetClaim, Decision, encode_decision
from contracts.errors import PermanentError
from contracts.facts import RewardNotice, decode_notice
from runtime.database import Database
from services.rewards.archive import ArchiveOwner
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.facts import fact_records
from services.rewards.legs import ByHand
from services.rewards.reads import budgets, explain, waiting
from tests.integration.rewards.test_holds import AVAILABLE, balances_of, clockwork, held
from tests.support.decisions import decided
from tests.support.ledger import SetClock, assert_sound, deliver

KEY = BudgetKey("crm-sales", "yearly", "2026", "USD")
ANN = ByHand("agreed with finance", "ann")


def claiming(number: int, amount_minor: int, *, size: int = 30_000, deny: bool = False, **fields: Any) -> Decision:
    """A decision that a yearly budget of 300.00 USD covers, unless told otherwise."""
    claim = BudgetClaim("yearly", "2026", size, "USD", "deny" if deny else "hold")
    return decided(number, **{"amount_minor": amount_minor, "budgets": (claim,), **fields})


def state_of(url: str) -> tuple[int, int, int]:
    """Claimed, left, and how many wait."""
    (line,) = budgets(url)
    assert line["allotted_minor"] == line["claimed_minor"] + line["left_minor"]
    return line["claimed_minor"], line["left_minor"], line["waiting"]


async def notices(database: Database) -> list[RewardNotice]:
    rows = await database.fetch_all("SELECT facts FROM rewards.outbox ORDER BY block")
    records = [record for (blob,) in rows for record in fact_records(blob, None)]
    return [decode_notice(record.value) for record in records if ("ce_type", b"reward.notice") in record.headers]


async def test_a_budget_bears_what_it_can_and_the_rest_waits_whole_and_in_order(
    database: Database, ledger_url: str
) -> None:
    decisions = [claiming(1, 20_000), claiming(2, 15_000), claiming(3, 5_000)]
    for _ in range(2):
        # The last one would fit, and does not overtake.
        await deliver(database, *decisions)
        assert state_of(ledger_url) == (20_000, 10_000, 2)
    assert [line["reason"] for line in waiting(ledger_url)] == [
        "budget yearly of 2026 is spent",
        "budget yearly of 2026 is spent, others wait for it",
    ]
    assert [(told.notice, told.decision) for told in await notices(database)] == [
        ("held", decisions[1].id),
        ("held", decisions[2].id),
    ]
    work = clockwork(database, SetClock())
    assert await work.tick() == 0
    bookings = Bookings(database, clock=SetClock())
    await bookings.top_up(KEY, 4_999, ANN)
    assert await work.tick() == 0
    await bookings.top_up(KEY, 1, ANN)
    assert await work.tick() > 0
    # 300.00 and 50.00 are there, 350.00 would be claimed with the second; the third waits on.
    assert state_of(ledger_url) == (35_000, 0, 1)
    await bookings.top_up(KEY, 5_000, ANN)
    await work.tick()
    assert state_of(ledger_url) == (40_000, 0, 0)
    assert balances_of(ledger_url)[AVAILABLE] == 40_000
    await assert_sound(database)


async def test_when_it_says_deny_what_does_not_fit_is_denied_for_good_and_others_go_on(
    database: Database, ledger_url: str
) -> None:
    batch = [claiming(1, 20_000, deny=True), claiming(2, 15_000, deny=True), claiming(3, 5_000, deny=True)]
    await deliver(database, *batch)
    await Bookings(database, clock=SetClock()).top_up(KEY, 100_000, ANN)
    await deliver(database, *batch)
    await clockwork(database, SetClock()).tick()
    assert state_of(ledger_url) == (25_000, 105_000, 0)
    assert [(told.notice, told.reason) for told in await notices(database)] == [
        ("denied", "budget yearly of 2026 is spent")
    ]
    archive = ArchiveOwner(database=database, clock=SetClock())
    await archive.keep([encode_decision(decision) for decision in batch])
    found = explain(ledger_url, batch[1].id)
    assert found is not None
    assert [(course["state"], course["reason"]) for course in found["courses"]] == [
        ("denied", "budget yearly of 2026 is spent")
    ]
    await assert_sound(database)


async def test_a_decision_takes_from_every_budget_that_covers_it_or_from_none(
    database: Database, ledger_url: str
) -> None:
    month = BudgetClaim("monthly", "2026-01", 8_000, "USD", "hold")
    year = BudgetClaim("yearly", "2026", 30_000, "USD", "hold")
    both = [decided(number, amount_minor=5_000, budgets=(year, month)) for number in range(2)]
    await deliver(database, *both)
    left = {(line["budget"], line["period"]): (line["left_minor"], line["waiting"]) for line in budgets(ledger_url)}
    assert left == {("yearly", "2026"): (25_000, 0), ("monthly", "2026-01"): (3_000, 1)}
    found = explain(ledger_url, both[0].id)
    assert found is not None
    year_account, month_account = KEY.account, "programme:crm-sales:budget:monthly:2026-01"
    assert {(t["stage"], t["debit"]) for t in found["transfers"]} == {
        ("granted", "programme:crm-sales:cost"),
        ("claimed", year_account),
        ("claimed", month_account),
    }
    await assert_sound(database)


async def test_a_newer_revision_puts_in_more_or_less_and_an_older_one_changes_nothing(
    database: Database, ledger_url: str
) -> None:
    await deliver(database, claiming(1, 10_000, revision=2))
    await deliver(database, claiming(2, 10_000, revision=1, size=1))
    assert state_of(ledger_url) == (20_000, 10_000, 0)
    await deliver(database, claiming(3, 1_000, revision=3, size=15_000))
    assert state_of(ledger_url) == (20_000, -5_000, 1)
    await deliver(database, claiming(4, 1_000, revision=4, size=22_000))
    assert state_of(ledger_url) == (20_000, 2_000, 2)
    await clockwork(database, SetClock()).tick()
    assert state_of(ledger_url) == (22_000, 0, 0)
    await assert_sound(database)


async def test_what_a_budget_resumes_after_its_hold_is_released_at_once(database: Database, ledger_url: str) -> None:
    late = held(1, amount_minor=40_000, budgets=claiming(1, 1).budgets)
    await deliver(database, late)
    assert AVAILABLE not in balances_of(ledger_url)
    clock = SetClock(late.available_at_ms or 0)
    await Bookings(database, clock=clock).top_up(KEY, 10_000, ANN)
    await clockwork(database, clock).tick()
    assert balances_of(ledger_url)[AVAILABLE] == 40_000
    await assert_sound(database)


async def test_a_clawback_waits_behind_what_it_takes_from(database: Database, ledger_url: str) -> None:
    big = claiming(1, 40_000)
    await deliver(database, big, decided(2, amount_minor=-15_000, takes_back=big.id))
    assert AVAILABLE not in balances_of(ledger_url)
    await Bookings(database, clock=SetClock()).top_up(KEY, 10_000, ANN)
    work = clockwork(database, SetClock())
    await work.tick()
    await work.tick()
    assert balances_of(ledger_url)[AVAILABLE] == 25_000
    # What is taken back frees no budget, as with limits.
    assert state_of(ledger_url) == (40_000, 0, 0)
    await assert_sound(database)


async def test_another_currency_waits_for_a_person_and_blocks_nobody(database: Database, ledger_url: str) -> None:
    euros = claiming(1, 5_000, unit="EUR")
    await deliver(database, euros, claiming(2, 5_000))
    assert state_of(ledger_url) == (5_000, 25_000, 0)
    assert [line["reason"] for line in waiting(ledger_url)] == [
        "budget yearly of 2026 is in USD, and the ledger has no rates"
    ]
    bookings = Bookings(database, clock=SetClock())
    (granted,) = await bookings.admit(euros.id, ANN)
    assert (granted.reason, granted.booked_by, granted.unit) == ("agreed with finance", "ann", "EUR")
    with pytest.raises(PermanentError, match="waits for no budget"):
        await bookings.admit(euros.id, ANN)
    await deliver(database, euros)
    await assert_sound(database)


async def test_what_is_voided_while_it_waits_lets_the_next_one_through(database: Database, ledger_url: str) -> None:
    huge, small = claiming(1, 90_000), claiming(2, 5_000)
    await deliver(database, huge, small)
    assert state_of(ledger_url) == (0, 30_000, 2)
    assert await Bookings(database, clock=SetClock()).void(huge.id, None, ANN) == []
    await clockwork(database, SetClock()).tick()
    await deliver(database, huge, small)
    assert state_of(ledger_url) == (5_000, 25_000, 0)
    await assert_sound(database)


async def test_a_hot_budget_bears_exactly_what_it_has_whoever_claims_it_at_once(
    database: Database, ledger_url: str
) -> None:
    decisions = [claiming(number, 1_000, partner=f"p{number % 7}", deny=True) for number in range(100)]
    batches = [decisions[at : at + 10] for at in range(0, 100, 10)]
    await asyncio.gather(*(deliver(database, *batch) for batch in [*batches, *batches[::-1]]))
    assert state_of(ledger_url) == (30_000, 0, 0)
    assert len(await notices(database)) == 70
    await assert_sound(database)
