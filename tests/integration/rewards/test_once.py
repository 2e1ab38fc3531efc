"""A request under an Idempotency-Key is carried out once: asked again, at once by many, after a crash, by whom it may.

The crash is tried before each statement of each booking in turn, over HTTP: nothing is done then, and asking again
under the same key does it. kill -9 of a whole process that answers is in test_once_killed.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from contracts.decisions import BudgetClaim
from runtime.database import Database
from services.rewards.requests import store
from services.rewards.requests.identity import Identity
from tests.integration.rewards.over_http import Http, asking, calling
from tests.support.crashes import CrashingDatabase
from tests.support.decisions import decided
from tests.support.ledger import SetClock, assert_sound, deliver, found_balances

YEAR_3000_MS = 32_503_680_000_000
DAY_MS = 86_400_000
HELD = decided(1, available_at_ms=YEAR_3000_MS)
VOID = f"/v1/decisions/{HELD.id}/void"
PART = {"reason": "a part", "amount": {"minor": 100, "unit": "USD"}}
NOW_MS = 1_790_000_000_000


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW_MS)


@pytest.fixture
async def http(ledger_url: str, database: Database, clock: SetClock) -> AsyncIterator[Http]:
    await deliver(database, HELD)
    async with asking(ledger_url, database, clock=clock) as asked:
        yield asked


def left_of(url: str) -> int:
    return found_balances(url)["partner:ann:pending", "USD"]


async def test_asked_again_the_answer_is_the_same_and_nothing_is_done(http: Http, ledger_url: str) -> None:
    first = await http("fay", "POST", VOID, key="one", json=PART)
    for _ in range(2):
        again = await http("fay", "POST", VOID, key="one", json=PART)
        assert (again.status_code, again.content, again.headers["idempotency-replayed"]) == (200, first.content, "true")
    quoted = await http("fay", "POST", VOID, key='"one"', json=PART)
    assert quoted.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert left_of(ledger_url) == 9_900
    await http("fay", "POST", VOID, key="two", json=PART)
    await http("operator", "POST", VOID, key="one", json=PART)
    assert left_of(ledger_url) == 9_700


async def test_another_request_under_the_same_key_is_refused(http: Http, ledger_url: str) -> None:
    await http("fay", "POST", VOID, key="one", json=PART)
    others: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (VOID, PART | {"reason": "another"}, {}),
        (VOID.replace("void", "release"), PART, {}),
        (VOID, PART, {"x": 1}),
    ]
    for path, body, params in others:
        refused = await http("fay", "POST", path, key="one", json=body, params=params)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-key-reused")
    assert left_of(ledger_url) == 9_900


async def test_a_refusal_is_an_answer_too(http: Http, ledger_url: str, database: Database) -> None:
    too_much = PART | {"amount": {"minor": 10_001, "unit": "USD"}}
    refused = await http("fay", "POST", VOID, key="one", json=too_much)
    assert (refused.status_code, refused.json()["code"]) == (422, "nothing-held")
    again = await http("fay", "POST", VOID, key="one", json=too_much)
    assert (again.status_code, again.content, again.headers["idempotency-replayed"]) == (422, refused.content, "true")
    # What never came so far is not kept: the key is still good for the request that was meant.
    assert (await http("fay", "POST", VOID, key="two", json={"reason": 1})).json()["code"] == "bad-request"
    assert (await http("vic", "POST", VOID, key="two", json=PART)).status_code == 403
    assert (await http("fay", "POST", VOID, key="two", json=PART)).status_code == 200
    assert left_of(ledger_url) == 9_900


BAD_KEYS = {
    "empty": "",
    "only quotation marks": '""',
    "one quotation mark": '"a',
    "a quotation mark inside": 'a"b',
    "a space": "a b",
    "a backslash": "a\\b",
    "too long": "k" * 256,
    "too long by far": "k" * 9_000,
    "not ASCII": "schlüssel",
}


@pytest.mark.parametrize("name", BAD_KEYS)
async def test_a_key_is_needed_and_well_formed(http: Http, ledger_url: str, name: str) -> None:
    headers = {b"idempotency-key": BAD_KEYS[name].encode()}
    refused = await http("fay", "POST", VOID, key="", headers=headers, json=PART)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency-key-malformed")
    missing = await http("fay", "POST", VOID, key="", json=PART)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency-key-missing")
    assert left_of(ledger_url) == 10_000


async def test_an_answer_is_kept_for_some_days(
    http: Http, ledger_url: str, database: Database, clock: SetClock
) -> None:
    await http("fay", "POST", VOID, key="one", json=PART)
    clock.at_ms += 7 * DAY_MS
    assert "idempotency-replayed" in (await http("fay", "POST", VOID, key="one", json=PART)).headers
    clock.at_ms += 1
    # Too old: forgotten, whether the row is still there or not.
    assert "idempotency-replayed" not in (await http("fay", "POST", VOID, key="one", json=PART)).headers
    assert left_of(ledger_url) == 9_800
    assert await store.forget(database, before_ms=clock.at_ms) == 0
    assert await store.forget(database, before_ms=clock.at_ms + 1) == 1


async def test_while_it_is_carried_out_nobody_else_carries_it_out(http: Http, ledger_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(ledger_url) as other:
        assert await store.begin(other, Identity("fay", "one", b""))
        busy = await http("fay", "POST", VOID, key="one", json=PART)
        assert (busy.status_code, busy.json()["code"]) == (409, "request-in-progress")
    answers = await asyncio.gather(*(http("fay", "POST", VOID, key="one", json=PART) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert left_of(ledger_url) == 9_900


async def bookings(database: Database) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each booking that can be made by hand, ready to be made."""
    claim = BudgetClaim("yearly", "2026", 1, "USD", "hold")
    waits, refused = decided(2, partner="bob", budgets=(claim,)), decided(3, partner="bob", budgets=(claim,))
    taken = decided(4, partner="cat")
    await deliver(database, waits, refused, taken, decided(5, partner="cat", amount_minor=-3_000, restates="r-1"))
    await deliver(database, decided(6, partner="cat", amount_minor=-10_000, takes_back=taken.id))
    because = {"reason": "so"}
    top_up = {"programme": "crm-sales", "budget": "new", "amount": {"minor": 7, "unit": "USD"}} | because
    debt = {"account": "partner:cat:available", "programme": "other", "unit": "USD", "minor": 2_000} | because
    return {
        "void": (VOID, PART),
        "release": (VOID.replace("void", "release"), PART),
        "admit": (f"/v1/decisions/{waits.id}/admit", because),
        "refuse what waits": (f"/v1/decisions/{refused.id}/void", because),
        "top up": ("/v1/budgets/top-up", top_up),
        "write off": ("/v1/write-offs", debt),
    }


