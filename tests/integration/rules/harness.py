"""A rules service as a process of its own, fed and watched through the bus.

Verdicts compare what is in the log of decisions (first delivery of each id, per partition) and the tiers in the
store with a plain fold of the same log in this process, which nobody disturbed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec

from contracts.decisions import Decision, decode_decision, encode_decision
from contracts.events import Event, EventData, Headers, encode_data, event_headers, parse_time_ms
from contracts.topics import DECISIONS, REFERRALS
from goodword.embedded.ports import free_port
from runtime.bus.port import Bus, Record
from services.rules.app import run
from services.rules.fold import Fold
from services.rules.records.decode import decode_records
from services.rules.settings import GROUP
from services.rules.store import StateStore

ROOT = Path(__file__).resolve().parents[3]
PROGRAMME = "crm-sales"
RULES = """\
schema: goodword/v1
programme: crm-sales
currency: USD
timezone: UTC
effective_from: 2016-01-01T00:00:00
metrics:
  sales: {sum: deal.amount, on: deal.won}
  wins: {count: deal.won, over: 90 days}
  bought: {count: deal.won, per: customer}
tiers:
  - id: bronze
  - id: silver
    when:
      - sales >= 1_000 USD
  - id: gold
    when:
      - sales >= 5_000 USD
rewards:
  - id: commission
    on: deal.won
    when:
      - deal.amount >= 100 USD
    give: {percent: {by: tier, values: {bronze: 5, silver: 7.5, gold: 10}}, of: deal.amount}
  - id: welcome
    on: deal.won
    to: customer
    when:
      - bought == 0
    give: 20 USD
  - id: survey
    on: survey.answered
    when:
      - wins >= 1
    give: 5 USD
