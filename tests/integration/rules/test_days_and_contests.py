"""Days close, silences are told and contests won by a rules service really started; twice at once, and after a kill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from contracts.decisions import Decision, decode_decision
from contracts.topics import REFERRALS
from runtime.bus.port import Bus
from services.rules.contests.read import Standings, read_standings
from services.rules.explaining.explain import explain
from services.rules.lifecycle import Desk, publish_rule_set
from services.rules.store import StateStore
from tests.integration.rules.harness import (
    PROGRAMME,
    FixedClock,
    RulesProcess,
    Start,
    assert_undisturbed,
    decided,
    drained,
    eventually,
    log_of,
    record,
)
from tests.support.second_engine import IS_MISSING

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
TEXT = f"""\
schema: goodword/v1
programme: {PROGRAMME}
currency: USD
timezone: UTC
effective_from: 2016-01-01T00:00:00
metrics:
  wins: {{count: deal.won}}
inactivity:
  - {{id: quiet, when: wins missing for 10 days}}
contests:
  - id: race
    metric: {{sum: deal.amount, on: deal.won}}
    from: {YESTERDAY - timedelta(days=60)}
    to: {YESTERDAY}
    prizes: [500 USD, 100 USD]
"""
FAST = {"GOODWORD_RULES_CLOCK_EVERY_S": "0.2", "GOODWORD_RULES_DAY_CLOSE_DELAY_S": "0"}
AT_MS = round(datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000


async def publish_race(schema_url: str, bus: Bus, store: StateStore) -> None:
    desk = Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())
    await publish_rule_set(desk, TEXT, "race.yaml", who="test", without_second_opinion=IS_MISSING)


async def import_race(bus: Bus) -> None:
    records = []
    for number, (partner, minor, days_ago) in enumerate(
        (("anna", 100, 30), ("bert", 900, 20), ("carl", 500, 2), ("anna", 800, 1), ("dora", 7, 70))
    ):
        deal = {"id": f"d{number}", "amount": {"minor": minor, "currency": "USD"}}
        data: dict[str, object] = {"programme": PROGRAMME, "partner": partner, "deal": deal}
        records.append(record(partner, "deal.won", f"e{number}", AT_MS - days_ago * DAY_MS, data))
    await bus.publish(REFERRALS.name, records)


async def prizes_of(bus: Bus) -> list[Decision]:
    made = [decode_decision(value) for values in (await decided(bus)).values() for value in values]
    return [each for each in made if each.rule == "race" and each.amount_minor is not None]


async def _standings(postgres: str) -> Standings:
    return await read_standings(postgres, PROGRAMME, "race", 10)


async def _closed(bus: Bus, type: bytes) -> list[bytes]:
    rows = [headers for part in (await log_of(bus, REFERRALS.name)).values() for _, headers in part]
    return sorted(dict(headers)["ce_id"] for headers in rows if dict(headers)["ce_type"] == type)


async def test_two_processes_close_days_and_the_contest_once(
    schema_url: str, bus: Bus, store: StateStore, start: Start
) -> None:
    await publish_race(schema_url, bus, store)
    await import_race(bus)
    processes: list[RulesProcess] = [start(**FAST), start(**FAST)]
    await processes[0].ready()

    async def are_told() -> bool:
        return len(await prizes_of(bus)) == 2

    await eventually(are_told)
    await drained(bus, store)

    # The two have the same value; who reached it earlier is first.
    prizes = sorted((each.amount_minor or 0, each.partner) for each in await prizes_of(bus))
    assert prizes == [(10_000, "anna"), (50_000, "bert")]
    made = [decode_decision(value) for values in (await decided(bus)).values() for value in values]
    quiet = sorted((each.partner, each.event_type) for each in made if each.rule == "quiet")
    assert quiet == [("anna", "deal.won"), ("bert", "clock.day_closed"), ("dora", "clock.day_closed")]

    partitions = await bus.partition_count(REFERRALS.name)
    day = f"day-{PROGRAMME}-{YESTERDAY}".encode()
    assert await _closed(bus, b"clock.day_closed") == [day] * partitions
    assert len(await _closed(bus, b"contest.closed")) == 2
    await assert_undisturbed(bus, store)

    for partner, outcome, rules in (("bert", "decided", ["quiet"]), ("anna", "counted", []), ("none", "broadcast", [])):
        (told,) = await explain(day.decode(), postgres=schema_url, bus=bus, store=store, partner=partner)
        assert (told.outcome, [each["rule"] for each in told.decisions]) == (outcome, rules), told.because
    bert = {each.id for each in made if each.partner == "bert" and each.rule == "quiet"}
    (told,) = await explain(day.decode(), postgres=schema_url, bus=bus, store=store, partner="bert")
    assert {each["id"] for each in told.decisions} == bert
    assert told.because == f"the local day {YESTERDAY} closed: quiet"
    for told in await explain(day.decode(), postgres=schema_url, bus=bus, store=store):
        assert (told.outcome, "name a partner" in told.because) == ("broadcast", True)

    async with httpx.AsyncClient(headers={"Authorization": "Bearer secret"}) as client:
        answer = await client.get(f"{processes[0].url}/v1/contests/{PROGRAMME}/race?top=1")
        assert answer.status_code == 200, answer.text
        assert answer.json()["partners"] == 3
        assert [each["partner"] for each in answer.json()["places"]] == ["bert"]
        assert (await client.get(f"{processes[0].url}/v1/contests/{PROGRAMME}/rice")).status_code == 404
        assert (await client.get(f"{processes[0].url}/v1/contests/{PROGRAMME}/race?top=x")).status_code == 422


async def test_a_contest_that_was_over_when_it_was_published_waits_for_its_history(
    schema_url: str, bus: Bus, store: StateStore, start: Start
) -> None:
    await publish_race(schema_url, bus, store)
    process = start(**FAST)
    await process.ready()

    async def has_closed_the_day() -> bool:
        return len(await _closed(bus, b"clock.day_closed")) > 0

    await eventually(has_closed_the_day)
    await drained(bus, store)
    assert (await _standings(schema_url)).closed_at is None
    await import_race(bus)

    async def are_told() -> bool:
        return len(await prizes_of(bus)) == 2

    await eventually(are_told)


async def test_a_crash_between_results_and_events_tells_the_winners_once(
    schema_url: str, bus: Bus, store: StateStore, start: Start
) -> None:
    await publish_race(schema_url, bus, store)
    await import_race(bus)
    first = start(**FAST)

    async def is_closed() -> bool:
        return (await _standings(schema_url)).closed_at is not None and len(await prizes_of(bus)) == 2

    await eventually(is_closed)
    first.kill()
    before = await _standings(schema_url)
    async with await psycopg.AsyncConnection.connect(schema_url, autocommit=True) as connection:
        # As if it had died before it could note what it had appended.
        await connection.execute("UPDATE rules.contests_closed SET announced_at = NULL")
        await connection.execute("UPDATE rules.closed_days SET closed_on = closed_on - 1")
        # And the projection begins anew: the standings fill again, and the results stay.
        await connection.execute("TRUNCATE rules.contest_scores, rules.contest_offsets")
    second = start(**FAST)
    await second.ready()

    async def is_again() -> bool:
        return len(await _closed(bus, b"contest.closed")) == 4

    await eventually(is_again)
    await drained(bus, store)
    assert len(await prizes_of(bus)) == 2
    assert await _standings(schema_url) == before
    await assert_undisturbed(bus, store)
    assert len(set(await _closed(bus, b"contest.closed"))) == 2
