"""The exactly-once loop as real processes on the real log and store, killed, doubled, emptied under their hands.

Every verdict is the same: decisions (first delivery of each id, every further one with the same bytes) and states
equal, byte for byte, those of a plain fold of the same log. Random moments come from a printed seed.
"""

from __future__ import annotations

import random

import pytest
import redis.asyncio

from contracts.decisions import decode_decision
from contracts.errors import PermanentError
from contracts.topics import DECISIONS, REFERRALS
from runtime.bus.port import Bus, Record
from runtime.bus.postgres import PostgresBus
from services.rules.rebuild import rebuild
from services.rules.settings import RulesSettings
from services.rules.store import StateStore
from tests.integration.rules.conftest import PARTITIONS
from tests.integration.rules.harness import (
    PROGRAMME,
    Start,
    assert_undisturbed,
    drained,
    event,
    eventually,
    log_of,
    send,
    stored_states,
)


@pytest.mark.usefixtures("published")
async def test_events_are_decided_and_a_clean_stop_leaves_nothing_in_hand(
    start: Start, bus: Bus, store: StateStore
) -> None:
    process = start()
    await send(bus, 0, 2_000)
    await process.ready()
    await drained(bus, store)
    count = await assert_undisturbed(bus, store)
    assert count > 2_000
    assert await process.metric("goodword_rules_decisions_total") == count
    assert await process.stop() == 0
    rows = [row for rows in (await log_of(bus, DECISIONS.name)).values() for row in rows]
    assert len(rows) == count, "an undisturbed run publishes each decision once"
    value, headers = rows[0]
    decision = decode_decision(value)
    context = dict(headers)
    assert context["ce_id"].decode() == decision.id
    assert context["ce_source"] == b"goodword/rules"
    assert decision.programme == PROGRAMME


@pytest.mark.usefixtures("published")
async def test_kill_9_at_random_moments_changes_nothing(start: Start, bus: Bus, store: StateStore, seed: int) -> None:
    rng = random.Random(seed)
    sent = 0
    for _ in range(3):
        process = start(GOODWORD_BATCH_RECORDS_MAX="50")
        await process.ready()
        await send(bus, sent, sent + 2_500)
        sent += 2_500
        behind = rng.randrange(200, 2_000)

        async def has_moved(wanted: int = sent - behind) -> bool:
            return sum([(await store.position(partition)).offset for partition in range(PARTITIONS)]) > wanted

        await eventually(has_moved)
        process.kill()
    last = start()
    await last.ready()
    await drained(bus, store)
    assert await assert_undisturbed(bus, store) > 6_000
    assert await last.stop() == 0


@pytest.mark.usefixtures("published")
async def test_two_processes_share_and_take_over_from_each_other(start: Start, bus: Bus, store: StateStore) -> None:
    first = start(GOODWORD_BATCH_RECORDS_MAX="50")
    await first.ready()
    await send(bus, 0, 3_000)
    second = start(GOODWORD_BATCH_RECORDS_MAX="50")
    await second.ready()
    await send(bus, 3_000, 6_000)
    first.kill()
    await send(bus, 6_000, 8_000)
    third = start()
    await third.ready()
    await drained(bus, store)
    assert await second.stop() == 0
    await send(bus, 8_000, 9_000)
    await drained(bus, store)
    await assert_undisturbed(bus, store)
    assert await third.stop() == 0


@pytest.mark.usefixtures("published")
async def test_an_emptied_store_is_refused_and_rebuilt_from_the_log_while_running(
    start: Start, bus: Bus, store: StateStore, valkey_url: str
) -> None:
    process = start(GOODWORD_BATCH_RECORDS_MAX="100")
    await process.ready()
    await send(bus, 0, 2_000)
    await drained(bus, store)
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.flushall()
    await send(bus, 2_000, 3_000)
    await drained(bus, store)
    await assert_undisturbed(bus, store)
    assert await process.metric("goodword_rules_fencing_refusals_total") >= 1
    assert await process.stop() == 0


@pytest.mark.usefixtures("published")
async def test_an_emptied_store_is_rebuilt_by_the_next_process(
    start: Start, bus: Bus, store: StateStore, valkey_url: str
) -> None:
    process = start()
    await process.ready()
    await send(bus, 0, 2_000)
    await drained(bus, store)
    assert await process.stop() == 0
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.flushall()
    again = start()
    await again.ready()
    await drained(bus, store)
    await assert_undisturbed(bus, store)
    assert await again.stop() == 0


