"""The rows `ledger…`: durable transfers a second, from decisions as they come off the bus to the commit.

One hot programme account, 1,000 partners, batches of 2,000 decisions from a few partitions side by side, outbox and
chain on, one process with two postings in the database at once, as the service runs. Decoding and planning are part of
it. `ledger` grants with a hold that is over (granted and released), `ledger-plain` without a hold, `ledger-budget` out
of one hot budget (granted and claimed). The raw path copies the same transfers into a bare table without index, balance
or outbox, in the same batches, one commit each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql

from contracts.decisions import BudgetClaim, Decision, TraceLine, encode_decision
from contracts.facts import TransferPosted
from contracts.ids import decision_id, event_hash
from goodword.bench.big_ledger import FIRST, SPAN, fill
from goodword.bench.report import BenchRow
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.decode import decode_heads
from services.rewards.lives.grants import past_legs
from services.rewards.lives.settling import Settler
from services.rewards.postings import plan_transfers
from services.rewards.store import SETUP, Ledger, Posted
from services.rewards.writer import Writer

DECISIONS: Final = 100_000
WARM_UP: Final = 10_000
BATCH: Final = 2_000
PARTITIONS: Final = 4
PARTNERS: Final = 1_000
WRITERS: Final = 2
_START_MS: Final = 1_700_000_000_000
_TRACE: Final = (
    TraceLine("partner.status == active", "active", "met", "eligible.partner"),
    TraceLine("deal.amount >= 500 USD", "1054.00 USD", "met", "qualified.deal"),
)


_DAY_MS: Final = 86_400_000
_LAST_DAYS: Final = timedelta(days=10)


class Kind(NamedTuple):
    """What a row's decisions are like."""

    name: str
    transfers_each: int
    fields: Callable[[int], dict[str, Any]]
    """By the decision's time."""
    start_ms: int = _START_MS
    """The first one's."""


KINDS: Final = (
    Kind("ledger", 2, lambda time_ms: {"available_at_ms": time_ms + 30 * _DAY_MS}),
    Kind("ledger-plain", 1, lambda time_ms: {}),
    Kind("ledger-budget", 2, lambda time_ms: {"budgets": (BudgetClaim("yearly", "", 10**15, "USD", "hold"),)}),
)


