"""How fast history is replayed under a draft: `backtest`, from the log and from an event file, over all cores.

CRM-like events (`crm_like`) under the example's kind of programme, each event decided on both sides. The raw path
decodes the JSON of the same events in one process and does nothing else.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from contracts.events import encode_data, event_headers
from contracts.topics import REFERRALS, TOPICS
from goodword.backtesting.asked import file_side, file_source, in_place
from goodword.backtesting.checkpoints import Run
from goodword.backtesting.events import chunks_of
from goodword.backtesting.plan import FileSource, LogSource, Part, Plan
from goodword.backtesting.run import Limits, default_workers, run
from goodword.bench.crm_like import PROGRAMME, lines
from goodword.bench.report import BenchRow
from runtime.bus.open import open_bus
from runtime.bus.port import Record
from services.tracking.envelope import Envelope

EVENTS: Final = 100_000
PARTITIONS: Final = 4
_LINES_MAX: Final = 2_000

RULES: Final = f"""\
schema: goodword/v1
programme: {PROGRAMME}
currency: USD
timezone: America/New_York
eligible:
  partner:
    - partner.status == active
qualified:
  lead:
    - customer.employees >= 100
metrics:
  sales_12m: {{sum: deal.amount, on: deal.won, over: 12 months}}
  wins_quarter: {{count: deal.won, over: this quarter}}
  bought: {{count: deal.won, per: customer}}
tiers:
  - id: bronze
  - id: silver
    when:
      - sales_12m >= 1_000 USD
  - id: gold
    when:
      - sales_12m >= 5_000 USD
rewards:
  - id: qualified-lead
    on: lead.qualified
    give: 25 USD
  - id: commission
    on: deal.won
    give: {{percent: {{by: tier, values: {{bronze: 5, silver: 7.5, gold: 10}}}}, of: deal.amount, at_most: 20 USD}}
  - id: busy-quarter
    on: deal.won
    when:
      - wins_quarter >= 10
    give: 5 USD
  - id: welcome
    on: deal.won
    to: customer
    when:
      - bought == 0
    give: 10 USD
"""


def measure(*, postgres: str, events: int = EVENTS) -> list[BenchRow]:
    """The row from the log in PostgreSQL, and that from a file."""
    stream = list(islice(lines(events), events))
    raw_s = _decoding_s(stream)
    with tempfile.TemporaryDirectory(prefix="goodword-bench-backtest-") as name:
        folder = Path(name)
        (folder / "events.ndjson").write_bytes(b"".join(stream))
        source, parts, _ = file_source([folder / "events.ndjson"], default_workers())
        of_file = _plan(source, parts)
        ends = asyncio.run(_fill(postgres, of_file))
        log = LogSource(kafka=None, postgres=postgres)
        of_log = _plan(log, tuple(Part(number, end) for number, end in sorted(ends.items())))
        return [_measured(of_log, folder, "postgres", raw_s, events), _measured(of_file, folder, "none", raw_s, events)]


def _plan(source: LogSource | FileSource, parts: tuple[Part, ...]) -> Plan:
    zone = "America/New_York"
    draft = RULES.replace("bronze: 5,", "bronze: 6,")
    before, after = (in_place(file_side(text, ""), zone, None, is_always=True) for text in (RULES, draft))
    return Plan(
        kind="sums",
        programme=PROGRAMME,
        timezone=zone,
        before=before,
        after=after,
        first_day=None,
        last_day=None,
        source=source,
        parts=parts,
    )


def _measured(plan: Plan, folder: Path, bus: str, raw_s: float, events: int) -> BenchRow:
    Run(folder, plan).begin(plan)
    started = time.perf_counter()
    found = run(plan, folder, limits=Limits(workers=default_workers()), on_progress=lambda *_: None)
    took_s = time.perf_counter() - started
    per_second, raw_per_second = events / took_s, events / raw_s
    return BenchRow(
        name="backtest",
        bus=bus,
        per_second=per_second,
        raw_per_second=raw_per_second,
        ratio=per_second / raw_per_second,
        p50_ms=took_s * 1000,
        p99_ms=took_s * 1000,
        cpu_ms_per_1000=found.cpu_s / events * 1e6,
    )


def _decoding_s(stream: Sequence[bytes]) -> float:
    decoder = msgspec.json.Decoder(list[Envelope])
    started = time.perf_counter()
    for first in range(0, len(stream), _LINES_MAX):
        decoder.decode(b"[" + b",".join(stream[first : first + _LINES_MAX]) + b"]")
    return time.perf_counter() - started


async def _fill(postgres: str, plan: Plan) -> dict[int, int]:
    """Publish what the file's events are in the log; returns where each partition ends."""
    bus = open_bus(kafka=None, postgres=postgres, client="bench")
    await bus.start()
    try:
        await bus.ensure_topics(TOPICS, PARTITIONS)
        for part in plan.parts:
            async for chunk in chunks_of(plan, part, 0):
                await bus.publish(
                    REFERRALS.name,
                    [
                        Record(
                            (event.data.partner or "").encode(),
                            encode_data(event.data),
                            event_headers(
                                type=event.type,
                                source=event.source,
                                id=event.id,
                                time_ms=event.time_ms,
                                recorded_at_ms=event.time_ms,
                            ),
                        )
                        for event in chunk.events
                    ],
                )
        return await bus.end_offsets(REFERRALS.name)
    finally:
        await bus.close()
