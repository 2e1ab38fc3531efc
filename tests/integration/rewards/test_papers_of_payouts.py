"""Papers of payout runs: what was sent is invoiced once, what came back is credited once, each cent has its line."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
from typing import Any

import msgspec
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from contracts.errors import PermanentError
from goodword.cli import app
from runtime.database import Database
from services.rewards.papers.issuing import RunPapers, issue_run
from services.rewards.papers.render import pdf_of
from services.rewards.papers.shown import invoice_sheet
from services.rewards.papers.store import Papers
from services.rewards.payouts.payee import Payee, Tax
from services.rewards.payouts.payout import Run
from services.rewards.store import SETUP
from tests.support.ledger import assert_sound
from tests.support.papers import ISSUER
from tests.support.payouts import DAY_MS, Office, payee

TAX = Tax(
    legal_name="Ann Müller GmbH",
    address=("Hauptstraße 1", "10115 Berlin"),
    vat_id="DE811193231",
    scheme="standard",
    rate_ppm=190_000,
)


def taxed(name: str = "ann", **fields: Any) -> Payee:
    return payee(name, **({"tax": TAX} | fields))


@pytest.fixture
async def office(database: Database) -> Office:
    office = Office(database)
    await Papers(database, clock=office.clock).set_issuer(ISSUER)
    return office


async def sent(office: Office, **terms: Any) -> Run:
    run = await office.preparer.prepare(office.asked(**terms), who="ann")
    await office.desk.approve(run.id, who="bob")
    return await office.desk.send(run.id, who="bob")


async def issue(office: Office, run: Run, language: str | None = None) -> RunPapers:
    return await issue_run(office.database, run.id, clock=office.clock, language=language)


def lines(papers: RunPapers) -> list[tuple[str, str, int]]:
    return [(line.rule, line.month, line.gross_minor) for one in papers.issued for line in one.invoice.lines]


async def test_what_was_sent_is_invoiced_once_and_adds_up(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.earn("ann", 2_000)
    await office.earn("ann", -100)
    await office.know(taxed())
    run = await sent(office, fee_minor=150)
    papers = await issue(office, run)
    ((invoice, is_new),) = papers.issued
    assert (is_new, invoice.gross_minor, invoice.net_minor, invoice.tax_minor) == (True, 11_900, 10_000, 1_900)
    assert lines(papers) == [("commission", "2026-01", 11_900)]
    assert (invoice.supplier.name, invoice.supplier.country, invoice.payout) == (
        "Ann Müller GmbH",
        "DE",
        f"{run.reference}/partner/ann",
    )
    assert invoice.settlement is not None
    assert (invoice.settlement.fee_minor, invoice.settlement.paid_minor) == (150, 11_750)
    again = await issue(office, run, "pl")
    assert [(one.invoice, one.is_new) for one in again.issued] == [(invoice, False)]
    text = PdfReader(io.BytesIO(pdf_of(invoice_sheet(invoice), dated=invoice.issued_on))).pages[0].extract_text()
    assert "Ann Müller GmbH" in text
    await assert_sound(office.database)


async def test_only_what_the_bank_was_told_is_invoiced(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.know(taxed())
    run = await office.preparer.prepare(office.asked(), who="ann")
    assert (await issue(office, run)).issued == []
    await office.desk.approve(run.id, who="bob")
    assert (await issue(office, run)).issued == []
    await office.desk.send(run.id, who="bob")
    await office.desk.settle_run(run.id, who="bank", reference="7")
    assert len((await issue(office, run)).issued) == 1


async def test_what_came_back_after_its_invoice_is_credited_once(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.earn("bob", 5_000)
    await office.know(taxed(), taxed("bob"))
    run = await sent(office)
    first = await issue(office, run)
    by_partner = {one.invoice.supplier.id: one.invoice for one in first.issued}
    payout = by_partner["partner:ann"].reference.removeprefix("payout/")
    await office.desk.return_(payout, None, "account closed", who="bank")
    for is_new in (True, False):
        papers = await issue(office, run)
        (note,) = [one for one in papers.issued if one.invoice.kind == "credit-note"]
        assert note.is_new is is_new
        assert note.invoice.corrects is not None
        assert (note.invoice.corrects.number, note.invoice.corrects.reason, note.invoice.gross_minor) == (
            by_partner["partner:ann"].number,
            "account closed",
            10_000,
        )
    await assert_sound(office.database)


async def test_what_came_back_before_its_invoice_has_none_and_is_in_the_next_one(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.know(taxed())
    run = await sent(office)
    ((payout, *_),) = await office.database.fetch_all("SELECT id::text FROM rewards.payouts")
    await office.desk.return_(payout, None, "account closed", who="bank")
    assert (await issue(office, run)).issued == []
    office.clock.at_ms += DAY_MS
    await office.earn("ann", 500)
    again = await office.preparer.prepare(dataclasses.replace(office.asked(), period="2026-04-05"), who="ann")
    await office.desk.approve(again.id, who="bob")
    await office.desk.send(again.id, who="bob")
    assert lines(await issue(office, again)) == [("commission", "2026-01", 10_500)]


async def test_each_invoice_has_what_was_earned_since_the_payout_before(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.know(taxed())
    first = await sent(office)
    office.clock.at_ms += DAY_MS
    await office.earn("ann", 700)
    run = await office.preparer.prepare(dataclasses.replace(office.asked(), period="2026-04-05"), who="ann")
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    assert lines(await issue(office, run)) == [("commission", "2026-01", 700)]
    assert lines(await issue(office, first)) == [("commission", "2026-01", 10_000)]


async def test_a_part_that_was_asked_for_carries_the_rest_over(office: Office) -> None:
    await office.earn("ann", 10_000)
    await office.know(taxed())
    run, _ = await office.preparer.request("crm-sales", "EUR", "partner:ann", 4_000, who="ann")
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    assert lines(await issue(office, run)) == [("commission", "2026-01", 10_000), ("~carried", "", -6_000)]


async def test_who_cannot_be_invoiced_is_listed_and_keeps_nobody_else_from_it(office: Office) -> None:
    for name in ("ann", "bob", "cid"):
        await office.earn(name, 1_000)
    await office.know(payee("ann"), taxed("bob", tax=msgspec.structs.replace(TAX, vat_id=None)), taxed("cid"))
    run = await sent(office)
    papers = await issue(office, run)
    assert [one.invoice.number[-6:] for one in papers.issued] == ["000001"]
    said = {one.beneficiary: one.message for one in papers.left_out}
    assert "nobody wrote down its tax fields" in said["partner:ann"]
    assert "has a VAT number" in said["partner:bob"]
    await office.know(taxed("ann"))
    papers = await issue(office, run)
    assert ([one.invoice.number[-6:] for one in papers.issued if one.is_new], len(papers.left_out)) == (["000002"], 1)


async def test_what_was_converted_is_invoiced_in_the_currency_in_which_it_was_earned(office: Office) -> None:
    await office.earn("ann", 10_000, "USD")
    await office.rate("EUR/USD", "1.25")
    await office.know(taxed())
    run = await office.preparer.prepare(office.asked("USD"), who="ann")
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    ((invoice, _),) = (await issue(office, run)).issued
    assert (invoice.currency, invoice.gross_minor) == ("USD", 10_000)
    assert invoice.settlement is not None
    assert (invoice.settlement.currency, invoice.settlement.paid_minor) == ("EUR", 8_000)
    assert invoice.settlement.rate.startswith("EUR/USD 1.25")


async def test_what_is_wrong_is_said(office: Office, database: Database) -> None:
    await office.earn("ann", 10_000, programme="other")
    await office.know(taxed())
    run = await office.preparer.prepare(office.asked(programme="other"), who="ann")
    with pytest.raises(PermanentError, match="nobody issues papers for other"):
        await issue(office, run)
    with pytest.raises(PermanentError, match="there are no papers in 'xx'"):
        await issue(office, run, "xx")


def test_the_command_issues_a_run(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run an event loop of their own."""

    async def prepared() -> str:
        database = Database(ledger_url, application="rewards", setup=SETUP)
        await database.start()
        office = Office(database)
        await Papers(database, clock=office.clock).set_issuer(ISSUER)
        await office.earn("ann", 11_900)
        await office.earn("bob", 100)
        await office.know(taxed(), payee("bob"))
        run = await sent(office)
        await database.stop()
        return run.reference

    reference = asyncio.run(prepared())
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["invoices", "issue", "--payout-run", reference, *words])
        assert result.exit_code == 0, result.output
        return result.output

    shown = run("--lang", "pl")
    for part in ("119.00 EUR", "issued", "left out: partner:bob", "1 issued, 1 left out"):
        assert part in shown
    found = json.loads(run("--json").partition("\nleft out")[0])
    assert [one["is_new"] for one in found["issued"]] == [False]
    assert found["left_out"][0]["beneficiary"] == "partner:bob"
