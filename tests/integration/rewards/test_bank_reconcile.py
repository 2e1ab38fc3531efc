"""What the bank says is held against what it was told; what agrees is booked on request, and nothing else ever."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from goodword.cli import app
from runtime.database import Database
from services.rewards.payouts import store
from services.rewards.payouts.bank.entry import Answer, Entry
from services.rewards.payouts.bank.run import BankReport, agrees, reconcile_bank
from services.rewards.payouts.payout import Payout
from services.rewards.store import SETUP
from tests.support.ledger import assert_sound, found_balances
from tests.support.payouts import Office, payee
from tests.unit.rewards.test_bank_answers import PLAIN, booked, camt

PARTNERS = ("ann", "bob", "cleo", "dan", "eve", "fay")
NOBODY = "019b7a0c-1c00-8123-9abc-0123456789ab"


async def sent(office: Office) -> dict[str, Payout]:
    """A run at the bank: partner to payout."""
    for partner in PARTNERS:
        await office.earn(partner, 1_250)
    await office.know(*(payee(partner) for partner in PARTNERS))
    run = await office.preparer.prepare(office.asked(), who="finance")
    await office.desk.approve(run.id, who="other")
    await office.desk.send(run.id, who="other")
    return await payouts_of(office, run.id)


async def payouts_of(office: Office, run: str) -> dict[str, Payout]:
    async with office.database.connection() as connection:
        return {one.beneficiary.partition(":")[2]: one for one in await store.payouts_of(connection, run)}


def entry(payout: str | None, answer: Answer = "paid", amount_minor: int | None = 1_250, **fields: Any) -> Entry:
    known = {"currency": "EUR", "day": "2026-03-20", "reference": "B1", "reason": "", "where": "entry 1"} | fields
    return Entry(payout=payout, answer=answer, amount_minor=amount_minor, **known)


async def held_against(office: Office, *entries: Entry, book: bool = False) -> BankReport:
    return await reconcile_bank(office.database, office.desk, entries, run=None, book=book, who="finance")


async def test_each_payout_is_settled_returned_missing_unknown_or_of_another_amount(
    database: Database, ledger_url: str
) -> None:
    office = Office(database)
    payouts = await sent(office)
    run = payouts["ann"].run
    entries = [
        entry(payouts["ann"].id),
        entry(payouts["bob"].id, "returned", reason="AC04 closed"),
        entry(payouts["cleo"].id, amount_minor=1_251),
        entry(payouts["dan"].id),
        entry(payouts["dan"].id),
        entry(payouts["eve"].id, "pending", None),
        entry(NOBODY),
        entry(None),
    ]
    report = await held_against(office, *entries)
    told = [(found.verdict, found.beneficiary) for found in report["matches"]]
    assert told == [
        ("settled", "partner:ann"),
        ("returned", "partner:bob"),
        ("other_amount", "partner:cleo"),
        ("settled", "partner:dan"),
        ("repeated", "partner:dan"),
        ("pending", "partner:eve"),
        ("unknown", ""),
        ("missing", "partner:fay"),
    ]
    assert (report["entries"], report["others"], report["booked"], agrees(report)) == (7, 1, 0, False)
    assert {state.state for state in (await payouts_of(office, run)).values()} == {"sent"}
    report = await held_against(office, *entries, book=True)
    assert report["booked"] == 3
    states = {name: one.state for name, one in (await payouts_of(office, run)).items()}
    assert states == {
        "ann": "settled",
        "bob": "returned",
        "cleo": "sent",
        "dan": "settled",
        "eve": "sent",
        "fay": "sent",
    }
    assert found_balances(ledger_url)["partner:bob:available", "EUR"] == 1_250
    again = await held_against(office, *entries, book=True)
    assert again["booked"] == 0
    assert [found.verdict for found in again["matches"]][:2] == ["agreed", "agreed"]
    await assert_sound(database)


async def test_a_return_after_its_payment_in_one_file_books_the_return_only(database: Database) -> None:
    office = Office(database)
    payouts = await sent(office)
    both = [entry(payouts["ann"].id), entry(payouts["ann"].id, "returned", reason="AC04")]
    report = await held_against(office, *both, book=True)
    assert [found.verdict for found in report["matches"]][:2] == ["agreed", "returned"]
    assert (await payouts_of(office, payouts["ann"].run))["ann"].state == "returned"
    report = await held_against(office, *both, book=True)
    assert [found.verdict for found in report["matches"]][:2] == ["agreed", "agreed"]
    # What came back is not paid by a later file.
    (found, *_) = (await held_against(office, entry(payouts["ann"].id), book=True))["matches"]
    assert (found.verdict, found.why) == ("unexpected", "the bank paid what is returned")


async def test_what_was_sent_after_the_statement_is_not_missing(database: Database) -> None:
    office = Office(database)
    payouts = await sent(office)
    report = await held_against(office, entry(payouts["ann"].id, day="2026-01-01"))
    assert [found.verdict for found in report["matches"]] == ["settled"]


# Commands run an event loop of their own.
def test_the_command_reads_a_statement_and_books_it(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare() -> dict[str, Payout]:
        database = Database(ledger_url, application="rewards", setup=SETUP)
        await database.start()
        payouts = await sent(Office(database))
        await database.stop()
        return payouts

    payouts = asyncio.run(prepare())
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    file = tmp_path / "statement.xml"
    ids = [payouts[partner].id.replace("-", "") for partner in PARTNERS]
    file.write_text(camt(*(booked(id) for id in ids[1:]), booked(PLAIN)))
    words = ["payouts", "reconcile", str(file)]
    told = CliRunner().invoke(app, words)
    assert (told.exit_code, "missing" in told.output, "unknown" in told.output) == (1, True, True), told.output
    file.write_text(camt(*(booked(id) for id in ids)))
    told = CliRunner().invoke(app, [*words, "--book", "--as", "finance", "--run", "crm-sales/EUR/2026-03-05", "--json"])
    assert told.exit_code == 0, told.output
    report = json.loads(told.stdout)
    assert (report["booked"], report["sums"]) == (
        6,
        [{"verdict": "settled", "currency": "EUR", "payouts": 6, "minor": 7_500}],
    )
    assert "nothing was booked" not in CliRunner().invoke(app, words).output
    told = CliRunner().invoke(app, ["payouts", "reconcile", str(tmp_path / "x.csv")])
    assert (told.exit_code, "mapping-missing" in told.output) == (1, True)
