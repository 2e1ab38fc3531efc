"""The whole path at a steady rate: from an event at the front door to its transfer committed in the ledger.

A temporary stack as `goodword up` starts it, one process per service; won deals of 200 partners go in at 1,000 a second
in requests of 25, each pays one commission. A second connection looks into the ledger every LOOK_S, so what is
told is up to that much too long, and never too short: the clock stops when the transfer is visible to others.

At a fixed rate there is no faster raw path; `raw_per_second` is the rate that was offered, and a ratio of 1.00
says that the path kept up. The CPU time is that of the four services together.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec
import psycopg

from contracts.events import parse_time_ms
from contracts.ids import decision_id, transfer_id
from goodword.bench.door import Door
from goodword.bench.processes import cpu_s as cpu_s_of
from goodword.bench.report import BenchRow
from goodword.bench.temporary_stack import temporary_stack
from goodword.embedded.stack import Stack
from goodword.target import Target
from runtime.metrics import SERVICES

EVENTS: Final = 20_000
WARM_UP_EVENTS: Final = 3_000
PER_SECOND: Final = 1_000
REQUEST_EVENTS: Final = 25
PARTNERS: Final = 200
LOOK_S: Final = 0.01
LOOKED_FOR_MAX: Final = 100
"""The oldest of those that are due: when the path is behind, looking for all would only slow it further."""
DRAIN_S_MAX: Final = 60.0
_CONNECTIONS: Final = 8

_PROGRAMME: Final = """\
schema: goodword/v1
programme: bench-e2e
currency: USD
timezone: UTC
effective_from: 2020-01-01T00:00:00
metrics:
  sales_12m: {sum: deal.amount, on: deal.won, over: 12 months}
tiers:
  - id: bronze
  - id: silver
    when:
      - sales_12m >= 50_000 USD
rewards:
  - id: commission
    on: deal.won
    when:
      - deal.amount >= 100 USD
    give:
      percent: {by: tier, values: {bronze: 5, silver: 7.5}}
      of: deal.amount
"""


async def run(*, kafka: str | None, events: int = EVENTS) -> list[BenchRow]:
    """Measure on a temporary stack, on the bus named or the embedded one."""
    async with temporary_stack(kafka=kafka) as stack:
        return [await _measure(stack, events, "kafka" if kafka else "postgres")]


async def _measure(stack: Stack, events: int, bus: str) -> BenchRow:
    from goodword.commands.rules import publish_to

    await publish_to(stack.target, _PROGRAMME, "bench-e2e.yaml", "bench", without_second_opinion=True)
    ledger = _Ledger(stack.target.postgres)
    await ledger.open()
    try:
        await _phase(stack.target, ledger, "warm", WARM_UP_EVENTS)
        pids = [stack.pids()[name] for name in SERVICES]
        cpu_before = cpu_s_of(pids)
        took_ms, elapsed_s = await _phase(stack.target, ledger, "run", events)
        cpu_s = cpu_s_of(pids) - cpu_before
    finally:
        await ledger.close()
    cuts = statistics.quantiles(took_ms, n=100)
    per_second = min(len(took_ms) / elapsed_s, float(PER_SECOND))
    return BenchRow(
        name="e2e",
        bus=bus,
        per_second=per_second,
        raw_per_second=float(PER_SECOND),
        ratio=per_second / PER_SECOND,
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        cpu_ms_per_1000=cpu_s * 1e6 / len(took_ms),
    )


async def _phase(target: Target, ledger: _Ledger, name: str, events: int) -> tuple[list[float], float]:
    """Send at the rate, until all have arrived.

    Returns milliseconds from before the request to visible, and seconds from the first request to the last arrival.
    """
    # All is made before the clock starts: whatever is done here is done on the cores of those who are measured.
    made = [_event(name, number) for number in range(events)]
    due = [_transfer_of(event) for event in made]
    chunks = range(0, events, REQUEST_EVENTS)
    bodies = [msgspec.json.encode(made[first : first + REQUEST_EVENTS]) for first in chunks]
    due_s: dict[str, float] = {}
    watching = asyncio.create_task(ledger.watch(due_s, events))
    async with Door(f"{target.service('tracking')}/v1/events", target.key(), connections=_CONNECTIONS) as door:

        async def post(first: int, body: bytes) -> None:
            due_s.update(dict.fromkeys(due[first : first + REQUEST_EVENTS], time.perf_counter()))
            await door.post(body)

        started_s = time.perf_counter()
        requests = []
        for first, body in zip(chunks, bodies, strict=True):
            # By the clock and not by answers: a slow answer must not slow the offered rate.
            await asyncio.sleep(max(0.0, started_s + first / PER_SECOND - time.perf_counter()))
            requests.append(asyncio.create_task(post(first, body)))
        await asyncio.gather(*requests)
    async with asyncio.timeout(DRAIN_S_MAX):
        return await watching, time.perf_counter() - started_s


def _event(name: str, number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "deal.won",
        "source": "bench/e2e",
        "id": f"{name}-{number}-{os.getpid()}",
        # Old enough that nobody is mailed: nobody mails a thousand partners a second.
        "time": f"{datetime.now(UTC) - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
        "data": {
            "programme": "bench-e2e",
            "partner": f"partner-{number % PARTNERS}",
            "customer": {"id": f"customer-{number % 500}", "employees": 100, "country": "US"},
            "deal": {
                "id": f"{name}-D{number}-{os.getpid()}",
                "product": "GTX Pro",
                "amount": {"minor": 482_100, "currency": "USD"},
            },
        },
    }


def _transfer_of(event: dict[str, Any]) -> str:
    """The id of the commission's transfer, derived as the services derive it."""
    decision = decision_id(
        time_ms=parse_time_ms(event["time"]),
        programme=event["data"]["programme"],
        source=event["source"],
        event_id=event["id"],
        rule="commission",
        beneficiary=f"partner:{event['data']['partner']}",
    )
    return transfer_id(decision, "granted")


class _Ledger:
    """Looks which of the transfers that are due have become visible; their ids are known beforehand."""

    def __init__(self, postgres: str) -> None:
        self._postgres = postgres

    async def open(self) -> None:
        self._connection = await psycopg.AsyncConnection.connect(self._postgres, autocommit=True)
        # A young table has no statistics yet, and looking through all of it would cost more than what is measured.
        await self._connection.execute("SET enable_seqscan = off")
        self._connection.prepare_threshold = 0

    async def close(self) -> None:
        await self._connection.close()

    async def watch(self, due_s: dict[str, float], events: int) -> list[float]:
        """Return when `events` transfers were seen; takes what was seen out of `due_s`."""
        took_ms: list[float] = []
        while len(took_ms) < events:
            oldest = list(islice(due_s, LOOKED_FOR_MAX))
            # As one text: the driver takes 24 µs for each element of a list.
            cursor = await self._connection.execute(
                "SELECT id::text FROM rewards.transfers WHERE id = ANY (%s::uuid[])", (f"{{{','.join(oldest)}}}",)
            )
            now_s = time.perf_counter()
            took_ms += [(now_s - due_s.pop(row[0])) * 1000 for row in await cursor.fetchall()]
            await asyncio.sleep(LOOK_S)
        return took_ms
