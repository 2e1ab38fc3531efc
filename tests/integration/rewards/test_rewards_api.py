"""HTTP of those who look after the money: roles, pages, every booking by hand, every refusal."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.decisions import BudgetClaim
from contracts.errors import PermanentError
from runtime.database import Database
from services.rewards.api import routes
from services.rewards.keys import create_ledger_key, list_ledger_keys, revoke_ledger_key
from tests.integration.rewards.over_http import OPENAPI, Http, asking, books_of
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, deliver, found_balances

YEAR_3000_MS = 32_503_680_000_000
HELD = decided(1, available_at_ms=YEAR_3000_MS)
ID = "0194aaaa-0000-8000-8000-000000000000"
RUN = f"/v1/payout-runs/{ID}"
ONE = f"/v1/decisions/{HELD.id}"
AVAILABLE = "partner:ann:available"
EVERYBODY = {"viewer", "finance", "approver"}
ROLES: dict[str, tuple[str, str, set[str]]] = {
    "balances": ("GET", "/v1/balances", EVERYBODY),
    "trial balance": ("GET", "/v1/trial-balance", EVERYBODY),
    "statement": ("GET", f"/v1/statements/{AVAILABLE}", EVERYBODY),
    "liability": ("GET", "/v1/liability", EVERYBODY),
    "holds": ("GET", "/v1/holds", EVERYBODY),
    "waiting": ("GET", "/v1/waiting", EVERYBODY),
    "budgets": ("GET", "/v1/budgets", EVERYBODY),
    "explain": ("GET", "/v1/explain/x", EVERYBODY),
    "top up": ("POST", "/v1/budgets/top-up", {"finance"}),
    "void": ("POST", f"{ONE}/void", {"finance"}),
    "release": ("POST", f"{ONE}/release", {"finance"}),
    "admit": ("POST", f"{ONE}/admit", {"finance"}),
    "catalogue": ("GET", "/v1/catalogue", EVERYBODY),
    "redemptions": ("GET", "/v1/redemptions", EVERYBODY),
    "redemption": ("GET", f"/v1/redemptions/{HELD.id}", EVERYBODY),
    "reveal": ("GET", f"/v1/redemption-codes/{HELD.id}", {"finance"}),
    "reserve": ("POST", "/v1/redemptions", {"finance"}),
    "fulfil": ("POST", f"/v1/redemptions/{HELD.id}/fulfil", {"finance"}),
    "cancel": ("POST", f"/v1/redemptions/{HELD.id}/cancel", {"finance"}),
    "memberships": ("GET", "/v1/memberships", EVERYBODY),
    "membership": ("GET", f"/v1/memberships/{HELD.id}", EVERYBODY),
    "buy": ("POST", "/v1/memberships", {"finance"}),
    "leave": ("POST", f"/v1/memberships/{HELD.id}/cancel", {"finance"}),
    "gifts": ("GET", "/v1/gifts", EVERYBODY),
    "gift": ("GET", f"/v1/gifts/{HELD.id}", EVERYBODY),
    "propose": ("POST", "/v1/gifts", {"finance"}),
    "approve a gift": ("POST", f"/v1/gifts/{HELD.id}/approve", {"approver"}),
    "reject a gift": ("POST", f"/v1/gifts/{HELD.id}/reject", {"finance", "approver"}),
    "write off": ("POST", "/v1/write-offs", {"finance", "approver"}),
    "invoices": ("GET", "/v1/invoices", EVERYBODY),
    "invoice": ("GET", "/v1/invoices/SB-1", EVERYBODY),
    "invoice on paper": ("GET", "/v1/invoices/SB-1/pdf", EVERYBODY),
    "issue invoices": ("POST", "/v1/invoices", {"finance"}),
    "credit an invoice": ("POST", "/v1/invoices/SB-1/credit-notes", {"finance"}),
    "issuers": ("GET", "/v1/issuers", EVERYBODY),
    "set issuer": ("POST", "/v1/issuers", {"finance"}),
    "runs": ("GET", "/v1/payout-runs", EVERYBODY),
    "prepare": ("POST", "/v1/payout-runs", {"finance"}),
    "show a run": ("GET", RUN, EVERYBODY),
    "its payouts": ("GET", f"{RUN}/payouts", EVERYBODY),
    "whom it leaves out": ("GET", f"{RUN}/left-out", EVERYBODY),
    "bank file": ("GET", f"{RUN}/file", {"finance", "approver"}),
    "approve": ("POST", f"{RUN}/approve", {"approver"}),
    "send": ("POST", f"{RUN}/send", {"finance"}),
    "settle": ("POST", f"{RUN}/settle", {"finance"}),
    "cancel a run": ("POST", f"{RUN}/cancel", {"finance", "approver"}),
    "ask to be paid": ("POST", "/v1/payout-requests", {"finance"}),
    "settle one": ("POST", f"/v1/payouts/{ID}/settle", {"finance"}),
    "return one": ("POST", f"/v1/payouts/{ID}/return", {"finance"}),
    "cancel one": ("POST", f"/v1/payouts/{ID}/cancel", {"finance", "approver"}),
    "payees": ("GET", "/v1/payees", EVERYBODY),
    "set a payee": ("POST", "/v1/payees", {"finance"}),
    "plans": ("GET", "/v1/payout-plans", EVERYBODY),
    "set a plan": ("POST", "/v1/payout-plans", {"finance"}),
    "who did what": ("GET", "/v1/payout-audit", EVERYBODY),
    "catalogue as written": ("GET", "/v1/catalogue/source", EVERYBODY),
    "publish a catalogue": ("POST", "/v1/catalogue", {"finance"}),
    "load codes": ("POST", "/v1/catalogue/codes", {"finance"}),
    "head": ("GET", "/v1/chain/head", EVERYBODY),
    "heads": ("GET", "/v1/chain/heads", EVERYBODY),
    "verify": ("GET", "/v1/chain/verify", EVERYBODY),
    "conflicts": ("GET", "/v1/conflicts", EVERYBODY),
    "refusals": ("GET", "/v1/refusals", EVERYBODY),
}
FILLED = {
    "{decision}": HELD.id,
    "{account}": AVAILABLE,
    "{reference}": "x",
    **dict.fromkeys(("{run}", "{payout}"), ID),
    "{id}": HELD.id,
    "{number}": "SB-1",
}


@pytest.fixture
async def http(ledger_url: str, database: Database) -> AsyncIterator[Http]:
    async with asking(ledger_url, database) as asked:
        yield asked


def test_every_operation_is_in_the_table_of_roles() -> None:
    described = {
        (method.upper(), re.sub(r"\{.*?\}", lambda found: FILLED[found[0]], path))
        for path, operations in OPENAPI["paths"].items()
        for method in operations
    }
    assert {(method, path.removeprefix("/v1")) for method, path, _ in ROLES.values()} == described


async def test_each_question_is_for_its_roles_and_for_nobody_without_a_key(http: Http, ledger_url: str) -> None:
    for method, path, allowed in ROLES.values():
        for nobody in ("", "guess", "gw_" + "0" * 12 + "_" + "0" * 64):
            answer = await http(nobody, method, path, content="")
            assert (answer.status_code, answer.json()["code"]) == (401, "key-refused"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        for who, role in (("vic", "viewer"), ("fay", "finance"), ("abe", "approver")):
            answer = await http(who, method, path)
            is_refused = answer.status_code == 403
            assert is_refused is (role not in allowed), (who, path)
            assert not is_refused or answer.json()["code"] == "role-missing"
    assert found_balances(ledger_url) == {}


async def test_a_hold_is_voided_and_released_in_parts_by_the_owner_of_the_key(http: Http, database: Database) -> None:
    await deliver(database, HELD)
    part = {"reason": "customer cancelled", "amount": {"minor": 2_500, "unit": "USD"}}
    (voided,) = (await http("fay", "POST", f"{ONE}/void", json=part)).json()["transfers"]
    assert (voided["stage"], voided["minor"], voided["reason"], voided["booked_by"]) == (
        "voided",
        2_500,
        "customer cancelled",
        "fay",
    )
    released = await http("operator", "POST", f"{ONE}/release", json={"reason": "a favour"})
    (transfer,) = released.json()["transfers"]
    assert (transfer["minor"], transfer["credit"], transfer["booked_by"]) == (7_500, AVAILABLE, "operator")
    found = (await http("vic", "GET", f"/v1/explain/{HELD.id}")).json()["transfers"]
    assert {each["id"]: each for each in found} | {each["id"]: each for each in (voided, transfer)} == {
        each["id"]: each for each in found
    }
    again = await http("fay", "POST", f"{ONE}/void", json={"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (422, "nothing-held")
    await assert_sound(database)


async def test_a_decision_that_waits_is_admitted_and_a_budget_is_topped_up(http: Http, database: Database) -> None:
    claim = BudgetClaim("yearly", "2026", 1, "USD", "hold")
    first, second = decided(2, budgets=(claim,)), decided(3, budgets=(claim,))
    await deliver(database, first, second)
    waiting = (await http("vic", "GET", "/v1/waiting")).json()["waiting"]
    assert [line["decision"] for line in waiting] == [first.id, second.id]
    admitted = await http("fay", "POST", f"/v1/decisions/{first.id}/admit", json={"reason": "promised"})
    assert [each["stage"] for each in admitted.json()["transfers"]] == ["granted"]
    top_up = {
        "programme": "crm-sales",
        "budget": "yearly",
        "period": "2026",
        "amount": {"minor": 9_999, "unit": "USD"},
        "reason": "more",
    }
    assert (await http("fay", "POST", "/v1/budgets/top-up", json=top_up)).status_code == 200
    (line,) = (await http("vic", "GET", "/v1/budgets")).json()["budgets"]
    assert (line["ruled_minor"], line["allotted_minor"], line["left_minor"], line["waiting"]) == (1, 10_000, 10_000, 1)
    await assert_sound(database)


async def test_a_large_debt_is_written_off_by_an_approver_alone(http: Http, database: Database) -> None:
    first = decided(4)
    await deliver(database, first, decided(5, amount_minor=-6_000, restates="r-1"))
    await deliver(database, decided(6, amount_minor=-10_000, takes_back=first.id))
    asked = {"account": AVAILABLE, "programme": "crm-sales", "unit": "USD", "reason": "gone"}
    for more in ({}, {"minor": 5_001}):
        refused = await http("fay", "POST", "/v1/write-offs", json=asked | more)
        assert (refused.status_code, refused.json()["code"]) == (403, "approver-needed")
    assert (await http("fay", "POST", "/v1/write-offs", json=asked | {"minor": 500})).status_code == 200
    (made,) = (await http("abe", "POST", "/v1/write-offs", json=asked)).json()["transfers"]
    assert (made["minor"], made["booked_by"]) == (5_500, "abe")
    await assert_sound(database)


async def test_long_lists_come_in_pages_that_miss_nothing(http: Http, database: Database) -> None:
    claims = [(BudgetClaim("yearly", str(2020 + n % 7), 1, "USD", "hold"),) for n in range(7)]
    await deliver(database, *(decided(n, partner=f"p{n}", available_at_ms=YEAR_3000_MS) for n in range(10, 17)))
    await deliver(database, *(decided(20 + n, budgets=each) for n, each in enumerate(claims)))
    await deliver(database, *(decided(n) for n in range(40, 47)))
    lists = {
        "/v1/balances": "balances",
        "/v1/holds": "holds",
        "/v1/waiting": "waiting",
        "/v1/budgets": "budgets",
        f"/v1/statements/{AVAILABLE}": "postings",
    }
    for path, name in lists.items():
        whole = (await http("vic", "GET", path, params={"limit": 200})).json()
        assert whole["next"] is None
        assert len(whole[name]) >= 7
        found: list[Any] = []
        cursor: str | None = None
        while not found or cursor:
            page = (await http("vic", "GET", path, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
            assert len(page[name]) <= 3
            found += page[name]
            cursor = page["next"]
        assert found == whole[name], path
        for bad in ("x", "bm8=", "LTE=", "AA==", "w6k", "0" * 999):
            refused = await http("vic", "GET", path, params={"cursor": bad})
            assert (refused.status_code, refused.json()["code"]) == (422, "bad-cursor"), path
        for limit in (0, 201, "x", 2**70):
            assert (await http("vic", "GET", path, params={"limit": limit})).json()["code"] == "bad-request"
    of = (await http("vic", "GET", "/v1/balances", params={"account": "partner:p1"})).json()["balances"]
    assert {each["account"] for each in of} == {f"partner:p{n}:pending" for n in range(10, 17)}


async def test_books_are_read_as_of_an_instant_by_either_time(http: Http, database: Database) -> None:
    await deliver(database, decided(1))
    statement = f"/v1/statements/{AVAILABLE}"

    async def ask(path: str, **query: str) -> Any:
        return (await http("vic", "GET", path, params=query)).json()

    for query, minor in (
        ({"as_of": "2026-01-01"}, 10_000),
        ({"as_of": "2026-01-01T00:00:01Z"}, 10_000),
        ({"as_of": "2026-01-01T00:00:00.999999Z"}, None),
        ({"as_of": "2026-01-01T02:00:00Z", "time": "booked"}, None),
        ({"as_of": "2026-01-01", "time": "booked"}, 10_000),
    ):
        found = {line["account"]: line["minor"] for line in (await ask("/v1/balances", **query))["balances"]}
        assert found.get(AVAILABLE) == minor, query
        lines = (await ask("/v1/trial-balance", **query))["trial_balance"]
        assert [(line["minor"], line["credits"]) for line in lines] == ([(0, minor)] if minor else [])
        page = await ask(statement, **query)
        assert page["closing"] == ({"USD": minor} if minor else {})
        assert len(page["postings"]) == (1 if minor else 0)
    page = await ask(statement, **{"from": "2026-01-02", "to": "2026-01-31"})
    assert (page["by"], page["opening"], page["closing"], page["postings"]) == (
        "effective",
        {"USD": 10_000},
        {"USD": 10_000},
        [],
    )
    for path in ("/v1/balances", "/v1/trial-balance", statement):
        assert (await ask(path, as_of="today"))["code"] == "instant-malformed"
        assert (await ask(path, as_of="2026-01-01", time="mine"))["code"] == "bad-request"
    assert (await ask(statement, **{"from": "2026-02-01", "to": "2026-01-01"}))["code"] == "period-malformed"


async def test_what_is_owed_is_told_by_month(http: Http, database: Database) -> None:
    await deliver(database, decided(2), decided(3, available_at_ms=1_775_001_600_000))

    async def ask(**query: str) -> Any:
        return (await http("vic", "GET", "/v1/liability", params=query)).json()

    now = await ask()
    assert now["totals"] == {"USD": 20_000}
    assert [(line["kind"], line["month"]) for line in now["lines"]] == [("available", ""), ("on_hold", "")]
    # 2026-04-01T00:00:00Z, which is still March in New York.
    for zone, month in (("UTC", "2026-04"), ("America/New_York", "2026-03")):
        assert (await ask(forecast="true", timezone=zone))["lines"][1]["month"] == month
    assert (await ask(as_of="2025-12-31"))["lines"] == []
    assert (await ask(timezone="Mars/Olympus"))["code"] == "unknown-timezone"


async def test_an_outage_is_answered_as_one(ledger_url: str, database: Database) -> None:
    away = Database("postgresql://127.0.0.1:1/none", application="rewards", connections_max=1)
    books = books_of("postgresql://127.0.0.1:1/none", away)
    transport = httpx.ASGITransport(Starlette(routes=routes(books, admin_key=SecretStr("secret"))))
    async with httpx.AsyncClient(transport=transport, base_url="http://rewards") as client:
        answer = await client.get("/v1/balances", headers={"authorization": "Bearer secret"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


async def test_a_key_is_kept_as_a_hash_and_refused_as_soon_as_it_is_revoked(
    http: Http, database: Database, ledger_url: str
) -> None:
    keys = {row["owner"]: row for row in await list_ledger_keys(database)}
    assert set(keys["fay"]) == {"key_id", "owner", "roles", "created_at", "revoked_at"}
    with psycopg.connect(ledger_url) as connection:
        stored = str(connection.execute("SELECT * FROM rewards.keys").fetchall())
    assert [token for token in http.tokens.values() if token.rsplit("_", 1)[-1] in stored] == []
    for _ in range(2):
        assert await revoke_ledger_key(database, keys["fay"]["key_id"], who="root")
        assert (await http("fay", "GET", "/v1/balances")).status_code == 401
    assert not await revoke_ledger_key(database, "nosuchkey", who="root")
    with psycopg.connect(ledger_url) as connection:
        rows = connection.execute("SELECT made_by, revoked_by FROM rewards.keys WHERE owner = 'fay'").fetchall()
    assert rows == [("root", "root")]


@pytest.mark.parametrize(
    ("owner", "roles", "code"),
    [
        ("ana", (), "unknown-role"),
        ("ana", ("editor",), "unknown-role"),
        ("Operator", ("viewer",), "nobody"),
        (" ", ("viewer",), "nobody"),
    ],
)
async def test_a_key_has_an_owner_and_known_roles(
    database: Database, owner: str, roles: tuple[str, ...], code: str
) -> None:
    with pytest.raises(PermanentError) as refused:
        await create_ledger_key(database, owner=owner, roles=roles, who="root")
    assert refused.value.problem.code == code
