"""The row `rules-shadow`: what a draft decided beside what is in force costs, against the live loop in the same run.

The shadow of the default share follows the log that the live loop of `rules-service` has just handled, through the same
consumer, to the end, with its states and sums in PostgreSQL. `ratio` is its CPU time to that of the live loop, each
of this process; `raw_per_second` is the live loop. p50 and p99 are of a batch.
"""

from __future__ import annotations

import asyncio
from typing import Final

from contracts.events import EPOCH
from goodword.bench.report import BenchRow
from goodword.bench.rules import PROGRAMME
from runtime.bus.port import Bus
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.metrics import Metrics
from runtime.migrations import migrate
from services.rules.explaining.keep import Busyness
from services.rules.language import digest_of
from services.rules.lifecycle import Desk
from services.rules.lifecycle.connect import connect
from services.rules.shadowing import SHARE_DEFAULT_PPM, Shadow, start_shadow
from services.rules.shadowing.follow import ShadowOwner
from services.rules.shadowing.observe import ShadowObserver
from services.rules.shadowing.part import ready_draft
from services.rules.store import StateStore

CACHE_BYTES: Final = 4 * 1024 * 1024
BATCH_RECORDS: Final = 5_000
DRAFT: Final = 2


async def begin(bus: Bus, store: StateStore, postgres: str, text: str) -> Shadow:
    """Store two revisions and start the shadow of the second, before the log is filled."""
    await asyncio.to_thread(migrate, postgres, "rules")
    async with connect(postgres) as connection:
        for revision, state in ((1, "active"), (DRAFT, "draft")):
            await connection.execute(
                "INSERT INTO rules.revisions (programme, revision, digest, path, source_text, author, state,"
                " submitted_at, effective_from_at) VALUES (%s, %s, %s, '', %s, 'bench', %s, now(), %s)"
                " ON CONFLICT DO NOTHING",
                (PROGRAMME, revision, digest_of(text), text, state, EPOCH if state == "active" else None),
            )
        await connection.execute("DELETE FROM rules.shadows")
    desk = Desk(postgres=postgres, bus=bus, store=store, clock=SystemClock())
    return await start_shadow(desk, PROGRAMME, DRAFT, share_ppm=SHARE_DEFAULT_PPM, who="bench")


def owner_of(bus: Bus, shadow: Shadow, text: str, database: Database, store: StateStore) -> ShadowOwner:
    """What follows the log for the shadow."""
    return ShadowOwner(
        shadow,
        *ready_draft(text, DRAFT, digest_of(text)),
        bus=bus,
        database=database,
        store=store,
        busyness=Busyness(batch_records_max=1_000_000),
        observer=ShadowObserver(Metrics("rules"), rule_labels_max=500),
        cache_bytes_max=CACHE_BYTES,
        # As often as the service keeps for so many events, while the live loop takes its time for them.
        keep_s=0.5,
    )


def row_of(
    bus: Bus, events: int, live: tuple[float, float], shadow: tuple[float, float], batches_ms: list[float]
) -> BenchRow:
    """From seconds and CPU seconds of both."""
    batches_ms.sort()
    return BenchRow(
        name="rules-shadow",
        bus=bus.name,
        per_second=events / shadow[0],
        raw_per_second=events / live[0],
        ratio=shadow[1] / live[1],
        p50_ms=batches_ms[len(batches_ms) // 2],
        p99_ms=batches_ms[len(batches_ms) * 99 // 100],
        cpu_ms_per_1000=shadow[1] / events * 1e6,
    )
