"""A shadow on real servers: what it counts, whatever is killed, is what both rule sets give for the sampled partners.

The verdict is a plain fold of the whole log, of all partners, on both sides; of its decisions those of the sampled
partners are compared. The live loop's decisions and states must be those of a run without a shadow.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
import pytest

from contracts.errors import PermanentError
from contracts.topics import REFERRALS
from runtime.bus.port import Bus
from services.rules.backtest.sides import Side, revisions_of
from services.rules.clock.calendar import Zone, date_of
from services.rules.fold import Fold
from services.rules.lifecycle import Desk, publish_rule_set, submit_draft
from services.rules.records.decode import decode_records
from services.rules.settings import GROUP_SHADOW
from services.rules.shadowing import end_shadow, shadow_days, shadow_partners, shadow_told, start_shadow
from services.rules.shadowing.differences import EXAMPLES_MAX, Differences
from services.rules.shadowing.sampling import place_ppm
from services.rules.store import StateStore
from tests.integration.rules.harness import (
    PROGRAMME,
    RULES,
    FixedClock,
    Start,
    assert_undisturbed,
    drained,
    event,
    eventually,
    send,
)

ALL_PPM = 1_000_000
DRAFT = (
    RULES.replace("bronze: 5, silver: 7.5", "bronze: 6, silver: 7.5")
    .replace("sales >= 5_000 USD", "sales >= 4_000 USD")
    .replace("wins: {count: deal.won, over: 90 days}", "wins: {count: deal.won, over: 30 days}")
)
NEXT = RULES.replace("silver: 7.5, gold: 10", "silver: 9, gold: 12").replace("2016-01-01T", "{day}T")
"""On top of what a draft is compared with."""
FAST = {"GOODWORD_RULES_SHADOW_EVERY_S": "0.1"}


@pytest.fixture
def desk(schema_url: str, bus: Bus, store: StateStore) -> Desk:
    return Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())


async def shadow_of(desk: Desk, *, share_ppm: int = ALL_PPM) -> int:
    draft, _ = await submit_draft(desk, DRAFT, "draft.yaml", who="ana")
    shadow = await start_shadow(desk, PROGRAMME, draft.revision, share_ppm=share_ppm, who="ana")
    return shadow.number


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


async def has_arrived(bus: Bus) -> bool:
    """Whether the shadow has decided all that there is; its last batches must hold a sampled partner's event."""
    ends = await bus.end_offsets(REFERRALS.name)
    committed = await bus.committed(REFERRALS.name, GROUP_SHADOW)
    return all(committed.get(partition, 0) >= end for partition, end in ends.items() if end)


