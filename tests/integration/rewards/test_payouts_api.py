"""Payouts over HTTP: prepared by one, approved by another, sent, settled and returned; each request once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from runtime.database import Database
from tests.integration.rewards.over_http import Http, asking
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, deliver, found_balances

PAYEE = {"method": "manual", "currency": "USD", "name": "Ann Example", "country": "US"}


@pytest.fixture
async def http(ledger_url: str, database: Database) -> AsyncIterator[Http]:
    await deliver(database, *(decided(n, partner=f"p{n}") for n in range(5)))
    async with asking(ledger_url, database) as asked:
        yield asked


async def test_a_run_goes_from_prepared_to_settled_and_back_for_one(
    http: Http, database: Database, ledger_url: str
) -> None:
    for number in range(4):
        body = PAYEE | {"beneficiary": f"partner:p{number}", "account": f"99887766554{number}"}
        told = (await http("fay", "POST", "/v1/payees", json=body)).json()
        assert told["changed"]
        assert "99887766554" not in str(told)
    listed = (await http("vic", "GET", "/v1/payees", params={"limit": 2})).json()
    assert [each["beneficiary"] for each in listed["payees"]] == ["partner:p0", "partner:p1"]
    asked = {"programme": "crm-sales", "currency": "USD", "period": "first", "fee_minor": 5}
    run = (await http("fay", "POST", "/v1/payout-runs", key="run", json=asked)).json()
    assert (run["state"], run["payouts"]["prepared"], run["gross_minor"]) == ("prepared", 4, 40_000)
    assert (await http("fay", "POST", "/v1/payout-runs", key="run", json=asked)).json() == run
    path = f"/v1/payout-runs/{run['id']}"
    (left_out,) = (await http("vic", "GET", f"{path}/left-out")).json()["left_out"]
    assert (left_out["beneficiary"], left_out["code"]) == ("partner:p4", "payee-missing")
    early = await http("fay", "POST", f"{path}/send", json={})
    assert (early.status_code, early.json()["code"]) == (409, "run-in-other-state")
    assert (await http("fay", "GET", f"{path}/file", params={"format": "csv"})).status_code == 409
    approved = await http("abe", "POST", f"{path}/approve", json={"note": "seen"})
    assert (approved.json()["state"], approved.json()["approved_by"]) == ("approved", "abe")
    file = await http("abe", "GET", f"{path}/file", params={"format": "csv"})
    assert file.text.count("Ann Example") == 4
    assert (await http("fay", "POST", f"{path}/send", json={})).json()["state"] == "sent"
    paid = (await http("vic", "GET", f"{path}/payouts", params={"limit": 3})).json()
    rest = (await http("vic", "GET", f"{path}/payouts", params={"limit": 3, "cursor": paid["next"]})).json()
    ids = [each["id"] for each in paid["payouts"] + rest["payouts"]]
    assert (len(set(ids)), rest["next"]) == (4, None)
    back = await http("fay", "POST", f"/v1/payouts/{ids[0]}/return", json={"reason": "AC04"})
    assert back.json()["state"] == "returned"
    done = await http("fay", "POST", f"{path}/settle", json={"reference": "statement 7"})
    assert (done.json()["state"], done.json()["payouts"]["settled"]) == ("finished", 3)
    found = found_balances(ledger_url)
    assert sum(minor for (account, _), minor in found.items() if account.endswith(":paid")) == 3 * 9_995
    runs = (await http("vic", "GET", "/v1/payout-runs")).json()["runs"]
    assert [each["id"] for each in runs] == [run["id"]]
    await assert_sound(database)


async def test_all_faults_of_a_payee_are_told_at_once(http: Http) -> None:
    body = PAYEE | {"beneficiary": "partner:p0", "method": "sepa", "currency": "USD", "country": "usa"}
    refused = await http("fay", "POST", "/v1/payees", json=body)
    assert refused.status_code == 422
    assert len(refused.json()["problems"]) >= 3


async def test_a_partner_asks_to_be_paid_once_at_a_time(http: Http) -> None:
    await http("fay", "POST", "/v1/payees", json=PAYEE | {"beneficiary": "partner:p0"})
    asked = {"beneficiary": "partner:p0", "programme": "crm-sales", "currency": "USD", "minor": 100}
    made = await http("fay", "POST", "/v1/payout-requests", json=asked)
    assert (made.json()["payout"]["pay_minor"], made.json()["payout"]["state"]) == (100, "prepared")
    again = await http("fay", "POST", "/v1/payout-requests", json=asked)
    assert (again.status_code, again.json()["code"]) == (409, "payout-open")


async def test_a_plan_is_set_in_parts_and_it_is_kept_who_did_it(http: Http) -> None:
    plan = {"programme": "crm-sales", "currency": "EUR"}
    first = plan | {"minimum_minor": 5_000, "schedule": "monthly on 5", "zone": "Europe/Berlin"}
    first |= {"payer_name": "Acme", "payer_iban": "DE89 3704 0044 0532 0130 00"}
    made = (await http("fay", "POST", "/v1/payout-plans", json=first)).json()
    assert (made["changed"], made["plan"]["terms"]["minimum_minor"]) == (True, 5_000)
    assert "0532" not in str(made)
    second = await http("fay", "POST", "/v1/payout-plans", json=plan | {"fee_minor": 50, "method": "sepa"})
    assert second.json()["plan"] == made["plan"] | {
        "terms": made["plan"]["terms"] | {"fee_minor": 50, "method": "sepa"}
    }
    same = await http("fay", "POST", "/v1/payout-plans", json=plan | {"fee_minor": 50})
    assert same.json() == second.json() | {"changed": False}
    any_method = (await http("fay", "POST", "/v1/payout-plans", json=plan | {"method": "all"})).json()
    assert any_method["plan"]["terms"]["method"] is None
    bad = await http("fay", "POST", "/v1/payout-plans", json=plan | {"schedule": "yearly", "zone": "Mars"})
    assert [problem["where"] for problem in bad.json()["problems"]] == ["schedule", "zone"]
    (listed,) = (await http("vic", "GET", "/v1/payout-plans")).json()["plans"]
    assert listed == any_method["plan"]
    await http("fay", "POST", "/v1/payees", json=PAYEE | {"beneficiary": "partner:p0"})
    of = (await http("vic", "GET", "/v1/payees?of=partner:p0")).json()["payees"]
    assert [each["beneficiary"] for each in of] == ["partner:p0"]
    assert (await http("vic", "GET", "/v1/payees?of=partner:p1")).json()["payees"] == []
    about = {"about": "crm-sales/EUR", "limit": 2}
    page = (await http("vic", "GET", "/v1/payout-audit", params=about)).json()
    rest = (await http("vic", "GET", "/v1/payout-audit", params=about | {"cursor": page["next"]})).json()
    assert [each["who"] for each in page["deeds"] + rest["deeds"]] == ["fay"] * 3
    assert (rest["next"], rest["deeds"][0]["details"]["before"]) == (None, None)
    everything = (await http("vic", "GET", "/v1/payout-audit")).json()["deeds"]
    assert [each["about"] for each in everything] == ["partner:p0", *["crm-sales/EUR"] * 3]
