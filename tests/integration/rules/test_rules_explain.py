"""Why, over HTTP: each fate an event can have, with what was decided beside it; and questions nobody can answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.decisions import decode_decision
from contracts.topics import DECISIONS, REFERRALS, UNATTRIBUTED
from runtime.bus.port import Bus, Record
from services.rules.api import routes
from services.rules.lifecycle import Desk
from services.rules.lifecycle.keys import create_rules_key
from services.rules.store import StateStore
from tests.integration.rules.harness import (
    DAY_MS,
    PROGRAMME,
    START_MS,
    FixedClock,
    Start,
    drained,
    eventually,
    log_of,
    record,
    send,
)
from tests.integration.rules.test_history import is_kept

EVENTS = 400


def client_of(schema_url: str, bus: Bus, store: StateStore, *, events_max: int = 10_000) -> httpx.AsyncClient:
    desk = Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())
    made = routes(desk, admin_key=SecretStr("secret"), explain_events_max=events_max)
    headers = {"authorization": "Bearer secret"}
    transport = httpx.ASGITransport(Starlette(routes=made))
    return httpx.AsyncClient(transport=transport, base_url="http://rules", headers=headers)


@pytest.fixture
async def client(schema_url: str, bus: Bus, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(schema_url, bus, store) as client:
        yield client


async def why(client: httpx.AsyncClient, event: str, **options: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/explain", params={"event": event, **options})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["explanations"]
    return found


async def one(client: httpx.AsyncClient, event: str, **options: str) -> dict[str, Any]:
    (found,) = await why(client, event, **options)
    return found


@pytest.mark.usefixtures("published")
async def test_each_event_is_explained_by_what_was_decided(
    client: httpx.AsyncClient, bus: Bus, store: StateStore, start: Start
) -> None:
    await send(bus, 0, EVENTS)
    process = start()
    await drained(bus, store)
    decided: dict[str, list[dict[str, Any]]] = {}
    seen: set[str] = set()
    for rows in (await log_of(bus, DECISIONS.name)).values():
        for value, _ in rows:
            decision = decode_decision(value)
            if decision.id not in seen:
                seen.add(decision.id)
                decided.setdefault(decision.event_id, []).append(msgspec.structs.asdict(decision))
    await eventually(lambda: is_kept(bus))
    outcomes = set()
    for number in range(0, EVENTS, 7):
        id = f"e{number - 5 if number % 10 == 9 else number}"
        told = await one(client, f"crm/test/{id}")
        outcomes.add(told["outcome"])
        names = ("id", "granted", "reason", "amount_minor", "unit", "tier", "rule", "revision")
        assert [{name: each[name] for name in names} for each in told["decisions"]] == [
            {name: each[name] for name in names} for each in decided.get(id, [])
        ]
        assert told["revision"] == 1
        assert [each["is_in_force"] for each in told["revisions"]] == [True]
    assert "decided" in outcomes
    # Over HTTP of the running service as well, with a problem where there is no key.
    async with httpx.AsyncClient(base_url=process.url) as remote:
        refused = await remote.get("/v1/explain", params={"event": "e0"})
        assert (refused.status_code, refused.json()["code"]) == (401, "key-refused")
        answer = await remote.get("/v1/explain", params={"event": "e0"}, headers={"authorization": "Bearer secret"})
        assert answer.json() == {"explanations": [await one(client, "e0")]}


@pytest.mark.usefixtures("published")
async def test_a_zero_is_explained_as_well_as_a_cent_with_the_events_behind_each_number(
    client: httpx.AsyncClient, bus: Bus, store: StateStore, start: Start
) -> None:
    await bus.publish(REFERRALS.name, [won(number, minor=40_000) for number in range(3)])
    await bus.publish(REFERRALS.name, [won(3, minor=9_999)])
    start()
    await drained(bus, store)
    paid = await one(client, "won-2")
    assert (paid["outcome"], paid["because"]) == ("decided", "2 granted, 1 denied")
    assert (paid["tier"], paid["tier_after"]) == ("bronze", "silver")
    commission, welcome, moved = paid["decisions"]
    assert (moved["rule"], moved["tier_to"]) == ("tier", "silver")
    assert (commission["amount_minor"], commission["percent_ppm"]) == (2_000, 50_000)
    assert welcome["reason"] == "bought == 0"
    assert paid["not_asked"] == ["survey"]
    assert paid["taken_by"] == ["sales", "wins", "bought"]
    sales, wins, bought = paid["metrics"]
    assert (sales["value"], sales["events"], sales["from_day"]) == ("800.00 USD", 2, None)
    assert [(each["id"], each["added"]) for each in sales["behind"]] == [
        ("won-1", "400.00 USD"),
        ("won-0", "400.00 USD"),
    ]
    assert (wins["value"], wins["from_day"], wins["to_day"]) == ("2", "2016-08-27", "2016-11-24")
    assert (bought["value"], bought["per_customer"]) == ("2", True)
    nothing = await one(client, "won-3")
    assert nothing["because"] == "0 granted, 2 denied"
    assert nothing["tier"] == "silver"
    (line,) = nothing["decisions"][0]["trace"]
    assert line == {"condition": "deal.amount >= 100 USD", "saw": "99.99 USD", "verdict": "not met", "part": "when"}


async def test_what_was_not_decided_says_so(
    client: httpx.AsyncClient, bus: Bus, store: StateStore, start: Start, published: None
) -> None:
    nobody = record(UNATTRIBUTED, "lead.registered", "nobody", START_MS, {"programme": PROGRAMME, "lead": {"id": "l"}})
    early = record("p", "deal.won", "early", START_MS - 900 * DAY_MS, deal("early"))
    broken = Record(b"p", b'{"programme": "crm-sales", "partner": "p", "deal": 7}', won(8).headers)
    late = record("p", "survey.answered", "late", START_MS - 300 * DAY_MS, survey())
    opened = record("p", "deal.opened", "opened", START_MS, deal("opened"))
    await bus.publish(REFERRALS.name, [nobody, early, won(7), won(7), broken, late, opened])
    await bus.publish(REFERRALS.name, [won(7)])
    assert (await one(client, "won-7"))["outcome"] == "waiting"
    start()
    await drained(bus, store)
    said = {id: await one(client, id) for id in ("nobody", "early", "won-7", "won-8", "late", "opened")}
    assert {id: told["outcome"] for id, told in said.items()} == {
        "nobody": "unattributed",
        "early": "no programme yet",
        "won-7": "decided",
        "won-8": "rejected",
        "late": "rejected",
        "opened": "counted",
    }
    assert "too-late-to-tell" in said["late"]["because"]
    assert "invalid-data" in said["won-8"]["because"]
    assert [each["outcome"] for each in said["won-7"]["arrivals"]] == ["decided", "repeat", "repeat"]
    assert {each.get("repeats") for each in said["won-7"]["arrivals"][1:]} == {said["won-7"]["event"]["offset"]}
    (revision,) = said["early"]["revisions"]
    assert revision["because"] == "it takes effect on 2016-01-01T00:00:00.000Z, after this event's time"
    broadcasts = await why(client, "goodword/rules/ruleset-crm-sales-1")
    assert {each["outcome"] for each in broadcasts} == {"broadcast"}


@pytest.mark.usefixtures("published")
async def test_what_is_not_kept_yet_or_not_any_more_is_read_from_the_log(
    client: httpx.AsyncClient, bus: Bus, store: StateStore, start: Start, schema_url: str
) -> None:
    await send(bus, 0, 200)
    start()
    await drained(bus, store)
    await eventually(lambda: is_kept(bus))
    kept = await one(client, "e96")
    with psycopg.connect(schema_url) as connection:
        connection.execute("TRUNCATE rules.history_chunks, rules.history_partners, rules.history_events")
        connection.execute("TRUNCATE rules.history_positions, rules.history_sources")
    assert await one(client, "e96") == kept


@pytest.mark.usefixtures("published")
async def test_a_history_that_is_too_long_is_refused_with_a_way_out(
    schema_url: str, bus: Bus, store: StateStore
) -> None:
    await bus.publish(REFERRALS.name, [won(number) for number in range(30)])
    async with client_of(schema_url, bus, store, events_max=20) as client:
        answer = await client.get("/v1/explain", params={"event": "won-29"})
        assert (answer.status_code, answer.json()["code"]) == (422, "history-too-long")
        assert "--all" in answer.json()["detail"]
        assert (await client.get("/v1/explain", params={"event": "won-5"})).status_code == 200


async def test_an_editor_may_ask_and_nobody_without_a_key(
    schema_url: str, bus: Bus, store: StateStore, published: None
) -> None:
    await bus.publish(REFERRALS.name, [won(1)])
    _, token = await create_rules_key(schema_url, owner="ana", roles=("editor",), who="operator", clock=FixedClock())
    async with client_of(schema_url, bus, store) as client:
        for key, status in ((token, 200), (f"{token}x", 401), ("", 401)):
            headers = {"authorization": f"Bearer {key}"}
            answer = await client.get("/v1/explain", params={"event": "won-1"}, headers=headers)
            assert answer.status_code == status
        assert answer.headers["www-authenticate"] == "Bearer"


UNKNOWN: dict[str, tuple[dict[str, str], int, str, str]] = {
    "no event": ({}, 422, "bad-reference", "source/id"),
    "an id that never came": ({"event": "won-99"}, 404, "unknown-event", "events import"),
    "one digit too many": ({"event": "crm/test/won-11", "partner": "p"}, 404, "unknown-event", "crm/test/won-1"),
    "another sender": ({"event": "won-1", "source": "crm/tset"}, 404, "unknown-event", "crm/test"),
    "another partner": ({"event": "won-1", "partner": "q"}, 404, "unknown-event", "nothing is known of q"),
    "another programme": ({"event": "won-1", "programme": "x"}, 404, "unknown-event", "crm-sales"),
    "nothing": ({"event": " "}, 422, "bad-reference", "source/id"),
    "too long": ({"event": "x" * 5_000}, 422, "bad-reference", "source/id"),
    "only slashes": ({"event": "/" * 1_000}, 404, "unknown-event", "events import"),
    "a zero byte": ({"event": "won\0-1"}, 422, "bad-request", "NUL"),
    "a quote": ({"event": "won-1'; DROP TABLE rules.history_chunks; --"}, 404, "unknown-event", "events import"),
    "a line feed": ({"event": "won-1\n"}, 422, "bad-reference", "source/id"),
    "right to left": ({"event": "won\u202e-1"}, 422, "bad-reference", "source/id"),
    "half a character": ({"event": "won\ufffd"}, 404, "unknown-event", "events import"),
}


@pytest.mark.usefixtures("published")
async def test_wrong_and_hostile_ids_get_the_nearest_help(client: httpx.AsyncClient, bus: Bus) -> None:
    await bus.publish(REFERRALS.name, [won(number) for number in range(3)])
    for name, (params, status, code, help) in UNKNOWN.items():
        answer = await client.get("/v1/explain", params=params)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (status, code), name
        assert help in told["detail"], name
    assert (await one(client, "won-1"))["event"]["id"] == "won-1"


async def test_without_any_revision_every_event_waits_or_has_no_programme(
    client: httpx.AsyncClient, bus: Bus, store: StateStore, start: Start
) -> None:
    await bus.publish(REFERRALS.name, [won(1)])
    start()
    await drained(bus, store)
    told = await one(client, "won-1")
    assert (told["outcome"], told["revisions"], told["revision"]) == ("no programme yet", [], None)


def deal(id: str, *, minor: int = 40_000) -> dict[str, object]:
    return {
        "programme": PROGRAMME,
        "partner": "p",
        "deal": {"id": f"d-{id}", "amount": {"minor": minor, "currency": "USD"}},
        "customer": {"id": "acme"},
    }


def survey() -> dict[str, object]:
    return {"programme": PROGRAMME, "partner": "p", "survey": {"kind": "nps", "score": 9}}


def won(number: int, *, minor: int = 40_000) -> Record:
    return record("p", "deal.won", f"won-{number}", START_MS + number * 3_600_000, deal(str(number), minor=minor))
