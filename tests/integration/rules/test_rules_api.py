"""The operator's HTTP: publish and list rule sets, every answer in a table; and what the stored states answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.events import parse_time_ms
from runtime.bus.partitioner import partition_of
from runtime.bus.port import Bus
from services.rules.api import BODY_BYTES_MAX, routes
from services.rules.standing import newest_decided_ms, read_tiers
from services.rules.state import PartnerState, decided_key, encode_decided, encode_partner, partner_key
from services.rules.store import StateStore
from tests.integration.rules.conftest import PARTITIONS
from tests.integration.rules.harness import PROGRAMME, RULES

DECIDED_MS = parse_time_ms("2026-03-01T00:00:00Z")


class FixedClock:
    def now_ms(self) -> int:
        return parse_time_ms("2026-11-22T12:00:00Z")


@pytest.fixture
async def client(schema_url: str, bus: Bus, store: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    made = routes(postgres=schema_url, bus=bus, store=store, clock=FixedClock(), admin_key=SecretStr("secret"))
    transport = httpx.ASGITransport(Starlette(routes=made))
    headers = {"authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://rules", headers=headers) as client:
        yield client


async def test_a_rule_set_is_published_once_and_listed(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/rulesets", params={"path": "crm.yaml", "author": "ana"}, content=RULES)
    again = await client.post("/v1/rulesets", content=RULES)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() | {"is_new": False, "second_opinion": ""} == again.json()
    (listed,) = (await client.get("/v1/rulesets", params={"programme": PROGRAMME})).json()["revisions"]
    told = ("revision", "digest", "path", "effective_from", "published_at", "author", "state")
    assert {name: listed[name] for name in told} == {
        "revision": 1,
        "digest": first.json()["digest"],
        "path": "crm.yaml",
        "effective_from": "2016-01-01T00:00:00.000Z",
        "published_at": "2026-11-22T12:00:00.000Z",
        "author": "ana",
        "state": "active",
    }


FAILING = (
    f"{RULES}\ntests: [{{name: a deal, events: [{{type: deal.won, deal.amount: 0 USD}}], expect: [tier: gold]}}]\n"
)
REFUSED = {
    "no key": ({"authorization": ""}, RULES.encode(), 401, "key-refused"),
    "another key": ({"authorization": "Bearer guess"}, RULES.encode(), 401, "key-refused"),
    "not UTF-8": ({}, b"\xff\xfe", 422, "not-utf-8"),
    "over the limit": ({}, b"#" * (BODY_BYTES_MAX + 1), 413, "body-too-large"),
    "with a test that fails": ({}, FAILING.encode(), 422, "rule-tests-failed"),
    "with errors": ({}, RULES.replace("deal.won", "deal.wonn").encode(), 422, "rule-set-errors"),
    "reaching back": ({}, RULES.encode(), 409, "reaches-back"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_has_its_own_answer(client: httpx.AsyncClient, store: StateStore, case: str) -> None:
    headers, body, status, code = REFUSED[case]
    await store.save(1, await store.position(1), 5, {decided_key(PROGRAMME): encode_decided(DECIDED_MS)})
    answer = await client.post("/v1/rulesets", headers=headers, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get("/v1/rulesets")).json() == {"revisions": []}


async def test_every_error_of_a_file_is_in_the_answer_with_its_place(client: httpx.AsyncClient) -> None:
    text = RULES.replace("deal.amount >= 100 USD", "deal.ammount >= 100 USD").replace("timezone: UTC", "timezone: Mars")
    answer = await client.post("/v1/rulesets", params={"path": "crm.yaml"}, content=text)
    problems = answer.json()["problems"]
    assert [each["code"] for each in problems] == ["unknown-timezone", "unknown-path"]
    assert problems[0]["where"].startswith("crm.yaml:4:")


async def test_an_outage_is_answered_as_one(bus: Bus, store: StateStore) -> None:
    nowhere = "postgresql://127.0.0.1:1/none"
    made = routes(postgres=nowhere, bus=bus, store=store, clock=FixedClock(), admin_key=SecretStr("secret"))
    transport = httpx.ASGITransport(Starlette(routes=made))
    async with httpx.AsyncClient(transport=transport, base_url="http://rules") as client:
        answer = await client.get("/v1/rulesets", headers={"authorization": "Bearer secret"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


async def test_tiers_and_decided_time_are_read_from_the_states_of_all_partitions(
    store: StateStore, valkey_url: str
) -> None:
    partners = [(PROGRAMME, f"partner-{number}") for number in range(10)]
    for programme, partner in partners[:-1]:
        partition = partition_of(partner.encode(), PARTITIONS)
        position = await store.position(partition)
        state = PartnerState(programme=programme, partner=partner, tier=f"tier of {partner}")
        decided = encode_decided(DECIDED_MS + partition)
        dirty: dict[bytes, bytes | None] = {
            partner_key(programme, partner): encode_partner(state),
            decided_key(programme): decided,
        }
        await store.save(partition, position, position.offset + 1, dirty)
    tiers = await read_tiers(valkey_url, partners, PARTITIONS)
    assert tiers == {each: f"tier of {each[1]}" for each in partners[:-1]} | {partners[-1]: None}
    assert await newest_decided_ms(store, PROGRAMME, PARTITIONS) == DECIDED_MS + PARTITIONS - 1
    assert await newest_decided_ms(store, "another", PARTITIONS) is None
