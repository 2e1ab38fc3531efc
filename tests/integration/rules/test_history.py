"""What is kept for explanations: every record once, whatever is killed, whoever else writes, whatever is emptied."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import psycopg
import pytest

from contracts.topics import REFERRALS
from runtime.bus.port import Batch, Bus, Received
from runtime.database import Database
from services.rules.explaining.chunks import RECORDS_MAX, chunks_of, unpack
from services.rules.explaining.keep import Busyness, HistoryOwner, Moved
from services.rules.explaining.rebuild import rebuild_history
from services.rules.settings import GROUP_HISTORY, RulesSettings
from tests.integration.rules.harness import Start, event, eventually, send

EVENTS = 1_500


@pytest.fixture
async def owner(schema_url: str, bus: Bus) -> AsyncIterator[HistoryOwner]:
    database = Database(schema_url, application="test", connections_max=2)
    await database.start()
    yield HistoryOwner(bus=bus, database=database, busyness=Busyness(batch_records_max=100))
    await database.stop()


async def log_offsets(bus: Bus) -> Counter[tuple[int, int]]:
    ends = await bus.end_offsets(REFERRALS.name)
    return Counter((partition, offset) for partition, end in ends.items() for offset in range(end))


def kept(schema_url: str) -> Counter[tuple[int, int]]:
    """Every record in the chunks; and no chunk without its index entries."""
    with psycopg.connect(schema_url) as connection:
        chunks = connection.execute("SELECT id, partition, format, body FROM rules.history_chunks").fetchall()
        by_partner = {row[0] for row in connection.execute("SELECT chunk_id FROM rules.history_partners")}
        by_event = Counter(row[0] for row in connection.execute("SELECT chunk_id FROM rules.history_events"))
    found: Counter[tuple[int, int]] = Counter()
    for id, partition, format, body in chunks:
        records = unpack(format, body)
        assert 1 <= len(records) <= RECORDS_MAX
        assert id in by_partner
        assert 1 <= by_event[id] <= len(records)
        found.update((partition, record.offset) for record in records)
    return found


async def is_kept(bus: Bus) -> bool:
    ends = await bus.end_offsets(REFERRALS.name)
    committed = await bus.committed(REFERRALS.name, GROUP_HISTORY)
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


@pytest.mark.slow
@pytest.mark.usefixtures("published")
async def test_every_record_is_kept_once_though_the_service_is_killed_again_and_again(
    bus: Bus, start: Start, schema_url: str
) -> None:
    await send(bus, 0, EVENTS)
    for step in range(3):
        process = start()
        # Somewhere in the middle of keeping: what is there is always whole.
        wanted = step * EVENTS // 3

        def is_in_the_middle(wanted: int = wanted) -> bool:
            return sum(kept(schema_url).values()) > wanted

        await eventually(is_in_the_middle)
        await send(bus, EVENTS * (step + 1), EVENTS * (step + 2))
        process.kill()
    survivor = start()
    await eventually(lambda: is_kept(bus))
    assert kept(schema_url) == await log_offsets(bus)
    assert await survivor.stop() == 0


async def test_of_two_who_hold_a_partition_one_is_told_that_it_moved(owner: HistoryOwner, bus: Bus) -> None:
    await send(bus, 0, 200)
    ends = await bus.end_offsets(REFERRALS.name)
    partition = max(ends, key=lambda each: ends[each])
    (records,) = [each async for each in bus.read(
        REFERRALS.name, partition, start=0, end=ends[partition], batch_records_max=10_000
    )]  # fmt: skip
    await owner._keep(partition, 0, records, ends[partition])
    with pytest.raises(Moved):
        await owner._keep(partition, 0, records, ends[partition])
    # Delivered again after that, it is passed over.
    committed: list[bool] = []

    async def commit() -> None:
        committed.append(True)

    await owner.handle(Batch(REFERRALS.name, partition, records, ends[partition], commit))
    assert committed == [True]


async def test_emptied_tables_are_filled_by_the_next_batch_and_by_rebuilding(
    owner: HistoryOwner, bus: Bus, schema_url: str
) -> None:
    await send(bus, 0, 300)
    for partition, end in (await bus.end_offsets(REFERRALS.name)).items():
        assert await owner.catch_up(partition, end) == end
    assert kept(schema_url) == await log_offsets(bus)
    with psycopg.connect(schema_url) as connection:
        connection.execute("TRUNCATE rules.history_chunks, rules.history_partners, rules.history_events")
        connection.execute("TRUNCATE rules.history_positions")
    await send(bus, 300, 320)

    async def commit() -> None:
        """The group's position is nobody's business here."""

    for partition, end in (await bus.end_offsets(REFERRALS.name)).items():
        reading = bus.read(REFERRALS.name, partition, start=end - 1, end=end, batch_records_max=10)
        async for records in reading:
            await owner.handle(Batch(REFERRALS.name, partition, records, end, commit))
    assert kept(schema_url) == await log_offsets(bus)
    counted = await rebuild_history(RulesSettings(postgres=schema_url))
    assert counted == sum((await log_offsets(bus)).values())
    assert kept(schema_url) == await log_offsets(bus)


def test_records_of_a_partner_lie_side_by_side() -> None:
    records = [event(number, partners=3) for number in range(90)]
    received = [
        Received(offset, each.key, each.value, each.headers, 1_000 + offset) for offset, each in enumerate(records)
    ]
    chunks, sources = chunks_of(received)
    assert sources == {"crm/test"}
    # Three partners in six chunks: at most one more for each border between two of them.
    assert sum(len(chunk.partners) for chunk in chunks) <= len(chunks) + 2
    back = [record for chunk in chunks for record in unpack(1, chunk.body)]
    assert sorted(back, key=lambda record: record.offset) == received
    with pytest.raises(ValueError, match="format 2"):
        unpack(2, chunks[0].body)


def test_a_record_without_readable_headers_is_kept_by_its_partner() -> None:
    broken = Received(7, b"p", b"{", (("ce_id", b"\xff"),), 1)
    (chunk,), sources = chunks_of([broken])
    assert (chunk.events, sources, unpack(1, chunk.body)) == ((), set(), [broken])