"""
DAY_MS = 86_400_000
START_MS = 1_480_000_000_000


def event(number: int, *, partners: int = 20) -> Record:
    """The `number`th event of an endless stream: mostly won deals, some surveys, some repeats of earlier ones."""
    if number % 10 == 9:
        number -= 5  # A repeat that slipped past the front door: same source and id, same bytes.
    partner = f"partner-{number * 7 % partners}"
    data: dict[str, object] = {"programme": PROGRAMME, "partner": partner}
    if number % 4 == 3:
        kind = "survey.answered"
        data["survey"] = {"kind": "nps", "score": number % 11}
    else:
        kind = "deal.won"
        data["deal"] = {"id": f"d{number // 2}", "amount": {"minor": number * 37 % 40_000 + 1, "currency": "USD"}}
        data["customer"] = {"id": f"c{number % 50}"}
    return record(partner, kind, f"e{number}", START_MS + number * 3_600_000, data)


def record(partner: str, kind: str, event_id: str, time_ms: int, data: Mapping[str, object]) -> Record:
    headers: Headers = event_headers(type=kind, source="crm/test", id=event_id, time_ms=time_ms, recorded_at_ms=time_ms)
    return Record(partner.encode(), encode_data(msgspec.convert(data, EventData)), headers)


_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["services.rules.app", "tests.integration.rules.harness"])


def _serve(environment: dict[str, str], log_file: str) -> None:
    os.environ.update(environment)
    with Path(log_file).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.exit(asyncio.run(run()))


class RulesProcess:
    """`services.rules.app.run` in a process of its own; killed at the end at the latest.

    Forked from a server that has imported everything already: starting takes a tenth of the CPU.
    """

    def __init__(self, *, postgres: str, redis: str, log_file: Path, **settings: str) -> None:
        self.port = free_port()
        self.log_file = log_file
        environment = {
            "GOODWORD_POSTGRES": postgres,
            "GOODWORD_REDIS": redis,
            "GOODWORD_PORT": str(self.port),
            "GOODWORD_ADMIN_KEY": "secret",
            **settings,
        }
        self.process = _forkserver.Process(target=_serve, args=(environment, str(log_file)))
        self.process.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ready(self, seconds: float = 60) -> None:
        async def is_ready() -> bool:
            assert self.process.is_alive(), self.log_file.read_text()[-4000:]
            try:
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self.url}/readyz", timeout=5)).status_code == 200
            except httpx.HTTPError:
                return False

        await eventually(is_ready, seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    async def stop(self, seconds: float = 60) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return await self.exit_code(seconds)

    async def exit_code(self, seconds: float = 60) -> int:
        await asyncio.to_thread(self.process.join, seconds)
        code = self.process.exitcode
        assert code is not None, "still running"
        return code

    async def metric(self, name: str) -> float:
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self.url}/metrics", timeout=5)).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


Start = Callable[..., "RulesProcess"]


class FixedClock:
    def now_ms(self) -> int:
        return parse_time_ms("2026-11-22T12:00:00Z")


async def send(bus: Bus, first: int, last: int) -> None:
    for start in range(first, last, 500):
        await bus.publish(REFERRALS.name, [event(number) for number in range(start, min(start + 500, last))])


async def eventually(claim: Callable[[], object], seconds: float = 60) -> None:
    """Poll an async or plain claim until it holds."""
    deadline = time.monotonic() + seconds
    while True:
        outcome = claim()
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        if outcome:
            return
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.05)


async def drained(bus: Bus, store: StateStore, seconds: float = 90) -> None:
    """Wait until the states and the group stand at the end of the log."""

    async def is_drained() -> bool:
        ends = await bus.end_offsets(REFERRALS.name)
        committed = await bus.committed(REFERRALS.name, GROUP)
        for partition, end in ends.items():
            position = await store.stored(partition)
            if end and (position is None or position.offset < end or committed.get(partition, 0) < end):
                return False
        return True

    await eventually(is_drained, seconds)


async def log_of(bus: Bus, topic: str) -> dict[int, list[tuple[bytes, Headers]]]:
    """Everything in a topic: values and headers by partition."""
    found: dict[int, list[tuple[bytes, Headers]]] = {}
    for partition, end in (await bus.end_offsets(topic)).items():
        rows = found.setdefault(partition, [])
        async for records in bus.read(topic, partition, start=0, end=end, batch_records_max=5_000):
            rows += [(each.value, each.headers) for each in records]
    return found


async def decided(bus: Bus) -> dict[int, list[bytes]]:
    """The decisions by partition: of each id the first delivery. Every further one must have the same bytes."""
    found: dict[int, list[bytes]] = {}
    for partition, rows in (await log_of(bus, DECISIONS.name)).items():
        firsts: dict[str, bytes] = {}
        for value, _ in rows:
            decision = decode_decision(value)
            assert firsts.setdefault(decision.id, value) == value, "a redelivered decision has other bytes"
        found[partition] = list(firsts.values())
    return found


async def undisturbed(bus: Bus) -> tuple[dict[int, list[bytes]], dict[int, dict[bytes, bytes]]]:
    """Decisions and states by partition, as a plain fold of the log gives them."""
    decisions: dict[int, list[bytes]] = {}
    states: dict[int, dict[bytes, bytes]] = {}
    for partition, end in (await bus.end_offsets(REFERRALS.name)).items():
        fold = Fold(partition)
        made: list[Decision] = []
        kept: dict[bytes, bytes] = {}
        async for records in bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=777):
            events: Sequence[Event] = decode_records(records).events
            missing = fold.missing_keys(events)
            while missing:
                missing = fold.load({key: kept.get(key) for key in missing})
            made += fold.fold(events).decisions
            for key, value in fold.take_dirty().items():
                if value is None:
                    kept.pop(key, None)
                else:
                    kept[key] = value
        decisions[partition] = [encode_decision(each) for each in made]
        states[partition] = kept
    return decisions, states


async def stored_states(store: StateStore, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
    """The live states by partition."""
    found: dict[int, dict[bytes, bytes]] = {}
    for partition in partitions:
        rows = found.setdefault(partition, {})
        position = await store.stored(partition)
        if position is None:
            continue
        async for keys in store.keys(partition, position.era):
            loaded = await store.load(partition, position.era, keys)
            rows.update({key: value for key, value in loaded.items() if value is not None})
    return found


async def assert_undisturbed(bus: Bus, store: StateStore) -> int:
    """Decisions and states are those of a run that nobody disturbed. Returns how many decisions there are."""
    decisions, states = await undisturbed(bus)
    assert await decided(bus) == decisions
    stored = await stored_states(store, states)
    wrong = {
        (partition, key): (stored[partition].get(key), rows.get(key))
        for partition, rows in states.items()
        for key in rows.keys() | stored[partition].keys()
        if stored[partition].get(key) != rows.get(key)
    }
    assert not wrong, f"{len(wrong)} states differ (stored, expected): {dict(list(wrong.items())[:3])}"
    return sum(map(len, decisions.values()))