async def expected(bus: Bus, starts: dict[int, int], share_ppm: int) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Sums by rule, unit and day, and differences by partner and unit."""
    draft = Side(label="draft", source_text=DRAFT, revision=2, digest="d")
    found = Differences(Zone("UTC"))
    for partition, end in (await bus.end_offsets(REFERRALS.name)).items():
        sides: list[tuple[Fold, dict[bytes, bytes]]] = [(Fold(partition), {})]
        async for records in bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=1):
            if records[0].offset == starts[partition]:
                sides.append((Fold(partition, revisions=revisions_of(draft)), dict(sides[0][1])))
            events = decode_records(records).events
            decided = []
            for fold, kept in sides:
                missing = fold.missing_keys(events)
                while missing:
                    missing = fold.load({key: kept.get(key) for key in missing})
                made = fold.fold(events).decisions
                decided.append([each for each in made if place_ppm(each.partner.encode()) < share_ppm])
                kept.update((key, value) for key, value in fold.take_dirty().items() if value is not None)
            if len(decided) == 2:
                found.take(*decided)
    sums = {
        (rule, unit, date_of(day)): (
            each.granted_before,
            each.granted_after,
            each.differing,
            each.before_minor,
            each.after_minor,
        )
        for (rule, unit, day), each in found.sums.items()
    }
    return sums, found.partners


def found(url: str) -> tuple[dict[Any, Any], dict[Any, Any]]:
    sums = rows(
        url,
        "SELECT rule, unit, local_day, sum(granted_before)::int, sum(granted_after)::int, sum(differing)::int,"
        " sum(before_minor)::bigint, sum(after_minor)::bigint FROM rules.shadow_sums GROUP BY 1, 2, 3",
    )
    partners = rows(url, "SELECT partner, unit, before_minor::bigint, after_minor::bigint FROM rules.shadow_partners")
    return {row[:3]: row[3:] for row in sums}, {row[:2]: row[2:] for row in partners}


def starts_of(url: str) -> dict[int, int]:
    return dict(rows(url, "SELECT partition, starts_at FROM rules.shadow_positions"))


@pytest.mark.usefixtures("published")
async def test_killed_again_and_again_a_shadow_counts_each_event_once_and_touches_nothing(
    start: Start, desk: Desk, bus: Bus, store: StateStore, schema_url: str, seed: int
) -> None:
    rng = random.Random(seed)
    await send(bus, 0, 700)
    number = await shadow_of(desk)
    for step in range(3):
        process = start(**FAST, GOODWORD_BATCH_RECORDS_MAX="100")
        await send(bus, 700 + step * 300, 1_000 + step * 300)
        wanted = rng.randrange(step * 500, step * 500 + 500)

        def is_so_far(wanted: int = wanted) -> bool:
            return bool(rows(schema_url, "SELECT sum(next_offset) FROM rules.shadow_positions")[0][0] >= wanted)

        await eventually(is_so_far)
        process.kill()
    process = start(**FAST)
    # In force from the 1,737th event on.
    await publish_rule_set(desk, NEXT.replace("{day}", "2017-02-05"), "crm.yaml", who="ana")
    await send(bus, 1_600, 2_000)
    await drained(bus, store)
    await eventually(lambda: has_arrived(bus))
    assert await assert_undisturbed(bus, store) > 2_000
    sums, partners = found(schema_url)
    assert (sums, partners) == await expected(bus, starts_of(schema_url), ALL_PPM)
    assert any(each[2] for each in sums.values())
    assert partners
    told = await shadow_told(schema_url)
    assert (told["number"], told["state"], told["past_read"]) == (number, "running", told["past_records"])
    assert told["past_records"] >= 700
    assert {each["rule"] for each in told["examples"]} <= {"commission", "welcome", "survey", "tier"}
    assert all(
        each["before"] != each["after"] or each["before_minor"] != each["after_minor"] for each in told["examples"]
    )
    assert await process.metric("goodword_rules_shadow_running") == 1
    assert await process.metric("goodword_rules_shadow_events_total") > 0


@pytest.mark.usefixtures("published")
async def test_a_share_of_the_partners_gives_exactly_their_part_also_over_an_activation(
    start: Start, desk: Desk, bus: Bus, store: StateStore, schema_url: str
) -> None:
    await send(bus, 0, 600)
    # Twenty partners: some are in, some are out.
    share_ppm = sorted(place_ppm(f"partner-{number}".encode()) for number in range(20))[9]
    await shadow_of(desk, share_ppm=share_ppm)
    await send(bus, 600, 800)
    newest = [event(number) for number in range(800, 900)]
    await bus.publish(REFERRALS.name, [each for each in newest if place_ppm(each.key) >= share_ppm])
    # Nothing is decided yet, so it may reach back; but when it enters, the events before it are decided, and it is in
    # force from after them: another instant in each partition, that of a partner who is not sampled. The events that
    # come late are older.
    await publish_rule_set(desk, NEXT.replace("{day}", "2016-12-01"), "crm.yaml", who="ana")
    await bus.publish(REFERRALS.name, [each for each in newest if place_ppm(each.key) < share_ppm])
    await send(bus, 900, 1_200)
    start(**FAST)
    await drained(bus, store)
    want = await expected(bus, starts_of(schema_url), share_ppm)
    await eventually(lambda: found(schema_url) == want)
    assert {partner for partner, _ in want[1]} < {f"partner-{number}" for number in range(20)}
    told = await shadow_told(schema_url)
    by_rule: dict[str, int] = {}
    for day in await shadow_days(schema_url, rows_max=10_000):
        by_rule[day["rule"]] = by_rule.get(day["rule"], 0) + day["differing"]
    assert by_rule == {
        rule: sum(each["differing"] for each in told["rules"] if each["rule"] == rule) for rule in by_rule
    }
    listed = await shadow_partners(schema_url, rows_max=1_000)
    assert {(each["partner"], each["unit"]): (each["before_minor"], each["after_minor"]) for each in listed} == want[1]


@pytest.mark.usefixtures("published")
async def test_when_a_shadow_ends_its_states_go_and_what_differed_stays(
    start: Start, desk: Desk, bus: Bus, store: StateStore, schema_url: str
) -> None:
    process = start(**FAST)
    await send(bus, 0, 200)
    number = await shadow_of(desk)
    with pytest.raises(PermanentError, match="one runs at a time"):
        await start_shadow(desk, PROGRAMME, 2, share_ppm=5, who="ben")
    await send(bus, 200, 600)
    await eventually(lambda: has_arrived(bus))
    before = found(schema_url)
    ended = await end_shadow(desk, who="ben")
    assert (ended.number, ended.state, ended.ended_by) == (number, "ended", "ben")
    await send(bus, 600, 800)
    await drained(bus, store)

    async def is_off() -> bool:
        return await process.metric("goodword_rules_shadow_running") == 0

    await eventually(is_off)
    assert found(schema_url) == before
    assert rows(schema_url, "SELECT count(*) FROM rules.shadow_states") == [(0,)]
    counts = rows(schema_url, "SELECT rule, count(*) FROM rules.shadow_examples GROUP BY rule")
    assert counts
    # Four partitions that do not wait for each other.
    assert all(count <= 4 * EXAMPLES_MAX for _, count in counts)
    assert [row[0] for row in rows(schema_url, "SELECT action FROM rules.audit ORDER BY number DESC LIMIT 2")] == [
        "shadow ended",
        "shadow started",
    ]
    with pytest.raises(PermanentError, match="no shadow is running"):
        await end_shadow(desk, who="ben")
    assert await process.stop() == 0


@pytest.mark.usefixtures("published")
async def test_a_shadow_that_fails_says_why_and_the_service_goes_on(
    start: Start, desk: Desk, bus: Bus, store: StateStore, schema_url: str
) -> None:
    await shadow_of(desk)
    with psycopg.connect(schema_url) as connection:
        later_version: Sequence[object] = [99]
        for partition in range(4):
            connection.execute(
                "INSERT INTO rules.shadow_states VALUES (1, %s, 0, %s, %s), (1, %s, 1, %s, %s)",
                (partition, f"r:{PROGRAMME}".encode(), msgspec.msgpack.encode(later_version)) * 2,
            )
    process = start(**FAST, GOODWORD_RETRIES_MAX="1")
    await send(bus, 0, 300)
    await eventually(lambda: rows(schema_url, "SELECT state FROM rules.shadows") == [("failed",)])
    assert "99" in rows(schema_url, "SELECT reason FROM rules.shadows")[0][0]
    await send(bus, 300, 500)
    await drained(bus, store)
    await assert_undisturbed(bus, store)
    assert await process.stop() == 0


async def test_there_is_nothing_to_shadow_before_something_is_in_force(desk: Desk) -> None:
    draft, _ = await submit_draft(desk, DRAFT, "draft.yaml", who="ana")
    with pytest.raises(PermanentError, match="nothing is in force"):
        await start_shadow(desk, PROGRAMME, draft.revision, share_ppm=5, who="ana")
    await publish_rule_set(desk, DRAFT, "draft.yaml", who="ana")
    with pytest.raises(PermanentError, match="is what is in force"):
        await start_shadow(desk, PROGRAMME, draft.revision, share_ppm=5, who="ana")
    with pytest.raises(PermanentError, match="more than none"):
        await start_shadow(desk, PROGRAMME, draft.revision, share_ppm=0, who="ana")
