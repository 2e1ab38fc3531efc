"""Every answer of `POST /v1/events`, through real HTTP, on real servers."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from contracts.events import decode_data
from contracts.topics import CLICKS, PARTNERS, REFERRALS
from services.tracking.admin import create_key, keys, revoke_key
from services.tracking.reads import partners, unattributed
from tests.support.tracking import ADMIN_KEY, TrackingProcess, ids_of, read_topic

JSON = "application/json"
NDJSON = "application/x-ndjson"
BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"


def event(id: str = "", type: str = "deal.opened", source: str = "crm/acme", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": type,
        "source": source,
        "id": id or uuid.uuid4().hex,
        "time": "2017-03-01T00:00:00Z",
        "data": {"programme": "crm", "partner": "moses", "deal": {"id": "D1"}} | data,
    }


def text(*events: Any) -> str:
    return json.dumps(events[0] if len(events) == 1 else events)


GOOD = event("good")
BAD = event("bad", type="deal.one")


def chunks_of(mebibytes: int) -> Iterator[bytes]:
    yield b"["
    for _ in range(mebibytes * 16):
        yield b" " * 65_536
    yield b"]"


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        (JSON, text(GOOD), 202, None),
        (JSON, text(GOOD, BAD), 202, None),
        (JSON + "; charset=utf-8", text(GOOD), 202, None),
        (ONE, text(GOOD), 202, None),
        (BATCH, json.dumps([GOOD]), 202, None),
        (NDJSON, f"{text(GOOD)}\n{{broken\n", 202, None),
        (JSON, text(BAD), 422, "none-acceptable"),
        (JSON, "[]", 422, "no-events"),
        (JSON, "7", 422, "none-acceptable"),
        (NDJSON, "{broken\n", 422, "none-acceptable"),
        (JSON, "", 400, "malformed-json"),
        (NDJSON, "\n\n", 400, "malformed-json"),
        (JSON, "[{]", 400, "malformed-json"),
        (ONE, json.dumps([GOOD]), 400, "malformed-json"),
        (BATCH, text(GOOD), 400, "malformed-json"),
        (JSON, "[" + "1," * 5_000 + "1]", 413, "too-many-events"),
        (JSON, "[" + " " * 6 * 1024 * 1024 + "]", 413, "body-too-large"),
        ("text/plain", text(GOOD), 415, "wrong-content-type"),
        ("application/xml", text(GOOD), 415, "wrong-content-type"),
        (JSON + "; charset=latin-1", text(GOOD), 415, "wrong-content-type"),
        ("", text(GOOD), 415, "wrong-content-type"),
    ],
)
def test_a_request_gets_its_status(
    door: TrackingProcess, content_type: str, body: str, status: int, code: str | None
) -> None:
    answer = door.client.post("/v1/events", content=body, headers={"content-type": content_type})
    assert answer.status_code == status, answer.text
    found = answer.json()
    assert isinstance(found["rejected"], list)
    if status == 202:
        assert found["accepted"] + found["duplicates"] == 1
    else:
        assert (found["accepted"], found["duplicates"]) == (0, 0)
        assert answer.headers["content-type"] == "application/problem+json"
        assert found["code"] == code
        assert found["status"] == status


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": ""}, "key-missing"),
        ({"authorization": "Basic abc"}, "key-missing"),
        ({"authorization": "Bearer wrong"}, "key-unknown"),
        ({"authorization": f"Bearer gw_{'0' * 12}_{'0' * 64}"}, "key-unknown"),
    ],
)
def test_without_a_good_key_nothing_is_taken(door: TrackingProcess, headers: dict[str, str], code: str) -> None:
    answer = door.send(GOOD, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_compressed_and_binary_mode_are_refused(door: TrackingProcess) -> None:
    assert door.send(GOOD, headers={"content-encoding": "gzip"}).json()["code"] == "wrong-content-encoding"
    assert door.send(GOOD, headers={"ce-specversion": "1.0"}).json()["code"] == "binary-mode"


def test_unknown_paths_and_methods_are_problems(door: TrackingProcess) -> None:
    assert door.client.get("/nope").json()["code"] == "not-found"
    answer = door.client.get("/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


def test_a_body_without_length_is_read_no_further_than_the_limit(door: TrackingProcess) -> None:
    answer = door.client.post("/v1/events", content=chunks_of(6), headers={"content-type": JSON})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert door.send(event()).status_code == 202, "the next request is answered as if nothing had happened"


def test_rejections_name_index_id_field_and_reason(door: TrackingProcess) -> None:
    sent = [event("r-0"), event("r-1", deal={"id": "a:b"}), event("r-2"), event("r-3", type="clock.day_closed")]
    answer = door.send(sent)
    assert answer.status_code == 202
    found = answer.json()
    assert (found["accepted"], found["duplicates"]) == (2, 0)
    assert [(r["index"], r["id"], r["field"], r["code"]) for r in found["rejected"]] == [
        (1, "r-1", "data.deal.id", "id-with-colon"),
        (3, "r-3", "type", "system-type"),
    ]
    assert all(r["reason"] for r in found["rejected"])


async def test_an_id_again_is_a_duplicate_or_a_conflict_and_in_the_log_once(door: TrackingProcess) -> None:
    first, changed = event("again"), event("again", deal={"id": "D2"})
    reordered = {name: first[name] for name in reversed(first)} | {"time": "2017-03-01T02:00:00+02:00"}
    assert door.send([first, first]).json() == {"accepted": 1, "duplicates": 1, "rejected": []}
    assert door.send([first, reordered]).json() == {"accepted": 0, "duplicates": 2, "rejected": []}
    conflict = door.send(changed)
    assert conflict.status_code == 409
    assert [(r["id"], r["code"]) for r in conflict.json()["rejected"]] == [("again", "conflict")]
    mixed = door.send([changed, first])
    assert mixed.status_code == 202
    assert (mixed.json()["duplicates"], len(mixed.json()["rejected"])) == (1, 1)
    assert door.send(first | {"source": "crm/other"}).json()["accepted"] == 1, "another source is another id"
    in_one = door.send([event("twice"), event("twice", deal={"id": "D2"})]).json()
    assert (in_one["accepted"], [r["code"] for r in in_one["rejected"]]) == (1, ["conflict"])
    ids = ids_of(await read_topic(door.postgres, REFERRALS))
    assert (ids.count("again"), ids.count("twice")) == (2, 1)


async def test_the_same_event_from_many_senders_at_once_is_published_once(door: TrackingProcess) -> None:
    same = [event(f"rush-{number}") for number in range(20)]

    def send(turn: int) -> tuple[int, int]:
        with httpx.Client(base_url=door.url, headers={"authorization": f"Bearer {ADMIN_KEY}"}) as client:
            sent = same if turn % 2 else same[::-1]
            answer = client.post("/v1/events", json=sent, timeout=60).json()
            return answer["accepted"], answer["duplicates"]

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(send, range(24)))
    assert sum(accepted for accepted, _ in counts) == 20
    assert sum(duplicates for _, duplicates in counts) == 23 * 20
    ids = ids_of(await read_topic(door.postgres, REFERRALS))
    assert [ids.count(e["id"]) for e in same] == [1] * 20


async def test_a_partner_is_registered_before_its_first_event(door: TrackingProcess) -> None:
    door.send([event("reg-1", partner="newcomer"), event("reg-2", partner="newcomer")])
    door.send(event("reg-3", partner="newcomer"))
    door.send(
        event(
            "reg-4", type="partner.updated", partner="newcomer", profile={"name": "New Comer", "email": "n@c.example"}
        )
    )
    records = [record for record in await read_topic(door.postgres, REFERRALS) if record.key == b"newcomer"]
    assert ids_of(records) == ["partner-crm/newcomer", "reg-1", "reg-2", "reg-3", "reg-4"]
    headers = dict(records[0].headers)
    assert (headers["ce_type"], headers["ce_source"]) == (b"partner.registered", b"goodword/tracking")
    assert headers["ce_time"] == b"2017-03-01T00:00:00.000Z"
    registered, updated = decode_data(records[0].value), decode_data(records[-1].value)
    assert registered.profile is not None
    assert registered.profile.status == "active"
    assert updated.profile is not None
    assert (updated.profile.status, updated.profile.name) == ("active", "New Comer"), "the merged profile travels"
    assert decode_data(records[1].value).attribution == "named"
    snapshots = [record for record in await read_topic(door.postgres, PARTNERS) if record.key == b"crm:newcomer"]
    last = decode_data(snapshots[-1].value).profile
    assert last is not None
    assert last.email == "n@c.example"
    [row] = [row for row in partners(door.postgres, "crm") if row["partner"] == "newcomer"]
    assert (row["name"], row["status"], row["joined_at"]) == ("New Comer", "active", "2017-03-01T00:00:00.000Z")
    listed = door.client.get("/v1/partners", params={"programme": "crm"}).json()["partners"]
    assert "newcomer" in [partner["partner"] for partner in listed]


async def test_requests_that_meet_the_same_new_partners_in_other_orders_do_not_hinder_each_other(
    door: TrackingProcess, seed: int
) -> None:
    draw = random.Random(seed)
    names = [f"crowd-{number}" for number in range(60)]
    requests = [
        [event(f"crowd-{sender}-{name}", partner=name) for name in draw.sample(names, len(names))]
        for sender in range(12)
    ]
    with ThreadPoolExecutor(len(requests)) as senders:
        answers = list(senders.map(door.send, requests))
    assert [answer.status_code for answer in answers] == [202] * len(requests)
    records = [record for record in await read_topic(door.postgres, REFERRALS) if record.key in map(str.encode, names)]
    registered = [record.key for record in records if dict(record.headers)["ce_type"] == b"partner.registered"]
    assert sorted(set(registered)) == sorted(name.encode() for name in names)
    assert len(records) - len(registered) == len(requests) * len(names)


async def test_a_partner_that_registers_itself_is_not_registered_twice(door: TrackingProcess) -> None:
    sent = event("own", type="partner.registered", partner="selfmade", profile={"name": "Self", "status": "applied"})
    assert door.send(sent).json()["accepted"] == 1
    assert door.send(event("own-2", partner="selfmade")).json()["accepted"] == 1
    records = [record for record in await read_topic(door.postgres, REFERRALS) if record.key == b"selfmade"]
    assert ids_of(records) == ["own", "own-2"]
    profile = decode_data(records[0].value).profile
    assert profile is not None
    assert (profile.name, profile.status) == ("Self", "applied")


async def test_a_key_does_what_its_scope_says_until_it_is_revoked(door: TrackingProcess) -> None:
    key, token = await create_key(door.postgres, name="web", sources=("web/*",), may_name_partner=False)
    bearer = {"authorization": f"Bearer {token}"}
    nobody = event(source="web/shop")
    del nobody["data"]["partner"]
    assert door.send(nobody, headers=bearer).status_code == 202
    for refused, code in (
        (event(source="crm/acme"), "source-outside-scope"),
        (event(source="web/shop"), "may-not-name-partner"),
    ):
        answer = door.send(refused, headers=bearer)
        assert answer.status_code == 403
        assert [r["code"] for r in answer.json()["rejected"]] == [code]
    partly = door.send([event(source="web/shop"), nobody | {"id": "partly"}], headers=bearer)
    assert (partly.status_code, partly.json()["accepted"]) == (202, 1)
    assert door.client.get("/v1/partners", headers=bearer).status_code == 403
    assert await revoke_key(door.postgres, key.key_id)
    assert [row["revoked_at"] is not None for row in await keys(door.postgres) if row["key_id"] == key.key_id] == [True]


async def test_what_nobody_is_named_for_is_kept_with_the_reason(door: TrackingProcess) -> None:
    orphan = event("orphan", referral_code="nope")
    del orphan["data"]["partner"]
    answer = door.send([orphan, event("not-orphan")])
    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": [], "unattributed": 1}
    [row] = [row for row in unattributed(door.postgres) if row["event_id"] == "orphan"]
    assert row["reason"] == 'there is no link "nope"'
    with psycopg.connect(door.postgres) as connection:
        stored = connection.execute(
            "SELECT data ->> 'referral_code' FROM tracking.unattributed WHERE event_id = 'orphan'"
        ).fetchone()
    assert stored == ("nope",)
    assert "orphan" not in ids_of(await read_topic(door.postgres, REFERRALS))
    assert door.send(orphan).json()["duplicates"] == 1


async def test_a_click_leads_to_the_target_and_names_the_partner_of_a_lead(door: TrackingProcess) -> None:
    link = {"code": "summer", "programme": "crm", "partner": "linker", "target": "https://example.com/offer?a=1#top"}
    assert door.client.post("/v1/links", json=link).status_code == 201
    again = door.client.post("/v1/links", json=link)
    assert (again.status_code, again.json()["url"]) == (200, f"{door.url}/r/summer")
    assert door.client.post("/v1/links", json=link | {"target": "https://evil.example"}).status_code == 409
    assert door.client.post("/v1/links", json=link | {"code": "x", "target": "javascript:1"}).status_code == 422
    assert door.client.post("/v1/links", json=link | {"hello": 1}).json()["where"] == "hello"
    made_up = door.client.post("/v1/links", json={name: link[name] for name in link if name != "code"})
    assert made_up.status_code == 201
    assert len(made_up.json()["code"]) == 8

    async with httpx.AsyncClient(base_url=door.url, headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0)"}) as visitor:
        assert (await visitor.get("/r/nope")).status_code == 404
        assert (await visitor.head("/r/summer")).status_code == 302
        answer = await visitor.get("/r/summer?target=https://evil.example")
    assert answer.status_code == 302
    click_id = answer.cookies["gw_click"]
    assert answer.headers["location"] == f"https://example.com/offer?a=1&gw_click={click_id}#top"
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Max-Age=7776000", "Path=/"))

    lead = event("lead-by-click", type="lead.registered", lead={"id": "L1"}, click_id=click_id)
    lead["time"] = "2026-01-01T00:00:00Z"  # long before the click: does not count
    late = event("lead-by-click-2", type="lead.registered", lead={"id": "L1"}, referral_code="summer")
    for sent in (lead, late):
        del sent["data"]["partner"], sent["data"]["deal"]
        assert door.send(sent).json()["accepted"] == 1
    records = [record for record in await read_topic(door.postgres, REFERRALS) if record.key == b"linker"]
    assert ids_of(records) == ["partner-crm/linker", "lead-by-click-2"]
    assert decode_data(records[1].value).attribution == "code"
    [row] = [row for row in unattributed(door.postgres) if row["event_id"] == "lead-by-click"]
    assert row["reason"] == "the click is later than the event"

    door.terminate()  # flushes the clicks
    assert door.wait() == 0
    [click] = await read_topic(door.postgres, CLICKS)
    data = decode_data(click.value)
    assert data.link is not None
    assert (click.key, data.partner, data.link.ip_prefix, data.link.user_agent_class) == (
        b"summer",
        "linker",
        "127.0.0.0/24",
        "desktop",
    )
    assert data.link.landing_page == "https://example.com/offer"
    door.start()


def test_one_trace_leads_from_the_request_to_the_log(door: TrackingProcess) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = door.send(event("traced"), headers={"traceparent": trace})
    assert answer.headers["traceparent"] == trace
    malformed = door.send(event(), headers={"traceparent": "hello"})
    assert malformed.headers["traceparent"].startswith("00-")


async def test_a_trace_travels_with_the_record(door: TrackingProcess) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01"
    door.send(event("traced-2"), headers={"traceparent": trace})
    [record] = [r for r in await read_topic(door.postgres, REFERRALS) if dict(r.headers)["ce_id"] == b"traced-2"]
    assert dict(record.headers)["ce_traceparent"] == trace.encode()


def test_the_metrics_tell_what_happened(door: TrackingProcess) -> None:
    door.send([event("m-1"), event("m-1"), event("m-2", type="deal.one")])
    exposed = door.client.get("/metrics").text
    for line in (
        'goodword_tracking_events_total{outcome="duplicate",type="deal.opened"}',
        'goodword_tracking_events_total{outcome="rejected",type="unknown"}',
        'goodword_tracking_requests_total{status="202"}',
        "goodword_tracking_inflight_bytes 0.0",
    ):
        assert line in exposed
