"""The contract of sharing: a batch in hand is finished before its partition goes to somebody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys

import pytest

from runtime.bus.port import Batch, Bus, BusUnavailable, Record
from tests.contract.bus.owners import Recorder, eventually
from tests.contract.bus.world import PARTITIONS, ROOT, Cases, World, eventually_available, keyed, numbers


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


def _after(values: list[str]) -> int:
    return len({value for value in values if value.startswith("after")})


class HandingOverCases(Cases):
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

    async def test_a_member_that_waits_for_its_first_partitions_can_be_closed(
        self, world: World, bus: Bus, topic: str
    ) -> None:
        """A service that is told to stop while another, which holds all partitions, has a long batch in hand."""
        gate = asyncio.Event()

        async def hold(batch: Batch) -> None:
            await gate.wait()

        first, second = Recorder(before=hold), Recorder()
        subscription = await self._subscribed(bus, topic, first)
        await eventually("all partitions", lambda: len(subscription.assignment()) == PARTITIONS)
        await bus.publish(topic, [Record(b"all", b"%d" % number, partition=number) for number in range(PARTITIONS)])
        await eventually("all in hand", lambda: len(first.busy) == PARTITIONS)
        other_bus = world.make_bus("other")
        await other_bus.start()
        other = await self._subscribed(other_bus, topic, second)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(other.wait()), 1)
        await asyncio.wait_for(other.close(), 25)
        await other_bus.close()
        assert not second.log, "it was given nothing"
        gate.set()
        await eventually("the first goes on", lambda: sorted(numbers(first)) == list(range(PARTITIONS)))
        await subscription.close()

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
