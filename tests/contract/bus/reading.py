"""The contract of a subscription: where it starts, what moves it, what is in hand, and what stops it."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import InvariantBroken
from runtime.bus.port import Batch, Bus, Record
from tests.contract.bus.owners import Recorder, eventually
from tests.contract.bus.world import PARTITIONS, Cases, keyed, numbers


class ReadingCases(Cases):
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
