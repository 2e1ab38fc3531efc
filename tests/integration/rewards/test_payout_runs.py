"""Payout runs from what is available to what the bank says: amounts, states, transfers, and who may do what."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import PermanentError
from runtime.database import Database
from services.rewards.payouts import store
from services.rewards.payouts.payout import Run
from services.rewards.payouts.policy import tell_policy
from services.rewards.store import SETUP
from tests.support.ledger import assert_sound, found_balances
from tests.support.payouts import DAY, Office, payee


@pytest.fixture
async def office(database: Database) -> Office:
    return Office(database)


async def outcome(office: Office, run: Run) -> tuple[dict[str, tuple[int, str]], dict[str, str]]:
    """Beneficiary to amount and state, and to why it was left out."""
    async with office.database.connection() as connection:
        paid: dict[str, tuple[int, str]] = {
            p.beneficiary: (p.pay_minor, p.state) for p in await store.payouts_of(connection, run.id)
        }
        return paid, {one.beneficiary: one.code for one in await store.left_out_of(connection, run.id)}


def balances_of(url: str, partner: str, unit: str = "EUR") -> dict[str, int]:
    mine = f"partner:{partner}:"
    found = found_balances(url)
    return {
        a.removeprefix(mine): minor for (a, u), minor in found.items() if a.startswith(mine) and u == unit and minor
    }


async def test_a_run_pays_who_can_be_paid_and_says_why_others_are_not(office: Office, ledger_url: str) -> None:
    for partner, minor in (("ann", 10_000), ("bob", 4_999), ("cid", 7_000), ("dan", 5_000), ("eve", 9_000)):
        await office.earn(partner, minor)
    await office.earn("dan", -6_000)
    await office.earn("fay", 10_000, programme="other")
    await office.know(payee("ann"), payee("bob"), payee("dan"), payee("eve", method="manual"), payee("fay"))
    run = await office.preparer.prepare(office.asked(minimum_minor=5_000, method="sepa"), who="ann")
    paid, left_out = await outcome(office, run)
    assert paid == {"partner:ann": (10_000, "prepared")}
    assert left_out == {
        "partner:bob": "below-minimum",
        "partner:cid": "payee-missing",
        "partner:eve": "other-method",
    }
    assert balances_of(ledger_url, "ann") == {"payout:prepared": 10_000}
    await assert_sound(office.database)


async def test_every_state_is_a_transfer_until_the_bank_has_paid(office: Office, ledger_url: str) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    run = await office.preparer.prepare(office.asked(fee_minor=150), who="ann")
    assert balances_of(ledger_url, "ann") == {"payout:prepared": 10_000}
    await office.desk.approve(run.id, who="bob")
    assert balances_of(ledger_url, "ann") == {"payout:approved": 10_000}
    await office.desk.send(run.reference, who="bob")
    assert balances_of(ledger_url, "ann") == {"payout:sent": 10_000}
    settled = await office.desk.settle_run(run.id, who="bank", reference="statement 7")
    assert settled.state == "finished"
    assert balances_of(ledger_url, "ann") == {"paid": 9_850}
    assert found_balances(ledger_url)["programme:crm-sales:payout-fees", "EUR"] == 150
    await assert_sound(office.database)


async def test_a_fee_that_the_programme_bears_is_its_cost(office: Office, ledger_url: str) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    run = await office.preparer.prepare(office.asked(fee_minor=150, fee_borne_by="programme"), who="ann")
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    await office.desk.settle_run(run.id, who="bank", reference="statement 7")
    assert balances_of(ledger_url, "ann") == {"paid": 10_000}
    found = found_balances(ledger_url)
    assert found["programme:crm-sales:cost", "EUR"] == -10_150
    assert found["programme:crm-sales:payout-fees", "EUR"] == 150
    await assert_sound(office.database)


@pytest.mark.parametrize(("after", "left"), [("sent", 10_000), ("settled", 9_850)])
async def test_what_the_bank_returns_is_available_again_and_paid_by_the_next_run(
    office: Office, ledger_url: str, after: str, left: int
) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    run = await office.preparer.prepare(office.asked(fee_minor=150), who="ann")
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    async with office.database.connection() as connection:
        (payout,) = await store.payouts_of(connection, run.id)
    if after == "settled":
        await office.desk.settle(payout.id, office.clock.at_ms, "statement 7", who="bank")
    for _ in range(2):
        returned = await office.desk.return_(payout.id.replace("-", ""), office.clock.at_ms, "AC04", who="bank")
        assert (returned.state, returned.reason) == ("returned", "AC04")
    assert balances_of(ledger_url, "ann") == {"available": left}
    asked = office.asked(fee_minor=150)
    again = await office.preparer.prepare(type(asked)(programme="crm-sales", unit="EUR", period="again"), who="ann")
    paid, _ = await outcome(office, again)
    assert paid == {"partner:ann": (left, "prepared")}
    await assert_sound(office.database)


@pytest.mark.parametrize("step", ["prepared", "approved"])
async def test_a_run_is_cancelled_until_it_is_sent(office: Office, ledger_url: str, step: str) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    run = await office.preparer.prepare(office.asked(fee_minor=150), who="ann")
    if step == "approved":
        await office.desk.approve(run.id, who="bob")
    cancelled = await office.desk.cancel(run.id, who="bob", note="wrong day")
    assert cancelled.state == "cancelled"
    assert balances_of(ledger_url, "ann") == {"available": 10_000}
    with pytest.raises(PermanentError, match="run-in-other-state"):
        await office.desk.send(run.id, who="bob")
    await assert_sound(office.database)


async def test_what_was_sent_is_not_cancelled(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    run = await office.preparer.prepare(office.asked(), who="ann")
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    with pytest.raises(PermanentError, match="run-in-other-state"):
        await office.desk.cancel(run.id, who="bob", note="too late")
    async with office.database.connection() as connection:
        (payout,) = await store.payouts_of(connection, run.id)
    with pytest.raises(PermanentError, match="payout-in-other-state"):
        await office.desk.cancel_one(payout.id, who="bob", reason="too late")


async def test_a_second_person_approves_where_that_is_asked_for(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    await tell_policy(office.database, require_approval=True, clock=office.clock)
    run = await office.preparer.prepare(office.asked(), who="ann")
    for same in ("ann", " Ann "):
        with pytest.raises(PermanentError, match="second-person-missing"):
            await office.desk.approve(run.id, who=same)
    with pytest.raises(PermanentError, match="run-in-other-state"):
        await office.desk.send(run.id, who="bob")
    approved = await office.desk.approve(run.id, who="bob")
    assert (approved.state, approved.approved_by) == ("approved", "bob")


async def test_preparing_again_changes_nothing_and_other_terms_are_refused(office: Office, ledger_url: str) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    first = await office.preparer.prepare(office.asked(), who="ann")
    await office.earn("ann", 3_000)
    office.clock.at_ms += 1_000
    again = await office.preparer.prepare(office.asked(), who="bob")
    assert again == first
    assert balances_of(ledger_url, "ann") == {"payout:prepared": 10_000, "available": 3_000}
    with pytest.raises(PermanentError, match="run-has-other-terms"):
        await office.preparer.prepare(office.asked(minimum_minor=1), who="ann")


async def test_a_programme_pays_its_own_share_and_never_more_than_the_balance(office: Office) -> None:
    """Two programmes, one balance: together they pay all of it; the debt of the one is made up for by the other."""
    await office.know(payee("ann"), payee("bob"))
    await office.earn("ann", 10_000, programme="one")
    await office.earn("ann", 5_000, programme="two")
    await office.earn("bob", 10_000, programme="one")
    await office.earn("bob", -4_000, programme="two")
    one, _ = await outcome(office, await office.preparer.prepare(office.asked(programme="one"), who="ann"))
    two, _ = await outcome(office, await office.preparer.prepare(office.asked(programme="two"), who="ann"))
    assert one == {"partner:ann": (10_000, "prepared"), "partner:bob": (6_000, "prepared")}
    assert two == {"partner:ann": (5_000, "prepared")}
    await assert_sound(office.database)


async def test_runs_at_the_same_time_never_pay_twice(office: Office, ledger_url: str) -> None:
    """Four processes prepare the same run and those of two programmes over the same partners, while others earn."""
    names = [f"p{number}" for number in range(12)]
    for name in names:
        await office.know(payee(name))
        await office.earn(name, 10_000, programme="one")
        await office.earn(name, -3_000, programme="two")
        await office.earn(name, 2_000, programme="two")
    databases = [Database(ledger_url, application=f"office-{n}", setup=SETUP) for n in range(4)]
    for each in databases:
        await each.start()
    offices = [Office(each, office.clock) for each in databases]
    runs = await asyncio.gather(
        *(each.preparer.prepare(each.asked(programme=p), who="ann") for each in offices for p in ("one", "two")),
        *(office.earn(name, 100, programme="three") for name in names),
    )
    assert len({run.id for run in runs[:8] if run}) == 2
    await asyncio.gather(*(each.desk.approve("one/EUR/2026-03-05", who="bob") for each in offices))
    for each in databases:
        await each.stop()
    for name in names:
        on_its_way = balances_of(ledger_url, name)
        assert sum(on_its_way.values()) == 9_100
        assert on_its_way.get("payout:approved", 0) in (9_000, 9_100)
        assert on_its_way.get("available", 0) >= 0
    await assert_sound(office.database)


async def test_a_partner_asks_for_a_payout_and_for_one_at_a_time(office: Office, ledger_url: str) -> None:
    await office.earn("ann", 10_000)
    await office.know(payee())
    run, payout = await office.preparer.request("crm-sales", "EUR", "partner:ann", 4_000, who="ann")
    assert (run.is_requested, payout.pay_minor, payout.state) == (True, 4_000, "prepared")
    office.clock.at_ms += 1
    with pytest.raises(PermanentError, match="payout-open"):
        await office.preparer.request("crm-sales", "EUR", "partner:ann", None, who="ann")
    await office.desk.cancel(run.id, who="bob", note="not now")
    with pytest.raises(PermanentError, match="payout-not-available"):
        await office.preparer.request("crm-sales", "EUR", "partner:ann", 10_001, who="ann")
    _, rest = await office.preparer.request("crm-sales", "EUR", "partner:ann", None, who="ann")
    assert rest.pay_minor == 10_000
    assert balances_of(ledger_url, "ann") == {"payout:prepared": 10_000}
    await assert_sound(office.database)


async def test_a_payout_in_another_currency_takes_the_newest_rate_of_its_day(office: Office, ledger_url: str) -> None:
    await office.know(payee("ann"), payee("bob"), payee("cid", method="swift", currency="JPY", bic="BOTKJPJT"))
    for name in ("ann", "bob", "cid"):
        await office.earn(name, 10_001, "USD")
    await office.rate("EUR/USD", "1.0842")
    await office.rate("EUR/USD", "1.5", day="2026-03-06")
    run = await office.preparer.prepare(office.asked("USD"), who="ann")
    paid, left_out = await outcome(office, run)
    assert paid == {"partner:ann": (9_224, "prepared"), "partner:bob": (9_224, "prepared")}
    assert left_out == {"partner:cid": "rate-missing"}
    found = found_balances(ledger_url)
    # 200.02 USD at 1/1.0842 is 184.48 EUR: what both payouts come to, so nothing was rounded.
    assert found["programme:crm-sales:conversion", "USD"] == 20_002
    assert (
        found["programme:crm-sales:conversion", "EUR"] + found.get(("programme:crm-sales:rounding", "EUR"), 0)
        == -18_448
    )
    await assert_sound(office.database)
    async with office.database.connection() as connection:
        payout = (await store.payouts_of(connection, run.id))[0]
    assert payout.rate is not None
    assert (payout.rate.text, payout.rate.source) == ("EUR/USD 1.0842 of 2026-03-01", "goodword/rules")
    await office.desk.cancel(run.id, who="bob", note="not today")
    assert balances_of(ledger_url, "ann", "USD") == {"available": 10_001}
    assert {k: v for k, v in found_balances(ledger_url).items() if v and "programme" in k[0]} == {
        ("programme:crm-sales:cost", "USD"): -30_003
    }
    await assert_sound(office.database)
    assert run.day == DAY
