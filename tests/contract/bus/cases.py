"""The contract of the bus: every promise of `runtime.bus.port`, written once, run over each adapter.

A test of this class gets `world`: a server that can be killed and started again, and buses that speak to it. Each test
has topics and groups of its own, so a shared broker need not be emptied.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from contracts.errors import InvariantBroken, PermanentError, Problem, TransientError
from contracts.topics import Topic
from runtime.bus.consumer import Consumer, Retry
from runtime.bus.dead_letters import DeadLetters, DlqLimit, DlqLimitReached
from runtime.bus.lag import Lag
from runtime.bus.open import open_bus
from runtime.bus.partitioner import partition_of
from runtime.bus.port import RECORD_BYTES_MAX, Batch, Bus, BusUnavailable, Received, Record
from runtime.clock import SystemClock
from tests.contract.bus.owners import DEADLINE_S, Recorder, eventually

PARTITIONS = 4
ROOT = Path(__file__).resolve().parents[3]


class World(Protocol):
    """The server behind the bus."""

    name: str
    url: str

    def make_bus(self, client: str = "test") -> Bus: ...

    async def kill(self) -> None: ...

    async def start(self) -> None: ...


def keyed(count: int, *, keys: int = 20, size: int = 0) -> list[Record]:
    """Records `0`, `1`, … with keys in turn."""
    return [Record(b"partner-%d" % (n % keys), b"%d" % n + b" " * size, (("ce_id", b"%d" % n),)) for n in range(count)]


def numbers(recorder: Recorder) -> list[int]:
    return sorted(int(value) for values in recorder.values.values() for value in values)


class BusCases:
    @pytest.fixture
    async def bus(self, world: World) -> AsyncIterator[Bus]:
        bus = world.make_bus()
        await bus.start()
        yield bus
        await bus.close()

    @pytest.fixture
    async def topic(self, bus: Bus) -> str:
        topic = Topic(f"t.{uuid.uuid4().hex[:8]}", "partner", (), ())
        await bus.ensure_topics([topic], PARTITIONS)
        return topic.name

    async def _subscribed(self, bus: Bus, topic: str, owner: Any, group: str = "g", **limits: int) -> Any:
        limits = {"batch_records_max": 100, "batch_bytes_max": 1_000_000, **limits}
        return await bus.subscribe(topic, f"{group}-{topic}", owner, **limits)

    async def test_topics_are_made_once_with_their_dead_letter_queue(self, bus: Bus) -> None:
        topic = Topic(f"t.{uuid.uuid4().hex[:8]}", "partner", (), (), is_compacted=True)
        await bus.ensure_topics([topic], 3)
        await bus.ensure_topics([topic], 5)
        assert await bus.partition_count(topic.name) == 3
        assert await bus.partition_count(topic.dlq) == 1
        assert await bus.end_offsets(topic.name) == {0: 0, 1: 0, 2: 0}

    async def test_a_topic_that_is_not_there_is_told(self, bus: Bus) -> None:
        with pytest.raises(BusUnavailable, match="not there"):
            await bus.publish("t.nobody-made-me", [Record(b"k", b"v")])

    async def test_records_of_one_key_keep_their_order_and_their_partition(self, bus: Bus, topic: str) -> None:
        records = keyed(1_000)
        # Several publishes at once: each starts before the one before it has been confirmed.
        await asyncio.gather(*(bus.publish(topic, records[first : first + 7]) for first in range(0, 1_000, 7)))
        recorder = Recorder()
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("all records", lambda: recorder.count == 1_000)
        await subscription.close()
        for partition, values in recorder.values.items():
            expected = [one.value for one in records if partition_of(one.key, PARTITIONS) == partition]
            assert values == expected
            assert recorder.offsets[partition] == list(range(len(expected)))

    async def test_a_reader_in_no_hurry_gets_at_once_what_comes_within_its_linger(self, bus: Bus, topic: str) -> None:
        recorder = Recorder()
        subscription = await self._subscribed(bus, topic, recorder, batch_bytes_max=1 << 23, linger_ms=2_000)
        await eventually("the assignment", lambda: len(subscription.assignment()) == PARTITIONS)
        for number in range(20):
            await bus.publish(topic, [Record(b"k", b"%d" % number, partition=1)])
        await eventually("all records", lambda: recorder.count == 20)
        await subscription.close()
        assert recorder.values[1] == [b"%d" % number for number in range(20)]
        assert len(recorder.sizes) < 10

    async def test_keys_values_headers_and_times_arrive_as_sent(self, bus: Bus, topic: str) -> None:
        headers = (("ce_type", b"deal.won"), ("ce_type", "zwölf".encode()), ("empty", b""))
        await bus.publish(topic, [Record(b"k", bytes(range(256)), headers, partition=2), Record(b"", b"", (), 2)])
        found = [one async for part in bus.read(topic, 2, start=0, end=2, batch_records_max=10) for one in part]
        assert [(one.key, one.value, one.headers) for one in found] == [
            (b"k", bytes(range(256)), headers),
            (b"", b"", ()),
        ]
        assert all(one.recorded_at_ms > 1_700_000_000_000 for one in found)

    async def test_a_broadcast_reaches_the_partition_it_names(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [Record(b"all", b"x", partition=number) for number in range(PARTITIONS)])
        assert await bus.end_offsets(topic) == dict.fromkeys(range(PARTITIONS), 1)

    async def test_a_partition_that_is_not_there_is_a_mistake(self, bus: Bus, topic: str) -> None:
        with pytest.raises(PermanentError, match="no partition 9"):
            await bus.publish(topic, [Record(b"k", b"fine"), Record(b"all", b"x", partition=9)])
        assert sum((await bus.end_offsets(topic)).values()) == 0

    async def test_a_record_over_the_limit_is_a_mistake_and_one_at_the_limit_is_not(self, bus: Bus, topic: str) -> None:
        with pytest.raises(PermanentError) as refused:
            await bus.publish(topic, [Record(b"k", bytes(RECORD_BYTES_MAX))])
        assert refused.value.problem.code == "record-too-large"
        await bus.publish(topic, [Record(b"k", bytes(RECORD_BYTES_MAX - 1))])
        assert sum((await bus.end_offsets(topic)).values()) == 1

    async def test_reading_starts_where_the_owner_says(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=1) for n in range(50)])
        recorder = Recorder(starts={1: 37})
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("the tail", lambda: recorder.count >= 13)
        await subscription.close()
        assert recorder.offsets[1] == list(range(37, 50))

    async def test_where_an_owner_starts_is_the_group_s_place(self, bus: Bus, topic: str) -> None:
        """A crash after the owner stored its place and before the commit leaves no lag behind."""
        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=0) for n in range(5)])
        owner = Recorder(starts={0: 5})
        subscription = await bus.subscribe(topic, "g", owner, batch_records_max=10, batch_bytes_max=1 << 20)
        deadline = asyncio.get_running_loop().time() + 60
        while (await bus.committed(topic, "g")).get(0) != 5:
            assert asyncio.get_running_loop().time() < deadline, "the start was not committed"
            await asyncio.sleep(0.02)
        await subscription.close()
        assert owner.count == 0

    async def test_only_a_commit_moves_the_group(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, keyed(200))
        without = Recorder(commits=False)
        subscription = await self._subscribed(bus, topic, without)
        await eventually("all, uncommitted", lambda: without.count == 200)
        await subscription.close()
        assert await bus.committed(topic, f"g-{topic}") == {}
        again = Recorder()
        subscription = await self._subscribed(bus, topic, again)
        await eventually("all again", lambda: again.count == 200)
        await subscription.close()
        assert await bus.committed(topic, f"g-{topic}") == await bus.end_offsets(topic)

    async def test_a_commit_is_of_its_own_partition_only(self, bus: Bus, topic: str) -> None:
        """The trap of `ack()`, which commits the position of every partition."""

        class CommitsOne(Recorder):
            async def handle(self, batch: Batch) -> None:
                self.commits = batch.partition == 0
                await super().handle(batch)

        await bus.publish(topic, [Record(b"all", b"x", partition=number) for number in range(PARTITIONS)])
        recorder = CommitsOne()
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("all", lambda: recorder.count == PARTITIONS)
        await subscription.close()
        assert await bus.committed(topic, f"g-{topic}") == {0: 1}

    async def test_what_was_published_before_the_first_start_is_read(self, bus: Bus, topic: str) -> None:
        """The trap of `auto_offset_reset`, which is `latest` unless set."""
        await bus.publish(topic, keyed(10))
        recorder = Recorder()
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("the old ones", lambda: recorder.count == 10)
        await subscription.close()

    async def test_a_handler_that_raises_stops_the_subscription_and_commits_nothing(self, bus: Bus, topic: str) -> None:
        """The trap of swallowed exceptions: logged, and the loop reads on."""

        async def explode(batch: Batch) -> None:
            raise InvariantBroken("debits are not credits")

        await bus.publish(topic, keyed(20))
        recorder = Recorder(before=explode)
        subscription = await self._subscribed(bus, topic, recorder)
        with pytest.raises(InvariantBroken, match="debits"):
            await asyncio.wait_for(subscription.wait(), 30)
        await subscription.close()
        assert await bus.committed(topic, f"g-{topic}") == {}
        assert {partition for what, partition in recorder.log if what == "revoked"} == {
            partition for what, partition in recorder.log if what == "assigned"
        }

    async def test_an_owner_that_cannot_say_where_to_start_stops_the_subscription(self, bus: Bus, topic: str) -> None:
        class Lost(Recorder):
            async def assigned(self, topic: str, partition: int) -> int | None:
                raise InvariantBroken("no offset beside the state")

        subscription = await self._subscribed(bus, topic, Lost())
        with pytest.raises(InvariantBroken, match="no offset"):
            await asyncio.wait_for(subscription.wait(), 30)
        await subscription.close()

    async def test_batches_keep_both_limits(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, keyed(300, size=1_000))
        recorder = Recorder()
        subscription = await self._subscribed(bus, topic, recorder, batch_records_max=25, batch_bytes_max=10_000)
        await eventually("all", lambda: recorder.count == 300)
        await subscription.close()
        assert max(records for records, _ in recorder.sizes) <= 25
        assert max(size for _, size in recorder.sizes) <= 10_000
        assert numbers(recorder) == list(range(300))

    async def test_a_slow_handler_is_given_no_more_than_one_batch(self, bus: Bus, topic: str) -> None:
        """Bounded memory: whatever is in the log, a partition has one batch in hand."""
        gate = asyncio.Event()

        async def hold(batch: Batch) -> None:
            await gate.wait()

        await bus.publish(topic, [Record(b"k", bytes(50_000), partition=0) for _ in range(100)])
        recorder = Recorder(before=hold)
        subscription = await self._subscribed(bus, topic, recorder, batch_records_max=10, batch_bytes_max=200_000)
        await eventually("a batch in hand", lambda: bool(recorder.busy))
        await bus.publish(topic, [Record(b"k", bytes(50_000), partition=0) for _ in range(100)])
        assert len(recorder.sizes) == 1
        gate.set()
        await eventually("all", lambda: recorder.count == 200)
        assert all(records <= 10 and size <= 200_000 for records, size in recorder.sizes)
        await subscription.close()

    async def test_closing_waits_for_the_batch_in_hand_and_its_commit(self, bus: Bus, topic: str) -> None:
        gate = asyncio.Event()

        async def hold(batch: Batch) -> None:
            await gate.wait()

        await bus.publish(topic, [Record(b"k", b"0", partition=0)])
        recorder = Recorder(before=hold)
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("a batch in hand", lambda: bool(recorder.busy))
        closing = asyncio.create_task(subscription.close())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(closing), 0.3)
        assert not closing.done()
        assert ("revoked", 0) not in recorder.log
        gate.set()
        await asyncio.wait_for(closing, 30)
        assert recorder.log.index(("ended", 0)) < recorder.log.index(("revoked", 0))
        assert await bus.committed(topic, f"g-{topic}") == {0: 1}

    async def test_a_rebalance_waits_for_the_batch_in_hand(self, world: World, bus: Bus, topic: str) -> None:
        gate = asyncio.Event()
        gate.set()

        async def hold(batch: Batch) -> None:
            await gate.wait()

        first, second = Recorder(before=hold), Recorder()
        subscription = await self._subscribed(bus, topic, first)
        await eventually("all partitions", lambda: len(subscription.assignment()) == PARTITIONS)
        gate.clear()
        await bus.publish(topic, [Record(b"all", b"%d" % number, partition=number) for number in range(PARTITIONS)])
        await eventually("a batch in hand", lambda: bool(first.busy))
        held = set(first.busy)
        other_bus = world.make_bus("other")
        await other_bus.start()
        other = await self._subscribed(other_bus, topic, second)
        for _ in range(100):
            await asyncio.sleep(0.02)
            assert not held & other.assignment(), "nobody else gets a partition whose batch is in hand"
        gate.set()
        await eventually(
            "two each", lambda: len(subscription.assignment()) == len(other.assignment()) == PARTITIONS // 2
        )
        await eventually("all", lambda: first.count + second.count >= PARTITIONS)
        # What was committed before the hand-over is not delivered again.
        assert sorted(numbers(first) + numbers(second)) == list(range(PARTITIONS))
        await subscription.close()
        await eventually("all to the one that stays", lambda: len(other.assignment()) == PARTITIONS)
        await other.close()
        await other_bus.close()

    async def test_a_killed_member_s_partitions_go_to_the_one_that_stays(
        self, world: World, bus: Bus, topic: str
    ) -> None:
        members = [await Member.start(world, topic) for _ in range(2)]
        try:
            await eventually("two each", lambda: all(len(one.assignment) == PARTITIONS // 2 for one in members))
            await bus.publish(topic, keyed(100))
            await eventually("all", lambda: sum(len(one.values) for one in members) >= 100)
            assert all(one.values for one in members), "both took part"
            await members[0].kill()
            await bus.publish(topic, [Record(b"x", b"after-%d" % n, partition=n % PARTITIONS) for n in range(40)])
            await eventually("the survivor reads all", lambda: _after(members[1].values) == 40)
            delivered = [value for one in members for value in one.values if not value.startswith("after")]
            assert sorted(set(delivered), key=int) == [str(n) for n in range(100)]
        finally:
            for member in members:
                await member.kill()

    async def test_what_publish_confirmed_survives_kill_minus_9(self, world: World, bus: Bus, topic: str) -> None:
        await bus.publish(topic, keyed(500))
        await world.kill()
        await world.start()
        await eventually_available(bus)
        ends = await bus.end_offsets(topic)
        assert sum(ends.values()) == 500
        found = [
            int(one.value)
            for partition, end in ends.items()
            async for part in bus.read(topic, partition, start=0, end=end, batch_records_max=100)
            for one in part
        ]
        assert sorted(found) == list(range(500))

    async def test_the_server_goes_away_and_comes_back(self, world: World, topic: str) -> None:
        """publish tells in bounded time; a subscription waits and goes on without losing its place."""
        bus = world.make_bus("outage")
        await bus.start()
        recorder = Recorder()
        subscription = await self._subscribed(bus, topic, recorder)
        await bus.publish(topic, keyed(50))
        await eventually("the first fifty", lambda: recorder.count == 50)
        await world.kill()
        began = asyncio.get_running_loop().time()
        with pytest.raises(BusUnavailable):
            await bus.publish(topic, [Record(b"k", b"lost?")])
        assert asyncio.get_running_loop().time() - began < 20, "a bounded wait"
        with pytest.raises(BusUnavailable):
            await bus.check()
        # Many that wait are all told; none of them stays in memory.
        refused = await asyncio.gather(
            *(bus.publish(topic, [Record(b"k", b"lost?")]) for _ in range(50)), return_exceptions=True
        )
        assert all(isinstance(one, BusUnavailable) for one in refused)
        await world.start()
        await eventually_available(bus)
        await bus.publish(topic, [Record(b"back", b"1000")])
        await eventually("the new one", lambda: b"1000" in [v for vs in recorder.values.values() for v in vs])
        seen = [int(v) for vs in recorder.values.values() for v in vs if v != b"lost?"]
        assert set(seen) == {*range(50), 1000}
        await subscription.close()
        await bus.close()

    async def test_reading_a_range_gives_exactly_the_range(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=3) for n in range(100)])
        parts = [part async for part in bus.read(topic, 3, start=20, end=75, batch_records_max=30)]
        assert [one.offset for part in parts for one in part] == list(range(20, 75))
        assert max(len(part) for part in parts) <= 30
        assert [part async for part in bus.read(topic, 3, start=100, end=500, batch_records_max=30)] == []

    async def test_an_outage_is_retried_with_the_same_batch(self, bus: Bus, topic: str) -> None:
        attempts: list[tuple[int, ...]] = []

        async def fail_twice(batch: Batch) -> None:
            attempts.append(tuple(one.offset for one in batch.records))
            if len(attempts) < 3:
                raise TransientError("Redis is away")

        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=0) for n in range(5)])
        retried: list[Exception] = []
        handled: list[Batch] = []
        consumer = Consumer(
            bus,
            topic,
            f"g-{topic}",
            Recorder(before=fail_twice),
            retry=Retry(wait_ms_max=20, retries_max=5),
            on_retry=retried.append,
            on_batch=lambda batch, seconds: handled.append(batch),
        )
        await consumer.start()
        await eventually("handled", lambda: len(handled) == 1)
        assert await consumer.lag() == Lag(0, 0.0)
        await consumer.stop()
        assert attempts == [(0, 1, 2, 3, 4)] * 3
        assert len(retried) == 2
        assert await bus.committed(topic, f"g-{topic}") == {0: 5}

    async def test_lag_is_the_age_of_the_oldest_record_that_waits_also_before_any_was_handled(
        self, bus: Bus, topic: str
    ) -> None:
        """The clock stands an hour ahead, so what waits is an hour old, give or take the run of the test."""

        class HourAhead:
            def now_ms(self) -> int:
                return SystemClock().now_ms() + 3_600_000

        going_on = asyncio.Event()

        async def stand_still(batch: Batch) -> None:
            await going_on.wait()

        recorder = Recorder(before=stand_still)
        consumer = Consumer(bus, topic, f"g-{topic}", recorder, batch_records_max=2, clock=HourAhead())
        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=0) for n in range(5)])
        await consumer.start()
        await eventually("assigned", lambda: 0 in consumer.assignment())
        lag = await consumer.lag()
        assert lag.records == 5
        assert 3_590 < lag.seconds < 3_600 + DEADLINE_S
        going_on.set()
        await eventually("all", lambda: recorder.count == 5)
        await consumer.stop()

    async def test_after_the_last_retry_the_consumer_stops_loudly(self, bus: Bus, topic: str) -> None:
        async def fail(batch: Batch) -> None:
            raise TransientError("Redis is away")

        await bus.publish(topic, keyed(1))
        consumer = Consumer(bus, topic, f"g-{topic}", Recorder(before=fail), retry=Retry(wait_ms_max=10, retries_max=2))
        await consumer.start()
        with pytest.raises(TransientError, match="Redis is away"):
            await asyncio.wait_for(consumer.wait(), 30)
        await consumer.stop()
        assert await bus.committed(topic, f"g-{topic}") == {}

    async def test_a_mistake_that_the_handler_let_pass_stops_at_once(self, bus: Bus, topic: str) -> None:
        attempts = 0

        async def fail(batch: Batch) -> None:
            nonlocal attempts
            attempts += 1
            raise PermanentError(Problem(code="unknown-type", message="what is this"))

        await bus.publish(topic, [Record(b"k", b"0", partition=0)])
        consumer = Consumer(bus, topic, f"g-{topic}", Recorder(before=fail))
        await consumer.start()
        with pytest.raises(PermanentError, match="unknown-type"):
            await asyncio.wait_for(consumer.wait(), 30)
        await consumer.stop()
        assert attempts == 1

    async def test_stopping_does_not_wait_for_an_outage_to_end(self, bus: Bus, topic: str) -> None:
        async def fail(batch: Batch) -> None:
            raise TransientError("Redis is away")

        retried: list[Exception] = []
        await bus.publish(topic, keyed(1))
        consumer = Consumer(
            bus,
            topic,
            f"g-{topic}",
            Recorder(before=fail),
            retry=Retry(wait_ms_max=600_000, retries_max=1_000),
            on_retry=retried.append,
        )
        await consumer.start()
        await eventually("it waits", lambda: len(retried) >= 3)
        await asyncio.wait_for(consumer.stop(), 30)
        await consumer.wait()
        assert await bus.committed(topic, f"g-{topic}") == {}

    async def test_a_poison_record_goes_to_the_dead_letters_and_the_partition_moves_on(
        self, bus: Bus, topic: str
    ) -> None:
        letters = DeadLetters(bus)

        async def reject_the_third(batch: Batch) -> None:
            for one in batch.records:
                if one.value == b"3":
                    problem = Problem(code="not-json", message="not JSON", where="byte 0")
                    await letters.reject(batch.topic, batch.partition, one, problem)

        await bus.publish(topic, [Record(b"k", b"%d" % n, (("ce_id", b"e%d" % n),), 1) for n in range(6)])
        recorder = Recorder(before=reject_the_third)
        consumer = Consumer(bus, topic, f"g-{topic}", recorder)
        await consumer.start()
        await eventually("all", lambda: recorder.count == 6)
        await consumer.stop()
        assert await bus.committed(topic, f"g-{topic}") == {1: 6}
        (letter,) = await self._dead_letters(bus, topic)
        headers = dict(letter.headers)
        assert (letter.key, letter.value) == (b"k", b"3")
        assert headers.pop("dlq_at").endswith(b"Z")
        assert headers == {
            "ce_id": b"e3",
            "dlq_code": b"not-json",
            "dlq_message": b"not JSON",
            "dlq_where": b"byte 0",
            "dlq_topic": topic.encode(),
            "dlq_partition": b"1",
            "dlq_offset": b"3",
        }

    async def test_a_full_dead_letter_queue_stops_the_consumer(self, bus: Bus, topic: str) -> None:
        letters = DeadLetters(bus, limit=DlqLimit(run_max=5))

        async def reject_all(batch: Batch) -> None:
            problem = Problem(code="not-json", message="not JSON")
            await letters.reject_all(batch.topic, batch.partition, [(one, problem) for one in batch.records])

        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=0) for n in range(20)])
        consumer = Consumer(bus, topic, f"g-{topic}", Recorder(before=reject_all))
        await consumer.start()
        with pytest.raises(DlqLimitReached, match="6 dead letters in a row"):
            await asyncio.wait_for(consumer.wait(), 30)
        await consumer.stop()
        assert len(await self._dead_letters(bus, topic)) == 5
        assert await bus.committed(topic, f"g-{topic}") == {}

    async def _dead_letters(self, bus: Bus, topic: str) -> Sequence[Received]:
        end = (await bus.end_offsets(f"{topic}.dlq"))[0]
        return [
            one async for part in bus.read(f"{topic}.dlq", 0, start=0, end=end, batch_records_max=100) for one in part
        ]


async def eventually_available(bus: Bus) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while True:
        try:
            await bus.check()
        except BusUnavailable:
            assert asyncio.get_running_loop().time() < deadline, "the bus came back"
            await asyncio.sleep(0.1)
        else:
            return


def _after(values: list[str]) -> int:
    return len({value for value in values if value.startswith("after")})


class Member:
    """A member process, see `tests.contract.bus.member`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.values: list[str] = []
        self.assignment: set[int] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, world: World, topic: str) -> Member:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contract.bus.member",
            world.name,
            world.url,
            topic,
            f"g-{topic}",
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def kill(self) -> None:
        if self.process.returncode is None:
            os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            told = json.loads(line)
            if "assigned" in told:
                self.assignment.add(told["assigned"])
            elif "revoked" in told:
                self.assignment.discard(told["revoked"])
            else:
                self.values += told["values"]


def opened(world: World, client: str) -> Bus:
    return open_bus(kafka=world.url if world.name == "kafka" else None, postgres=world.url, client=client)
