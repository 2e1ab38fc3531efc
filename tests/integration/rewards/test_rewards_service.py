"""The whole service on a real bus: decisions in, balances, facts, explanations and metrics out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.decisions import (
    DECISION_DENIED,
    DECISION_GRANTED,
    DECISIONS_SOURCE,
    BudgetClaim,
    Decision,
    encode_decision,
)
from contracts.events import event_headers
from contracts.topics import DECISIONS, LEDGER
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Received, Record
from runtime.clock import SystemClock
from runtime.service import App
from services.rewards.app import build_app
from services.rewards.reads import balances
from services.rewards.settings import GROUP, GROUP_ARCHIVE, RewardsSettings
from tests.support.components import running_components
from tests.support.decisions import SOURCE, decided, denied
from tests.support.ledger import expected_balances, found_balances

pytestmark = pytest.mark.timeout(120)
DEADLINE_S = 40
YEAR_3000_MS = 32_503_680_000_000
HELD = decided(800, available_at_ms=YEAR_3000_MS)
UNPAYABLE = decided(801, budgets=(BudgetClaim("yearly", "2026", 1, "USD", "hold"),))
KEY = {"Authorization": "Bearer operator"}


@contextlib.asynccontextmanager
async def running(url: str, kafka: str | None = None, **settings: Any) -> AsyncIterator[tuple[App, Bus]]:
    """The service without its HTTP server, stopped in reverse order."""
    bus = open_bus(kafka=kafka, postgres=url, client="rewards")
    made = RewardsSettings(
        postgres=url, kafka=kafka, partitions=3, admin_key=SecretStr("operator"), gauges_every_s=0.05, **settings
    )
    app = build_app(made, clock=SystemClock(), bus=bus)
    async with running_components(app):
        yield app, bus


def record(decision: Decision, traceparent: str = "") -> Record:
    headers = event_headers(
        type=DECISION_GRANTED if decision.granted else DECISION_DENIED,
        source=DECISIONS_SOURCE,
        id=decision.id,
        time_ms=decision.time_ms,
        recorded_at_ms=decision.time_ms,
        traceparent=traceparent,
    )
    return Record(decision.partner.encode(), encode_decision(decision), headers)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await is_so():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


def handled(bus: Bus, group: str) -> Callable[[], Awaitable[bool]]:
    async def is_handled() -> bool:
        ends = await bus.end_offsets(DECISIONS.name)
        committed = await bus.committed(DECISIONS.name, group)
        return all(committed.get(partition, 0) == end for partition, end in ends.items())

    return is_handled


async def read_all(bus: Bus, topic: str) -> list[Received]:
    return [
        received
        for partition, end in (await bus.end_offsets(topic)).items()
        async for records in bus.read(topic, partition, start=0, end=end, batch_records_max=1_000)
        for received in records
    ]


def sample(app: App, name: str, **labels: str) -> float:
    value = app.metrics.registry.get_sample_value(name, labels)
    assert value is not None, name
    return value


async def test_decisions_become_balances_facts_explanations_and_metrics(postgres_url: str) -> None:
    decisions = [decided(n, partner=f"p{n % 9}") if n % 3 else denied(n, partner=f"p{n % 9}") for n in range(300)]
    poison = [
        Record(b"p1", b"{not json"),
        record(decided(900, takes_back="no id")),
        record(decided(901, beneficiary="partner:a:b")),
    ]
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    granted_count = sum(decision.granted for decision in decisions)
    async with running(postgres_url) as (app, bus):
        await bus.publish(DECISIONS.name, [record(d, trace) for d in decisions[:200]] + poison)
        await bus.publish(DECISIONS.name, [record(d, trace) for d in [*decisions[150:], HELD, UNPAYABLE]])
        await until(handled(bus, GROUP))
        await until(handled(bus, GROUP_ARCHIVE))
        found = found_balances(postgres_url)
        assert found.pop(("partner:ann:pending", "USD")) == 10_000
        found["programme:crm-sales:cost", "USD"] += 10_000
        assert {key: minor for key, minor in found.items() if ":yearly" not in key[0] and minor} == expected_balances(
            decisions
        )

        async def facts_are_out() -> bool:
            return len(await read_all(bus, LEDGER.name)) == granted_count + 3

        # The hold, what the budget was given, and that one waits for it.
        await until(facts_are_out)
        told = [fact for fact in await read_all(bus, LEDGER.name) if fact.key != b"crm-sales"]
        assert all(("ce_traceparent", trace.encode()) in fact.headers for fact in told)
        letters = await read_all(bus, DECISIONS.dlq)
        assert sorted(dict(letter.headers)["dlq_code"] for letter in letters) == [
            b"account-outside-chart",
            b"not-a-decision",
            b"takes-back-malformed",
        ]

        assert sample(app, "goodword_rewards_transfers_total", stage="granted") == granted_count + 1
        repeated = sum(decision.granted for decision in decisions[150:200])
        assert sample(app, "goodword_rewards_duplicates_total") == repeated
        assert sample(app, "goodword_rewards_dlq_records_total", topic=DECISIONS.name) == 3

        async def gauges_are_level() -> bool:
            lags = [
                sample(app, "goodword_rewards_bus_lag_records", topic=DECISIONS.name, group=group)
                for group in (GROUP, GROUP_ARCHIVE)
            ]
            return lags == [0, 0] and sample(app, "goodword_rewards_outbox_pending_batches") == 0

        await until(gauges_are_level)
        for check in app.checks.values():
            await check()

        await ask_over_http(app)


async def ask_over_http(app: App) -> None:
    transport = httpx.ASGITransport(app=Starlette(routes=list(app.routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://rewards") as client:
        assert (await client.get("/v1/balances")).status_code == 401
        answer = await client.get("/v1/balances", headers=KEY)
        assert {"account": "partner:p1:available", "unit": "USD", "minor": 340_000} in answer.json()["balances"]
        answer = await client.get("/v1/trial-balance", headers=KEY)
        assert answer.json()["trial_balance"][0]["minor"] == 0
        answer = await client.get("/v1/statements/partner:p1:available?limit=2&order=oldest", headers=KEY)
        assert [posting["balance_minor"] for posting in answer.json()["postings"]] == [10_000, 20_000]
        answer = await client.get("/v1/holds?of=partner:ann&limit=5", headers=KEY)
        assert [(hold["minor"], hold["decision"]) for hold in answer.json()["holds"]] == [(10_000, HELD.id)]
        answer = await client.get("/v1/waiting", headers=KEY)
        assert [line["reason"] for line in answer.json()["waiting"]] == ["budget yearly of 2026 is spent"]
        answer = await client.get("/v1/budgets", headers=KEY)
        assert [(line["budget"], line["left_minor"]) for line in answer.json()["budgets"]] == [("yearly", 1)]
        answer = await client.get(f"/v1/explain/{SOURCE}/opp-3-won", headers=KEY)
        assert [decision["reason"] for decision in answer.json()["decisions"]] == ["deal.amount >= 500 USD"]
        for path, status, code in [
            ("/v1/explain/nothing", 404, "nothing-known"),
            ("/v1/statements/partner:p1", 422, "account-outside-chart"),
            ("/v1/statements/partner:p1:paid?limit=x", 422, "bad-request"),
            ("/v1/statements/partner:p1:paid?order=up", 422, "bad-request"),
            ("/v1/holds?limit=-1", 422, "bad-request"),
        ]:
            answer = await client.get(path, headers=KEY)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
        await book_over_http(app, client)


async def book_over_http(app: App, client: httpx.AsyncClient) -> None:
    """What is booked by hand counts as every other transfer, once, and what is refused does not."""

    def released() -> float | None:
        return sample(app, "goodword_rewards_transfers_total", stage="released")

    counts = [released()]
    part = {"reason": "agreed", "amount": {"minor": 4_000, "unit": "USD"}}
    for key, status in (("one", 200), ("one", 200), ("two", 200), ("too-much", 422)):
        answer = await client.post(
            f"/v1/decisions/{HELD.id}/release", headers=KEY | {"idempotency-key": key}, json=part
        )
        assert answer.status_code == status, answer.text
        counts.append(released())
    assert counts == [0, 1, 1, 2, 2]


async def test_delivered_again_after_a_restart_nothing_changes(postgres_url: str) -> None:
    decisions = [decided(n, partner=f"p{n % 9}") for n in range(100)]
    for _ in range(2):
        async with running(postgres_url) as (_, bus):
            await bus.publish(DECISIONS.name, [record(d) for d in decisions])
            await until(handled(bus, GROUP))
            await until(handled(bus, GROUP_ARCHIVE))
    assert found_balances(postgres_url) == expected_balances(decisions)


async def test_too_many_bad_records_stop_the_service(postgres_url: str) -> None:
    async with running(postgres_url, dlq_run_max=5) as (app, bus):
        await bus.publish(DECISIONS.name, [Record(b"p1", b"{") for _ in range(20)])
        consumer = next(c for c in app.components if c.name.startswith("consumer"))
        with pytest.raises(Exception, match="in a row"):
            await asyncio.wait_for(consumer.wait(), DEADLINE_S)
    assert balances(postgres_url) == []
