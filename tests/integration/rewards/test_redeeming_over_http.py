"""Redemptions, memberships and gifts over HTTP: once per key, by the right people; codes stand in one place only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from runtime.database import Database
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.catalogue.publishing import Catalogues
from services.rewards.legs import ByHand
from tests.integration.rewards.over_http import Http, asking
from tests.support.catalogues import catalogue_text, publish
from tests.support.decisions import decided
from tests.support.ledger import SetClock, assert_sound, deliver, found_balances

ANN = "partner:ann"


@pytest.fixture
async def http(ledger_url: str, database: Database) -> AsyncIterator[Http]:
    await deliver(database, decided(1))
    async with asking(ledger_url, database, clock=SetClock()) as asked:
        yield asked


async def test_a_code_is_bought_once_and_stands_in_one_place(http: Http, database: Database, ledger_url: str) -> None:
    await publish(database, gift={"kind": "gift_card", "stock": "codes", "price": "10 USD"})
    await Catalogues(database, clock=SetClock()).load_codes("crm-sales", "gift", ["SECRET-1", "SECRET-2"], by="ann")
    (item,) = (await http("vic", "GET", "/v1/catalogue?programme=crm-sales")).json()["items"]
    assert (item["item"], item["price_minor"], item["left"]) == ("gift", 1_000, 2)
    wish = {"programme": "crm-sales", "item": "gift", "beneficiary": ANN, "quantity": 1}
    answers = [await http("fay", "POST", "/v1/redemptions", json=wish, key="same") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    id = answers[0].json()["redemption"]["id"]
    assert (await http("fay", "POST", f"/v1/redemptions/{id}/fulfil", json={})).json()["redemption"][
        "closed_by"
    ] == "fay"
    revealed = await http("fay", "GET", f"/v1/redemption-codes/{id}")
    assert (revealed.json(), revealed.headers["cache-control"]) == ({"codes": ["SECRET-1"]}, "no-store")
    shown = (await http("vic", "GET", f"/v1/redemptions/{id}")).json()["redemption"]
    assert (shown["state"], shown["codes"], "SECRET" in str(shown)) == ("fulfilled", ["…-1"], False)
    assert [each["by"] for each in shown["revealed"]] == ["fay"]
    late = await http("fay", "POST", f"/v1/redemptions/{id}/cancel", json={"reason": "late"})
    assert (late.status_code, late.json()["code"]) == (422, "redemption-over")
    assert (await http("vic", "GET", "/v1/redemptions/x")).status_code == 404
    found = await database.fetch_all("SELECT count(*) FROM rewards.redemption_codes WHERE redemption_id IS NOT NULL")
    assert found == [(1,)]
    dear = await http("fay", "POST", "/v1/redemptions", json=wish | {"quantity": 2})
    assert (dear.status_code, dear.json()["code"]) == (409, "out-of-stock")
    more = [(await http("fay", "POST", "/v1/redemptions", json=wish)).status_code for _ in range(2)]
    assert more == [200, 409]
    page = (await http("vic", "GET", f"/v1/redemptions?of={ANN}&limit=1")).json()
    rest = (await http("vic", "GET", f"/v1/redemptions?of={ANN}&limit=1&cursor={page['next']}")).json()
    # Both of one millisecond, so in any order.
    assert {one["state"] for one in page["redemptions"] + rest["redemptions"]} == {"reserved", "fulfilled"}
    assert rest["next"] is None
    assert (await http("vic", "GET", "/v1/redemptions?cursor=x")).json()["code"] == "bad-cursor"
    await assert_sound(database)


async def test_a_membership_is_sold_and_given_back(http: Http, database: Database, ledger_url: str) -> None:
    wish: dict[str, object] = {
        "programme": "crm-sales",
        "beneficiary": ANN,
        "tier": "plus",
        "back_to": "bronze",
        "per": "month",
    }
    wish |= {"price": {"minor": 3_100, "unit": "USD"}}
    made = (await http("fay", "POST", "/v1/memberships", json=wish)).json()["membership"]
    assert (made["state"], made["bought_by"], made["until"][:10]) == ("active", "fay", "2026-02-01")
    again = await http("fay", "POST", "/v1/memberships", json=wish)
    assert (again.status_code, again.json()["code"]) == (409, "membership-active")
    ended = await http("fay", "POST", f"/v1/memberships/{made['id']}/cancel", json={"reason": "moved"})
    assert ended.json()["membership"]["refunded_minor"] == 3_000
    (listed,) = (await http("vic", "GET", "/v1/memberships?state=refunded")).json()["memberships"]
    assert listed == (await http("vic", "GET", f"/v1/memberships/{made['id']}")).json()["membership"]
    assert found_balances(ledger_url)[f"{ANN}:available", "USD"] == 9_900
    await assert_sound(database)


async def test_a_gift_takes_two_people(http: Http, database: Database, ledger_url: str) -> None:
    await Bookings(database, clock=SetClock()).top_up(
        BudgetKey("crm-sales", "goodwill", "", "USD"), 5_000, ByHand("for now", "ann")
    )
    wish: dict[str, object] = {"programme": "crm-sales", "beneficiary": ANN, "budget": "goodwill"}
    wish |= {"reason": "a hard month"}
    wish |= {"amount": {"minor": 5_000, "unit": "USD"}}
    made = [(await http("fay", "POST", "/v1/gifts", json=wish)).json()["gift"] for _ in range(2)]
    own = (await http("operator", "POST", "/v1/gifts", json=wish)).json()["gift"]
    same = await http("operator", "POST", f"/v1/gifts/{own['id']}/approve", json={})
    assert (same.status_code, same.json()["code"]) == (403, "same-person")
    first = await http("abe", "POST", f"/v1/gifts/{made[0]['id']}/approve", json={"note": "well deserved"})
    assert (first.json()["gift"]["state"], first.json()["gift"]["decided_by"]) == ("granted", "abe")
    spent = await http("abe", "POST", f"/v1/gifts/{made[1]['id']}/approve", json={})
    assert (spent.status_code, spent.json()["code"]) == (409, "budget-spent")
    gone = await http("fay", "POST", f"/v1/gifts/{made[1]['id']}/reject", json={"reason": "not now"})
    assert gone.json()["gift"]["state"] == "rejected"
    assert len((await http("vic", "GET", "/v1/gifts?state=proposed")).json()["gifts"]) == 1
    assert found_balances(ledger_url)[f"{ANN}:available", "USD"] == 15_000
    await assert_sound(database)


async def test_a_catalogue_is_published_with_its_codes_or_told_all_its_faults(http: Http) -> None:
    text = catalogue_text(gift={"kind": "gift_card", "stock": "codes", "price": "10 USD"})
    first = await http("fay", "POST", "/v1/catalogue", json={"text": text})
    assert first.json() == {"programme": "crm-sales", "version": 1, "is_new": True, "items": 1, "withdrawn": []}
    assert (await http("fay", "POST", "/v1/catalogue", json={"text": text})).json()["is_new"] is False
    more = {"programme": "crm-sales", "item": "gift", "codes": ["SECRET-1", "SECRET-2"]}
    assert (await http("fay", "POST", "/v1/catalogue/codes", json=more)).json() == {
        "item": "gift",
        "loaded": 2,
        "known": 0,
    }
    again = await http("fay", "POST", "/v1/catalogue/codes", json=more | {"codes": ["SECRET-2", "SECRET-3"]})
    assert (again.json()["loaded"], again.json()["known"]) == (1, 1)
    (item,) = (await http("vic", "GET", "/v1/catalogue")).json()["items"]
    assert (item["item"], item["left"]) == ("gift", 3)
    await http("fay", "POST", "/v1/catalogue", json={"text": catalogue_text(card={"stock": 1})})
    source = "/v1/catalogue/source?programme=crm-sales"
    assert (await http("vic", "GET", f"{source}&version=1")).json() == {
        "programme": "crm-sales",
        "version": 1,
        "text": text,
    }
    assert (await http("vic", "GET", source)).json()["version"] == 2
    missing = await http("vic", "GET", f"{source}&version=3")
    assert (missing.status_code, missing.json()["code"]) == (404, "no-catalogue")
    bad = catalogue_text(gift={"kind": "gift", "price": "10 usd"})
    refused = await http("fay", "POST", "/v1/catalogue", json={"text": bad})
    assert refused.status_code == 422
    assert [problem["where"] for problem in refused.json()["problems"]] == ["text:7:11", "text:8:12"]
    assert "items.0.price" in refused.json()["problems"][1]["message"]
    unwanted = await http("fay", "POST", "/v1/catalogue/codes", json=more | {"item": "card"})
    assert (unwanted.status_code, unwanted.json()["code"]) == (422, "no-codes-wanted")
