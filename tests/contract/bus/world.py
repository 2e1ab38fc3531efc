"""What a contract test of the bus gets: a server that can be killed and started again, and buses that speak to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from contracts.topics import Topic
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, BusUnavailable, Record
from tests.contract.bus.owners import Recorder

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


def opened(world: World, client: str) -> Bus:
    return open_bus(kafka=world.url if world.name == "kafka" else None, postgres=world.url, client=client)


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


class Cases:
    """What every test starts from. Each has topics and groups of its own, so a shared broker need not be emptied."""

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
