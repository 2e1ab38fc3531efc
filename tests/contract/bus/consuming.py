"""The contract of `Consumer`, which all services use: retries, dead letters, a capped queue, a bounded stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from contracts.errors import PermanentError, Problem, TransientError
from runtime.bus.consumer import Consumer, Retry
from runtime.bus.dead_letters import DeadLetters, DlqLimit, DlqLimitReached
from runtime.bus.lag import Lag
from runtime.bus.port import Batch, Bus, Received, Record
from runtime.clock import SystemClock
from tests.contract.bus.owners import DEADLINE_S, Recorder, eventually
from tests.contract.bus.world import Cases, keyed


class ConsumingCases(Cases):
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