POISON = [
    Record(b"partner-1", b"{", event(1).headers),
    Record(b"partner-2", event(2).value, ()),
    Record(b"partner-3", b'{"programme":"crm-sales","partner":"a:b"}', event(3).headers),
]


@pytest.mark.usefixtures("published")
async def test_poison_goes_to_the_dead_letters_and_its_neighbours_are_decided(
    start: Start, bus: Bus, store: StateStore
) -> None:
    process = start()
    await send(bus, 0, 500)
    await bus.publish(REFERRALS.name, POISON)
    await send(bus, 500, 1_000)
    await process.ready()
    await drained(bus, store)
    await assert_undisturbed(bus, store)
    letters = [dict(headers) for rows in (await log_of(bus, REFERRALS.dlq)).values() for _, headers in rows]
    codes = sorted(letter["dlq_code"] for letter in letters)
    assert codes == [b"invalid-data", b"malformed-json", b"missing-header"]
    assert await process.metric("goodword_rules_dlq_records_total") == 3
    assert await process.stop() == 0


@pytest.mark.usefixtures("published")
async def test_poison_over_the_cap_stops_the_service(start: Start, bus: Bus) -> None:
    process = start(GOODWORD_DLQ_RUN_MAX="5")
    await bus.publish(REFERRALS.name, [Record(b"partner-1", b"{", event(1).headers)] * 20)
    assert await process.exit_code() == 1


@pytest.mark.usefixtures("published")
async def test_a_rebuild_gives_the_same_bytes_and_may_run_beside_the_service(
    start: Start, bus: Bus, store: StateStore, schema_url: str, valkey_url: str
) -> None:
    settings = RulesSettings(postgres=schema_url, redis=valkey_url)
    process = start()
    await process.ready()
    await send(bus, 0, 2_000)
    await drained(bus, store)
    verified = await rebuild(settings, verify=True)
    assert verified.difference is None
    assert verified.records == 2_000 + verified.partitions
    assert verified.states > 100

    before = await stored_states(store, range(4))
    done = await rebuild(settings)
    assert done.records == verified.records
    assert await stored_states(store, range(4)) == before

    await send(bus, 2_000, 3_000)
    await drained(bus, store)
    await assert_undisturbed(bus, store)
    assert await process.stop() == 0


@pytest.mark.usefixtures("published")
async def test_verify_names_the_first_state_that_was_altered(
    start: Start, bus: Bus, store: StateStore, schema_url: str, valkey_url: str
) -> None:
    settings = RulesSettings(postgres=schema_url, redis=valkey_url)
    process = start()
    await process.ready()
    await send(bus, 0, 500)
    await drained(bus, store)
    assert await process.stop() == 0
    position = await store.position(2)
    (keys,) = [keys async for keys in store.keys(2, position.era)]
    await store.save(2, position, position.offset, {keys[0]: b"altered"})
    found = (await rebuild(settings, verify=True)).difference
    assert found is not None
    assert (found.partition, found.key, found.stored) == (2, keys[0].decode(), b"altered")
    assert (await rebuild(settings)).difference is None
    assert (await rebuild(settings, verify=True)).difference is None


@pytest.mark.usefixtures("published")
async def test_a_log_that_no_longer_reaches_back_to_the_states_stops_the_service(
    start: Start, bus: Bus, store: StateStore, schema_url: str, valkey_url: str
) -> None:
    """Retention took the head of the log, then the states are lost: deciding on would give other cents."""
    assert isinstance(bus, PostgresBus)
    for first in range(0, 1_000, 200):
        await send(bus, first, first + 200)
    process = start()
    await process.ready()
    await drained(bus, store)
    assert await process.stop() == 0
    assert await bus.trim(REFERRALS.name, bytes_max=20_000) > 0

    with pytest.raises(PermanentError) as refusal:
        await rebuild(RulesSettings(postgres=schema_url, redis=valkey_url))
    assert refusal.value.problem.code == "log-starts-late"

    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.flushall()
    again = start()
    assert await again.exit_code() == 1
    assert "log-starts-late" in again.log_file.read_text()
