"""`goodword catalogue`, `redemptions`, `memberships` and `gifts`, as people type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from goodword.cli import app
from tests.integration.rewards.test_bookings_command import _deliver
from tests.support.catalogues import catalogue_text
from tests.support.decisions import decided

WHOM = ("--programme", "crm-sales", "--for", "partner:ann")


@pytest.fixture
def run(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    _deliver(ledger_url, decided(1))

    def run(*words: str, exit_code: int = 0, given: str | None = None) -> Any:
        result = CliRunner().invoke(app, words, input=given)
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    return run


def test_what_is_published_is_redeemed_and_codes_are_revealed_only(run: Any, tmp_path: Path) -> None:
    file, codes = tmp_path / "catalogue.yaml", tmp_path / "codes.txt"
    file.write_text(catalogue_text(gift={"price": "10 USD", "stock": "codes", "kind": "gift_card"}))
    codes.write_text("SECRET-1\n\nSECRET-2\n")
    assert "crm-sales: version 1 of 1 items published" in run("catalogue", "publish", str(file))
    assert "was published already" in run("catalogue", "publish", str(file))
    assert "2 codes loaded for gift" in run(
        "catalogue", "codes", "load", "gift", str(codes), "--programme", "crm-sales"
    )
    (item,) = run("catalogue", "list", "--json")
    assert (item["left"], item["price"]) == (2, {"minor": 1_000, "unit": "USD"})
    assert "10.00 USD" in run("catalogue", "list")
    assert run("catalogue", "show", "crm-sales") == file.read_text()
    assert "no-catalogue" in run("catalogue", "show", "crm-sales", "--version", "2", exit_code=1)
    made = [run("redemptions", "reserve", "gift", *WHOM, "--key", "a", "--json") for _ in range(2)]
    assert made[0] == made[1]
    assert "fulfilled: 1 × gift for partner:ann, 10.00 USD" in run("redemptions", "fulfil", made[0]["id"])
    assert "SECRET" not in run("redemptions", "show", made[0]["id"]) + run("redemptions", "list")
    assert run("redemptions", "reveal", made[0]["id"], "--as", "bea") == "SECRET-1\n"
    shown = run("redemptions", "show", made[0]["id"])
    assert ("…-1" in shown, "to bea at 20" in shown, "SECRET" in shown) == (True, True, False)
    other = run("redemptions", "reserve", "gift", *WHOM, "--json")
    assert "cancelled" in run("redemptions", "cancel", other["id"], "--reason", "changed their mind")
    (listed,) = run("redemptions", "list", "--state", "cancelled", "--json")
    assert listed["reason"] == "changed their mind"
    assert "reserved" in run("ledger", "explain", other["id"])
    given = run("redemptions", "reserve", "gift", *WHOM, "--json")
    run("redemptions", "fulfil", given["id"], "--codes", "-", given="OTHER-SECRET\n\n")
    assert run("redemptions", "reveal", given["id"], "--json")["codes"] == ["OTHER-SECRET"]
    assert run("redemptions", "show", given["id"], "--json")["codes"] == ["…CRET"]
    file.write_text(file.read_text().replace("10 USD", "x").replace("gift_card", "y"))
    shown = run("catalogue", "publish", str(file), exit_code=1)
    assert (shown.count("catalogue-malformed"), f"{file}:8:12" in shown.replace("\n", "")) == (2, True)


def test_a_membership_is_bought_and_given_back(run: Any) -> None:
    terms = ("--price", "31 USD", "--per", "month", "--back-to", "bronze")
    made = run("memberships", "buy", "plus", *WHOM, *terms, "--json")
    assert (made["price_minor"], made["unit"], made["state"]) == (3_100, "USD", "active")
    assert "31.00 USD" in run("memberships", "list")
    ended = run("memberships", "cancel", made["id"], "--reason", "moved", "--json")
    # All but the day that has begun, of a month of 28 to 31 days.
    assert 29_89 <= ended["refunded_minor"] <= 30_00
    assert "refunded" in run("memberships", "show", made["id"])
    assert "no-price" in run("memberships", "buy", "plus", *WHOM, exit_code=1)


def test_a_gift_is_proposed_and_decided(run: Any) -> None:
    run("ledger", "top-up", "crm-sales", "goodwill", "--amount", "50 USD", "--reason", "for now")
    words = ("--to", "partner:ann", "--programme", "crm-sales", "--budget", "goodwill", "--reason", "a hard month")
    made = run("gifts", "propose", *words, "--amount", "20 USD", "--as", "ann", "--json")
    assert "same-person" in run("gifts", "approve", made["id"], "--as", "Ann", exit_code=1)
    assert "granted: 20.00 USD to partner:ann: a hard month" in run("gifts", "approve", made["id"], "--as", "bob")
    other = run("gifts", "propose", *words, "--amount", "50 USD", "--as", "ann", "--json")
    assert "budget-spent" in run("gifts", "approve", other["id"], "--as", "bob", exit_code=1)
    assert "rejected" in run("gifts", "reject", other["id"], "--reason", "not now")
    assert [row["state"] for row in run("gifts", "list", "--json")] == ["rejected", "granted"]
    assert "a hard month" in run("gifts", "list", "--state", "granted") + run("gifts", "show", made["id"])
