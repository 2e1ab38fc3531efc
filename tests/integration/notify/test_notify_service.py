"""The whole service over the log in PostgreSQL: facts in, mails out, once each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import httpx
from starlette.applications import Starlette

from contracts.decisions import (
    DECISION_DENIED,
    DECISION_GRANTED,
    DECISIONS_SOURCE,
    RULE_LEAD_QUALIFIED,
    RULE_TIER,
    Decision,
    encode_decision,
)
from contracts.events import EventData, PartnerProfile, encode_data, event_headers
from contracts.facts import LEDGER_SOURCE, TRANSFER_POSTED, TransferPosted, encode_fact
from contracts.ids import decision_id, transfer_id
from contracts.topics import DECISIONS, LEDGER, PARTNERS
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Record
from runtime.clock import SystemClock
from runtime.http import health_routes
from runtime.service import App
from services.notify import reads
from services.notify.app import build_app
from services.notify.messages import DAY_MS
from tests.integration.notify.support import PROGRAMME, TRACE, scripted_relay, settings_for, until
from tests.support.components import running_components

TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
NOW_MS = SystemClock().now_ms()
OLD_MS = NOW_MS - 8 * DAY_MS


def decision(rule: str, partner: str, *, event: str, time_ms: int = NOW_MS, granted: bool = True) -> Record:
    made = Decision(
        id=decision_id(
            time_ms=time_ms,
            programme=PROGRAMME,
            source="crm/acme",
            event_id=event,
            rule=rule,
            beneficiary=f"partner:{partner}",
        ),
        granted=granted,
        programme=PROGRAMME,
        revision=1,
        rule=rule,
        partner=partner,
        beneficiary=f"partner:{partner}",
        event_type="deal.won",
        event_source="crm/acme",
        event_id=event,
        time_ms=time_ms,
        tier="bronze" if rule == RULE_TIER else None,
        tier_to="silver" if rule == RULE_TIER else None,
        customer="cancity",
        customer_name="Cancity",
        lead="lead-1",
    )
    headers = event_headers(
        type=DECISION_GRANTED if granted else DECISION_DENIED,
        source=DECISIONS_SOURCE,
        id=made.id,
        time_ms=time_ms,
        recorded_at_ms=NOW_MS,
        traceparent=TRACEPARENT,
    )
    return Record(partner.encode(), encode_decision(made), headers)


def transfer(partner: str, *, event: str, credit: str | None = None, time_ms: int = NOW_MS) -> Record:
    made_by = decision_id(
        time_ms=time_ms,
        programme=PROGRAMME,
        source="crm/acme",
        event_id=event,
        rule="commission",
        beneficiary=f"partner:{partner}",
    )
    fact = TransferPosted(
        id=transfer_id(made_by, "granted"),
        group=made_by,
        stage="granted",
        decision=made_by,
        programme=PROGRAMME,
        rule="commission",
        partner=partner,
        debit=f"programme:{PROGRAMME}:cost",
        credit=credit or f"partner:{partner}:available",
        amount_minor=105400,
        unit="USD",
        event_source="crm/acme",
        event_id=event,
        time_ms=time_ms,
        posted_at_ms=NOW_MS,
        traceparent=TRACEPARENT,
        customer="cancity",
        customer_name="Cancity",
        deal="1C1I7A6R",
    )
    headers = event_headers(
        type=TRANSFER_POSTED, source=LEDGER_SOURCE, id=fact.id, time_ms=time_ms, recorded_at_ms=NOW_MS
    )
    return Record(partner.encode(), encode_fact(fact), headers)


def snapshot(partner: str, email: str | None) -> Record:
    data = EventData(programme=PROGRAMME, partner=partner, profile=PartnerProfile(name="Moses", email=email))
    headers = event_headers(
        type="partner.snapshot", source="goodword/tracking", id=partner, time_ms=NOW_MS, recorded_at_ms=NOW_MS
    )
    return Record(partner.encode(), encode_data(data), headers)


@contextlib.asynccontextmanager
async def running_notify(url: str, smtp_port: int) -> AsyncIterator[tuple[App, Bus]]:
    """The service's components, as `runtime.service` starts and stops them."""
    settings = settings_for(url, smtp_port, partitions=2, admin_key="operator")
    bus = open_bus(kafka=None, postgres=url, client="notify")
    app = build_app(settings, clock=SystemClock(), bus=bus)
    async with running_components(app):
        yield app, bus


async def until_read(bus: Bus) -> None:
    groups = {DECISIONS: "notify-decisions", LEDGER: "notify-ledger", PARTNERS: "notify-partners"}

    async def read() -> bool:
        for topic, group in groups.items():
            committed = await bus.committed(topic.name, group)
            ends = await bus.end_offsets(topic.name)
            if any(end > committed.get(partition, 0) for partition, end in ends.items()):
                return False
        return True

    await until(read, "all topics read")


async def until_outcomes(url: str, wanted: dict[str, int]) -> None:
    async def are_so() -> bool:
        found = await asyncio.to_thread(reads.counts, url)
        return {outcome: count for outcome, count in found.items() if count} == wanted

    await until(are_so, f"outcomes {wanted}")


async def publish_facts(bus: Bus, decisions: Sequence[Record], transfers: Sequence[Record]) -> None:
    await bus.publish(DECISIONS.name, decisions)
    await bus.publish(LEDGER.name, transfers)