async def run(*, postgres: str, decisions: int = DECISIONS, filled: int = 0) -> list[BenchRow]:
    """The rows, measured in a database that has no ledger of anybody else; the ledger it makes stays there.

    Args:
        postgres: URL, as the owner of the schema.
        decisions: Of each row.
        filled: Transfers that there are before, of a hundredth as many accounts; what is posted is of their last days.

    Raises:
        RuntimeError: There are transfers in it already, or not everything was posted.
    """
    await asyncio.to_thread(migrate, postgres, "rewards")
    database = Database(postgres, application="rewards", connections_max=WRITERS, setup=SETUP)
    await database.start()
    try:
        if await database.fetch_all("SELECT 1 FROM rewards.transfers LIMIT 1"):
            raise RuntimeError("this database has a ledger already: measure in an empty one")
        start_ms = _START_MS
        if filled:
            accounts = max(PARTNERS, filled // 100)
            await asyncio.to_thread(fill, postgres, transfers=filled, accounts=accounts, is_chained=False)
            start_ms = round((FIRST + SPAN - _LAST_DAYS).timestamp()) * 1_000
        kinds = [kind._replace(start_ms=start_ms) for kind in KINDS]
        return [
            await _measure(database, postgres, kind, first=place * (WARM_UP + decisions), decisions=decisions)
            for place, kind in enumerate(kinds)
        ]
    finally:
        await database.stop()


async def _measure(database: Database, postgres: str, kind: Kind, *, first: int, decisions: int) -> BenchRow:
    await _post(database, kind, _batches(kind, first, WARM_UP))
    # Made before the clock starts: making them is the rules service's work.
    batches = list(_batches(kind, first + WARM_UP, decisions))
    cpu_s, began = time.process_time(), time.perf_counter()
    latencies_ms = await _post(database, kind, iter(batches))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    raw_seconds = await asyncio.to_thread(_copy_raw, postgres, batches)
    count = len(batches) * BATCH * kind.transfers_each
    latencies_ms.sort()
    return BenchRow(
        name=kind.name,
        bus="none",
        per_second=count / seconds,
        raw_per_second=count / raw_seconds,
        ratio=raw_seconds / seconds,
        p50_ms=latencies_ms[len(latencies_ms) // 2],
        p99_ms=latencies_ms[min(len(latencies_ms) - 1, len(latencies_ms) * 99 // 100)],
        cpu_ms_per_1000=cpu_s * 1_000_000 / count,
    )


async def _post(database: Database, kind: Kind, batches: Iterator[Sequence[bytes]]) -> list[float]:
    """Post all; returns the milliseconds that each batch took from its bytes to the commit."""
    posted = Posted()

    def add(result: Posted) -> None:
        nonlocal posted
        posted += result

    clock, ledger = SystemClock(), Ledger(database)
    writer = Writer(
        ledger,
        Settler(database, ledger),
        clock=clock,
        writers_max=WRITERS,
        posting_transfers_max=2 * BATCH,
        on_posted=add,
    )
    latencies_ms: list[float] = []

    async def partition() -> None:
        for values in batches:
            began = time.perf_counter()
            heads = decode_heads(values).decisions
            plan = plan_transfers(heads, [""] * len(heads), posted_at_ms=clock.now_ms())
            await writer.post(plan.transfers)
            await writer.settle(plan.careful)
            latencies_ms.append((time.perf_counter() - began) * 1_000)

    await asyncio.gather(*(partition() for _ in range(PARTITIONS)))
    # What is put into the budget is a transfer as well.
    if posted.count - posted.by_stage["allotted"] != len(latencies_ms) * BATCH * kind.transfers_each:
        raise RuntimeError(f"{posted} does not say that {len(latencies_ms)} batches were posted")
    return latencies_ms


def _batches(kind: Kind, first: int, count: int) -> Iterator[Sequence[bytes]]:
    for start in range(first, first + count, BATCH):
        yield [encode_decision(_decision(kind, number)) for number in range(start, start + BATCH)]


def _decision(kind: Kind, number: int) -> Decision:
    event_id, time_ms, partner = f"opp-{number:07}-won", kind.start_ms + number * 1_000, f"partner-{number % PARTNERS}"
    beneficiary = f"partner:{partner}"
    return Decision(
        id=decision_id(
            time_ms=time_ms,
            programme="crm-sales",
            source="crm/acme",
            event_id=event_id,
            rule="commission",
            beneficiary=beneficiary,
        ),
        granted=True,
        programme="crm-sales",
        revision=1,
        rule="commission",
        partner=partner,
        beneficiary=beneficiary,
        event_type="deal.won",
        event_source="crm/acme",
        event_id=event_id,
        time_ms=time_ms,
        amount_minor=5_270 + number % 1_000,
        unit="USD",
        base_minor=105_400,
        base_unit="USD",
        percent_ppm=50_000,
        tier="bronze",
        customer=f"customer-{number % 5_000}",
        customer_name="Cancity",
        deal=f"{number:07}",
        product="GTX Plus Basic",
        trace=_TRACE,
        **kind.fields(time_ms),
    )


def _copy_raw(postgres: str, batches: Sequence[Sequence[bytes]]) -> float:
    """Seconds to copy the same transfers into a bare table, packed beforehand."""
    packed = [_copy_bytes(values) for values in batches]
    with psycopg.connect(postgres, autocommit=True) as connection:
        table = sql.Identifier("bench_raw_transfers")
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        connection.execute(
            sql.SQL(
                "CREATE TABLE {} (id text, debit text, credit text, amount_minor bigint, unit text, programme text,"
                " rule text, partner text, event_source text, event_id text, event_hash bigint, time_ms bigint)"
            ).format(table)
        )
        statement = sql.SQL("COPY {} FROM STDIN").format(table)
        began = time.perf_counter()
        for data in packed:
            with connection.cursor().copy(statement) as copy:
                copy.write(data)
        seconds = time.perf_counter() - began
        connection.execute(sql.SQL("DROP TABLE {}").format(table))
    return seconds


def _copy_bytes(values: Sequence[bytes]) -> bytes:
    heads = decode_heads(values).decisions
    plan = plan_transfers(heads, [""] * len(heads), posted_at_ms=0)
    held = [leg for one in plan.careful for leg in past_legs(one, 0)]
    return b"".join(_copy_line(transfer) for transfer in (*plan.transfers, *held))


def _copy_line(transfer: TransferPosted) -> bytes:
    fields = (
        transfer.id,
        transfer.debit,
        transfer.credit,
        str(transfer.amount_minor),
        transfer.unit,
        transfer.programme,
        transfer.rule,
        transfer.partner,
        transfer.event_source,
        transfer.event_id,
        str(event_hash(transfer.event_source, transfer.event_id)),
        str(transfer.time_ms),
    )
    return ("\t".join(fields) + "\n").encode()
