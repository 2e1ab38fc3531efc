"""The playground's answers: samples play, what is pasted is read or its faults are told with their places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.events import Event, encode_data, format_time
from runtime.operator import operator_only
from services.rules.fold import Fold
from services.rules.playground.http import BODY_BYTES_MAX, HEADERS, SAMPLES, routes
from services.rules.playground.play import DECISIONS_MAX, EVENTS_MAX, play
from tests.support.rules import Store, activation, random_history, random_rule_set

ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / "services/rules/playground/samples"
RULES = (FOLDER / "first-programme.yaml").read_text()
EVENTS = (FOLDER / "first-programme.events").read_text()


def never() -> bool:
    return False


def won(id: str, minor: int, **changes: Any) -> dict[str, Any]:
    data = {"partner": "p", "deal": {"id": id, "amount": {"minor": minor, "currency": "USD"}}}
    return {"type": "deal.won", "source": "crm", "id": id, "time": "2026-01-01T00:00:00Z", "data": data} | changes


@pytest.mark.parametrize("name", [name for name, _ in SAMPLES])
def test_every_sample_plays_without_a_problem_and_its_tests_pass(name: str) -> None:
    rules, events = (FOLDER / f"{name}.yaml").read_text(), (FOLDER / f"{name}.events").read_text()
    told = play(rules, events, is_over=never)
    assert (told["problems"], told["event_problems"], told["cut_short"]) == ([], [], "")
    assert told["tests"]["passed"] == len(told["tests"]["tests"]) > 0
    verdicts = {each["granted"] for step in told["steps"] for each in step["decisions"]}
    assert verdicts == {True, False}


def test_the_sample_of_an_example_is_the_example() -> None:
    example = ROOT / "examples/crm-pipeline/programme.yaml"
    assert (FOLDER / "crm-pipeline.yaml").read_text() == example.read_text()


def test_the_shorthand_plays_as_the_tests_of_a_file_do() -> None:
    told = play(RULES, EVENTS, is_over=never)
    amounts = [[each["amount_minor"] for each in step["decisions"]] for step in told["steps"]]
    assert amounts == [[None], [20_000], [30_000, None], [7_500]]
    assert [step["tier"] for step in told["steps"]] == ["bronze", "bronze", "silver", "silver"]
    (partner,) = told["partners"]
    assert partner["metrics"] == [{"metric": "sales_12m", "customer": "", "value": "11499.00 USD"}]


def test_cloud_events_play_for_several_partners_and_repeats_change_nothing() -> None:
    other = won("d2", 100_000)
    other["data"]["partner"] = "q"
    lines = "\n".join(json.dumps(each) for each in (won("d1", 100_000), won("d1", 100_000), other))
    told = play(RULES, lines, is_over=never)
    assert [len(step["decisions"]) for step in told["steps"]] == [1, 0, 1]
    assert [each["partner"] for each in told["partners"]] == ["p", "q"]
    assert play(RULES, f"[{lines.replace(chr(10), ',')}]", is_over=never) == told


@pytest.mark.parametrize("seed", range(4))
def test_what_is_played_is_what_the_service_would_decide(seed: int) -> None:
    rules, history = random_rule_set(seed), random_history(seed, 80)
    store = Store()
    decided = store.run(Fold(0), [activation(rules), *history]).decisions
    pasted = "\n".join(as_cloud_event(each) for each in history)
    told = play(rules, pasted, is_over=never)
    assert told["event_problems"] == []
    played = [each["id"] for step in told["steps"] for each in step["decisions"]]
    assert played == [each.id for each in decided]


def as_cloud_event(each: Event) -> str:
    about = {"type": each.type, "source": each.source, "id": each.id, "time": format_time(each.time_ms)}
    return json.dumps(about | {"data": json.loads(encode_data(each.data))})


BARE = {"partner": "p", "deal": {"id": "d"}}
FAULTS: dict[str, tuple[str, tuple[int, int, str, str]]] = {
    "an unknown path": ("- {type: deal.won, deal.ammount: 3 USD}", (1, 25, "unknown-path", "ammount")),
    "an unknown type": ("- {type: deal.wonn}", (1, 10, "unknown-event-type", "deal.wonn")),
    "no list": ("hello", (1, 1, "wrong-shape", "list")),
    "a bomb": ("a: &a [x, x]\nb: [*a, *a]", (1, 4, "anchor-or-alias", "anchor")),
    "broken JSON": ('{"type": ', (1, 1, "malformed-json", "truncated")),
    "no source": ('\n{"type": "deal.won"}', (2, 1, "not-an-event", "source")),
    "no amount": (json.dumps(won("d", 1, data=BARE)), (1, 1, "not-an-event", "amount")),
    "no partner": (json.dumps(won("d", 1, data={"deal": {"id": "d"}})), (1, 1, "not-an-event", "data.partner")),
    "a time without offset": (json.dumps(won("d", 1, time="2026-01-01T00:00:00")), (1, 1, "not-an-event", "offset")),
    "an unknown event": (json.dumps(won("d", 1, type="deal.lots")), (1, 1, "not-an-event", "deal.lots")),
    "an id with a colon": (json.dumps(won("d:1", 1)), (1, 1, "not-an-event", "deal.id")),
    "not an object": ("[1]", (1, 1, "not-an-event", "object")),
    "an event that carries a metric": ("- {type: deal.won, sales_12m: 3 USD}", (1, 1, "unusable-test", "given")),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_cannot_be_read_is_told_with_its_place(case: str) -> None:
    text, (line, column, code, words) = FAULTS[case]
    told = play(RULES, text, is_over=never)
    first = told["event_problems"][0]
    assert (first["line"], first["column"], first["code"]) == (line, column, code), first
    assert words in first["message"] + first["help"]
    assert told["steps"] == []


def test_rules_with_errors_play_nothing() -> None:
    told = play(RULES.replace("deal.amount >=", "deal.ammount >="), EVENTS, is_over=never)
    assert (19, 14) in [(each["line"], each["column"]) for each in told["problems"]]
    assert (told["steps"], "tests" in told) == ([], False)


def test_there_is_an_end_to_events_decisions_and_time() -> None:
    many = "\n".join(json.dumps(won(f"d{number}", 100_000)) for number in range(EVENTS_MAX + 1))
    assert play(RULES, many, is_over=never)["event_problems"][-1]["code"] == "too-many-events"
    shorthand = "- {type: deal.won, deal.amount: 1 USD}\n" * (EVENTS_MAX + 1)
    assert play(RULES, shorthand, is_over=never)["event_problems"][-1]["code"] == "too-many-events"
    told = play(RULES, EVENTS, is_over=lambda: True)
    assert (len(told["steps"]), told["cut_short"]) == (1, "time was up after 1 events")
    rewards = "".join(f"  - {{id: r{n}, on: deal.won, give: {n + 1} USD}}\n" for n in range(16))
    wide = f"schema: goodword/v1\nprogramme: x\ncurrency: USD\ntimezone: UTC\nrewards:\n{rewards}"
    told = play(wide, "\n".join(many.splitlines()[:EVENTS_MAX]), is_over=never)
    assert "decisions were made" in told["cut_short"]
    assert sum(len(step["decisions"]) for step in told["steps"]) < DECISIONS_MAX + 16


def client_of(*, is_busy: bool = False, key: str | None = "secret") -> httpx.AsyncClient:
    app = Starlette(routes=routes(guard=operator_only(SecretStr(key) if key else None), is_busy=lambda: is_busy))
    headers = {"authorization": "Bearer secret"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rules", headers=headers)


async def test_the_page_comes_with_a_strict_policy_and_no_code_in_its_markup() -> None:
    async with client_of() as client:
        for path in ("/playground", "/playground/app.js", "/playground/style.css"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert "http://" not in answer.text
            assert "https://" not in answer.text
        page = (await client.get("/playground")).text
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert " on" not in page.replace(" on it", "").replace(" one", "").replace(" on the", "")
    assert "<script>" not in page
    assert "style=" not in page
    assert "innerHTML" not in (ROOT / "services/rules/playground/static/app.js").read_text()


async def test_questions_are_answered_or_refused_with_the_reason() -> None:
    body = {"rules": RULES, "events": EVENTS}
    async with client_of() as client:
        assert (await client.post("/v1/playground", json=body)).json()["steps"]
        linted = (await client.post("/v1/playground", json=body | {"run": False})).json()
        assert linted == {"problems": []}
        assert len((await client.get("/v1/playground/samples")).json()["samples"]) == len(SAMPLES)
        refused = {
            "key-refused": await client.post("/v1/playground", json=body, headers={"authorization": "Bearer no"}),
            "body-too-large": await client.post("/v1/playground", content=b"x" * (BODY_BYTES_MAX + 1)),
            "malformed-body": await client.post("/v1/playground", content=b"\xff"),
        }
        extra = await client.post("/v1/playground", json=body | {"more": 1})
        assert extra.json()["code"] == "malformed-body"
    async with client_of(is_busy=True) as client:
        refused["overloaded"] = await client.post("/v1/playground", json=body)
    assert {code: answer.status_code for code, answer in refused.items()} == {
        "key-refused": 401,
        "body-too-large": 413,
        "malformed-body": 422,
        "overloaded": 503,
    }
    assert [answer.json()["code"] for answer in refused.values()] == list(refused)
    assert refused["overloaded"].headers["retry-after"]


async def test_without_an_operators_key_nobody_plays() -> None:
    async with client_of(key=None) as client:
        assert (await client.post("/v1/playground", json={"rules": ""})).status_code == 401