async def test_a_crash_before_any_statement_of_a_booking_does_nothing_and_asking_again_does_it(
    http: Http, ledger_url: str, database: Database
) -> None:
    for name, (path, body) in (await bookings(database)).items():
        before = found_balances(ledger_url)
        for statements in range(100):
            broken = CrashingDatabase(ledger_url, statements=statements)
            async with calling(ledger_url, broken, http.tokens) as dying:
                answer = await dying("fay", "POST", path, key=f'"{name}"', json=body)
            if answer.status_code == 200:
                break
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert found_balances(ledger_url) == before, f"{name} was half done after {statements} statements"
            await rolled_back(database)
        assert statements >= 5, name
        after = found_balances(ledger_url)
        again = await http("fay", "POST", path, key=f'"{name}"', json=body)
        assert (again.content, again.headers["idempotency-replayed"]) == (answer.content, "true")
        assert found_balances(ledger_url) == after
        moved = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
        told = [(each["credit"], each["minor"]) for each in answer.json()["transfers"]]
        assert all(moved[account, "USD"] == minor for account, minor in told), name
    await assert_sound(database)


async def rolled_back(database: Database) -> None:
    """Wait until the server has noticed that its client is gone."""
    for _ in range(1_000):
        rows = await database.fetch_all("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        if rows[0][0] == 0:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the server still holds the dead client's lock")
