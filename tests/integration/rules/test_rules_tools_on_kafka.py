"""What reads the log besides the loop, on a real Apache Kafka: contests, explanations, a shadow and a back-test.

Each finds on Kafka what is decided there by a plain fold of the same log; what they find under faults is tested on the
log in PostgreSQL. Topics are made anew for each test, for a programme has one history.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts.decisions import Decision, decode_decision
from contracts.topics import REFERRALS, TOPICS
from goodword.backtesting.asked import file_side, in_place
from goodword.backtesting.checkpoints import Run
from goodword.backtesting.plan import LogSource, Part, Plan
from goodword.backtesting.run import Limits, run
from runtime.bus.open import open_bus
from runtime.bus.port import Bus
from services.rules.backtest.comparison import Comparison
from services.rules.backtest.sides import HISTORY, Side, revisions_of
from services.rules.backtest.sums import Sums
from services.rules.fold import Fold
from services.rules.lifecycle import Desk
from services.rules.records.decode import decode_records
from services.rules.store import StateStore
from tests.integration.rules import test_days_and_contests as races
from tests.integration.rules import test_shadow as shadows
from tests.integration.rules.conftest import PARTITIONS
from tests.integration.rules.harness import (
    PROGRAMME,
    FixedClock,
    Start,
    assert_undisturbed,
    decided,
    drained,
    eventually,
    send,
)
from tests.integration.rules.test_history import is_kept
from tests.integration.rules.test_rules_explain import client_of, one
from tests.support.kafka import KafkaServer, without_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
async def bus(kafka_server: KafkaServer, postgres_url: str) -> AsyncIterator[Bus]:
    """Kafka in the place of the log in PostgreSQL, its topics empty; their groups' offsets go with them."""
    await without_topics(kafka_server.servers)
    made = open_bus(kafka=kafka_server.servers, postgres=postgres_url, client="test")
    await made.start()
    await made.ensure_topics(TOPICS, PARTITIONS)
    yield made
    await made.close()


@pytest.fixture
def desk(schema_url: str, bus: Bus, store: StateStore) -> Desk:
    return Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())


@pytest.fixture
def on_kafka(kafka_server: KafkaServer) -> dict[str, str]:
    return {"GOODWORD_KAFKA": kafka_server.servers}


async def test_a_contest_closes_once_and_pays_its_winners(
    schema_url: str, bus: Bus, store: StateStore, start: Start, on_kafka: dict[str, str]
) -> None:
    await races.publish_race(schema_url, bus, store)
    await races.import_race(bus)
    for process in [start(**races.FAST, **on_kafka), start(**races.FAST, **on_kafka)]:
        await process.ready()

    async def are_told() -> bool:
        return len(await races.prizes_of(bus)) == 2

    await eventually(are_told)
    await drained(bus, store)
    prizes = sorted((each.amount_minor or 0, each.partner) for each in await races.prizes_of(bus))
    assert prizes == [(10_000, "anna"), (50_000, "bert")]
    await assert_undisturbed(bus, store)


@pytest.mark.usefixtures("published")
async def test_an_explanation_shows_what_was_decided(
    schema_url: str, bus: Bus, store: StateStore, start: Start, on_kafka: dict[str, str]
) -> None:
    await send(bus, 0, 200)
    process = start(**on_kafka)
    await process.ready()
    await drained(bus, store)
    await eventually(lambda: is_kept(bus))
    by_event: defaultdict[str, list[Decision]] = defaultdict(list)
    for values in (await decided(bus)).values():
        for decision in map(decode_decision, values):
            by_event[decision.event_id].append(decision)
    async with client_of(schema_url, bus, store) as client:
        for number in (0, 40, 83, 144, 191):
            told = await one(client, f"crm/test/e{number}")
            assert [each["id"] for each in told["decisions"]] == [each.id for each in by_event[f"e{number}"]]
        async with httpx.AsyncClient(headers={"authorization": "Bearer secret"}) as remote:
            answer = await remote.get(f"{process.url}/v1/explain", params={"event": "e0"})
        assert answer.json() == {"explanations": [await one(client, "e0")]}


@pytest.mark.usefixtures("published")
async def test_a_shadow_finds_what_both_rule_sets_give(
    start: Start, desk: Desk, bus: Bus, store: StateStore, schema_url: str, on_kafka: dict[str, str]
) -> None:
    await send(bus, 0, 300)
    await shadows.shadow_of(desk)
    process = start(**shadows.FAST, **on_kafka)
    await process.ready()
    await send(bus, 300, 600)
    await drained(bus, store)
    await eventually(lambda: shadows.has_arrived(bus))
    sums, partners = shadows.found(schema_url)
    assert (sums, partners) == await shadows.expected(bus, shadows.starts_of(schema_url), shadows.ALL_PPM)
    assert partners
    await assert_undisturbed(bus, store)


@pytest.mark.usefixtures("published")
async def test_a_back_test_of_the_log_adds_up_what_was_decided_and_what_would_have_been(
    bus: Bus, store: StateStore, start: Start, on_kafka: dict[str, str], postgres_url: str, tmp_path: Path
) -> None:
    await send(bus, 0, 600)
    process = start(**on_kafka)
    await process.ready()
    await drained(bus, store)
    assert await process.stop() == 0
    ends = await bus.end_offsets(REFERRALS.name)
    draft = in_place(file_side(shadows.DRAFT, "draft"), "UTC", None, is_always=True)
    plan = Plan(
        kind="sums",
        programme=PROGRAMME,
        timezone="UTC",
        before=Side(label=HISTORY),
        after=draft,
        first_day=None,
        last_day=None,
        source=LogSource(kafka=on_kafka["GOODWORD_KAFKA"], postgres=postgres_url),
        parts=tuple(Part(number, end) for number, end in sorted(ends.items())),
    )
    Run(tmp_path, plan).begin(plan)
    found = await asyncio.to_thread(run, plan, tmp_path, limits=Limits(workers=1), on_progress=lambda *_: None)
    assert isinstance(found.kept, Comparison)
    assert found.events == 600
    history = [decode_decision(value) for values in (await decided(bus)).values() for value in values]
    assert _granted(found.kept.before) == _added_up(history)
    # The same with the draft in place of what was published: its text is that of another revision.
    would_be: list[Decision] = []
    for partition, end in ends.items():
        fold = Fold(partition, revisions=revisions_of(draft))
        async for records in bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=10_000):
            events = decode_records(records).events
            fold.load(dict.fromkeys(fold.missing_keys(events)))
            would_be += fold.fold(events).decisions
    assert _granted(found.kept.after) == _added_up(would_be) != _added_up(history)


def _granted(sums: Sums) -> dict[tuple[str, str], int]:
    """Minor units by partner and rule."""
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (partner, rule, _, _), cell in sums.cells.items():
        found[partner, rule] += cell.minor
    return dict(found)


def _added_up(decisions: list[Decision]) -> dict[tuple[str, str], int]:
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for each in decisions:
        if each.granted and each.amount_minor is not None:
            found[each.partner, each.rule] += each.amount_minor
    return dict(found)