def sample(app: App, name: str, **labels: str) -> float:
    return app.metrics.registry.get_sample_value(f"goodword_notify_{name}", labels) or 0.0


async def test_facts_become_mails_once_however_often_they_come(notify_url: str) -> None:
    decisions = [
        decision(RULE_LEAD_QUALIFIED, "moses", event="lead-1"),
        decision(RULE_TIER, "moses", event="deal-1"),
        decision("commission", "moses", event="deal-1"),
        decision(RULE_LEAD_QUALIFIED, "moses", event="lead-2", granted=False),
    ]
    transfers = [
        transfer("moses", event="deal-1"),
        transfer("moses", event="deal-2", credit="customer:cancity:available"),
    ]
    async with scripted_relay() as (script, port):
        async with running_notify(notify_url, port) as (app, bus):
            await publish_facts(bus, decisions, transfers)
            await bus.publish(PARTNERS.name, [snapshot("moses", "ok.moses@example.com")])
            await until_outcomes(notify_url, {"sent": 3})
            await publish_facts(bus, decisions, transfers)
            await until_read(bus)
            assert sample(app, "mails_total", kind="reward-granted", outcome="sent") == 1
        async with running_notify(notify_url, port) as (_, bus):
            await publish_facts(bus, decisions, transfers)
            await until_read(bus)
            await until_outcomes(notify_url, {"sent": 3})
        assert sorted(str(message["Subject"]) for message in script.accepted) == [
            "You earned 1,054.00 USD",
            "You reached the tier silver",
            "Your lead for Cancity qualified",
        ]
        assert {message["X-Goodword-Trace"] for message in script.accepted} == {TRACE}


async def test_imported_history_is_recorded_and_mails_nobody(notify_url: str) -> None:
    decisions = [decision(RULE_LEAD_QUALIFIED, "moses", event=f"lead-{n}", time_ms=OLD_MS) for n in range(500)]
    transfers = [transfer("moses", event=f"deal-{n}", time_ms=OLD_MS) for n in range(500)]
    async with scripted_relay() as (script, port), running_notify(notify_url, port) as (app, bus):
        await bus.publish(PARTNERS.name, [snapshot("moses", "ok.moses@example.com")])
        await publish_facts(bus, decisions, transfers)
        await until_outcomes(notify_url, {"too-old": 1000})
        assert sample(app, "mails_total", kind="lead-qualified", outcome="too-old") == 500
        assert script.accepted == []


async def test_a_partner_without_address_gets_none_and_the_mail_is_listed(notify_url: str) -> None:
    async with scripted_relay() as (_, port), running_notify(notify_url, port) as (_, bus):
        await bus.publish(PARTNERS.name, [snapshot("moses", None)])
        await publish_facts(bus, [decision(RULE_LEAD_QUALIFIED, "moses", event="lead-1")], [])
        await until_outcomes(notify_url, {"no-address": 1})


async def test_unreadable_records_are_dead_letters_and_the_others_go_on(notify_url: str) -> None:
    def granted(value: bytes) -> Record:
        return Record(b"moses", value, (("ce_type", DECISION_GRANTED.encode()),))

    good = decision(RULE_LEAD_QUALIFIED, "moses", event="lead-1")
    bad = [
        granted(b"not json"),
        granted(b'{"id":"x"}'),
        granted(good.value.replace(b'"id":"', b'"id":"zz')),
        granted(good.value.replace(b'"partner":"moses"', b'"partner":"mo\\u0000ses"')),
    ]
    async with scripted_relay() as (_, port), running_notify(notify_url, port) as (app, bus):
        await bus.publish(PARTNERS.name, [snapshot("moses", "ok.moses@example.com")])
        await publish_facts(bus, [*bad, good], [])
        await until_outcomes(notify_url, {"sent": 1})
        assert await bus.end_offsets(DECISIONS.dlq) == {0: len(bad)}
        assert sample(app, "dlq_records_total", topic=DECISIONS.name) == len(bad)


async def test_http_lists_mails_for_the_operator_only(notify_url: str) -> None:
    async with scripted_relay() as (_, port), running_notify(notify_url, port) as (app, bus):
        await bus.publish(PARTNERS.name, [snapshot("moses", "never.moses@example.com")])
        await publish_facts(bus, [decision(RULE_LEAD_QUALIFIED, "moses", event="lead-1")], [])
        await until_outcomes(notify_url, {"failed": 1})
        routes = [*app.routes, *health_routes("notify", app.checks, app.metrics, lambda: "ok")]
        transport = httpx.ASGITransport(app=Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://notify") as client:
            assert (await client.get("/v1/mails")).status_code == 401
            client.headers["Authorization"] = "Bearer operator"
            [mail] = (await client.get("/v1/mails", params={"outcome": "failed"})).json()["mails"]
            assert (mail["partner"], mail["reason"]) == ("moses", "before DATA: 550 5.1.1 no such user")
            assert (await client.get("/v1/mails", params={"outcome": "lost"})).status_code == 422
            assert (await client.get("/v1/mails", params={"limit": "0"})).status_code == 422
            assert (await client.get("/v1/mails/counts")).json()["failed"] == 1
            ready = await client.get("/readyz")
            assert ready.status_code == 200
            assert set(ready.json()["checks"]) == {"started", "bus", "postgres"}
