"""`goodword payouts`: from saying how to pay to the bank's file and answers, as finance does it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from goodword.cli import app
from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.payouts.policy import tell_policy_to
from tests.support.decisions import decided
from tests.support.ledger import deliver
from tests.support.payouts import IBAN

PAYEE = ("--method", "sepa", "--currency", "EUR", "--name", "Ann GmbH", "--country", "DE")
P = ("--programme", "crm-sales", "--currency", "EUR")


@pytest.fixture
def run(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    def run(*words: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["payouts", *words])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    return run


def earn(url: str, **minors: int) -> None:
    async def go() -> None:
        database = Database(url, application="test")
        await database.start()
        made = [
            decided(number, partner=partner, amount_minor=minor, unit="EUR")
            for number, (partner, minor) in enumerate(minors.items())
        ]
        await deliver(database, *made)
        await database.stop()

    asyncio.run(go())


# Commands run an event loop of their own.
def test_partners_are_paid_from_the_command_line(ledger_url: str, run: Any, tmp_path: Path) -> None:
    earn(ledger_url, ann=12_050, bob=9_000)
    asyncio.run(tell_policy_to(ledger_url, require_approval=True, clock=SystemClock()))
    terms: tuple[str, ...] = (
        "--minimum",
        "50 EUR",
        "--fee",
        "0.50",
        "--schedule",
        "monthly on 5",
        "--payer-name",
        "Goodword GmbH",
    )
    terms = (*terms, "--payer-iban", "FR14 2004 1010 0505 0001 3M02 606")
    assert "like this from now on" in run(
        "plan", "set", *P, *terms, "--payer-iban", "FR14 2004 1010 0505 0001 3M02 606"
    )
    (plan,) = run("plan", "list", "--json")
    assert (plan["terms"]["minimum_minor"], plan["terms"]["payer"]["iban"]) == (5_000, "FR14…2606")
    assert run("payee", "set", "partner:ann", *PAYEE, "--iban", IBAN, "--json")["changed"] is True
    assert run("payee", "set", "partner:ann", *PAYEE, "--iban", IBAN, "--json")["changed"] is False
    assert IBAN not in run("payee", "show", "partner:ann") + run("payee", "list")
    prepared = run("prepare", *P, "--day", "2026-03-05", "--as", "ann", "--json")
    assert [(p["beneficiary"], p["pay_minor"]) for p in prepared["payouts"]] == [("partner:ann", 12_000)]
    assert [(one["beneficiary"], one["code"]) for one in prepared["left_out"]] == [("partner:bob", "payee-missing")]
    name = prepared["reference"]
    assert name == "crm-sales/EUR/2026-03-05"
    assert run("prepare", *P, "--day", "2026-03-05", "--as", "cid", "--json") == prepared
    assert "run-has-other-terms" in run("prepare", *P, "--day", "2026-03-05", "--minimum", "1 EUR", exit_code=1)
    xml = tmp_path / "run.xml"
    assert "run-not-approved" in run("file", name, "--out", str(xml), exit_code=1)
    assert "second-person-missing" in run("approve", name, "--as", "ann", exit_code=1)
    assert "is approved" in run("approve", name, "--as", "bob")
    assert "is at the bank" in run("send", name, "--out", str(xml))
    assert IBAN in xml.read_text()
    written = xml.read_bytes()
    run("file", name, "--out", str(xml))
    assert xml.read_bytes() == written
    run("file", name, "--format", "csv", "--out", str(tmp_path / "run.csv"))
    assert "120.00" in (tmp_path / "run.csv").read_text()
    payout = prepared["payouts"][0]["id"]
    settled = run("settle", "--payout", payout, "--reference", "statement 7", "--at", "2026-03-06T12:00:00Z", "--json")
    assert (settled["state"], settled["settled_at"]) == ("settled", "2026-03-06T12:00:00.000Z")
    returned = run("return", payout.replace("-", ""), "--reason", "AC04", "--json")
    assert (returned["state"], returned["reason"]) == ("returned", "AC04")
    assert [one["action"] for one in run("show", name, "--json")["history"]] == [
        *("prepare", "approve", "send", "settle", "return")
    ]
    assert "finished" in run("list")


def test_a_partner_asks_and_somebody_says_no(ledger_url: str, run: Any) -> None:
    earn(ledger_url, ann=12_050)
    run("payee", "set", "partner:ann", *PAYEE, "--iban", IBAN)
    asked = run("request", "ann", "--programme", "crm-sales", "--amount", "20 EUR", "--json")
    assert asked["payout"]["pay_minor"] == 2_000
    assert "payout-open" in run("request", "ann", "--programme", "crm-sales", "--currency", "EUR", exit_code=1)
    assert "is cancelled" in run("reject", asked["run"]["id"], "--reason", "not now")
    assert "run-in-other-state" in run("approve", asked["run"]["id"], exit_code=1)


WRONG = [
    (("payee", "set", "partner:ann", *PAYEE, "--iban", "DE00"), 1, "bad-payee"),
    (("payee", "show", "partner:eve"), 1, "payee-missing"),
    (("plan", "set", *P, "--schedule", "often"), 1, "no schedule"),
    (("plan", "set", *P, "--minimum", "5 USD"), 1, "other-currency"),
    (("prepare", *P, "--day", "5 March"), 1, "bad-run"),
    (("prepare", "--programme", "p", "--currency", "POINTS"), 1, "bad-run"),
    (("approve", "nobody"), 1, "no-such-run"),
    (("return", "nobody", "--reason", "x"), 1, "no-such-payout"),
    (("settle",), 2, "name a RUN"),
    (("settle", "r", "--at", "yesterday", "--reference", "x"), 2, "no moment"),
    (("file", "r", "--out", "x", "--format", "pdf"), 1, "bad-format"),
    (("request", "ann", "--programme", "p"), 1, "currency-missing"),
    (("request", "ann", "--programme", "p", "--currency", "EUR"), 1, "payout-nothing-owed"),
]


@pytest.mark.parametrize(("words", "exit_code", "told"), WRONG)
def test_what_is_wrong_is_said(run: Any, words: tuple[str, ...], exit_code: int, told: str) -> None:
    assert told in run(*words, exit_code=exit_code)
