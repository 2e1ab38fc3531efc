"""The decisions of a span of time, from the bus; where its beginning is gone, from the archive and the rest of the bus.

Every decision comes once, as it first came; what came again is counted. Memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.topics import DECISIONS
from runtime.bus.port import Bus
from services.rewards.archive import unpack_heads
from services.rewards.decode import DecisionHead, decode_head, decode_heads, encode_head
from services.rewards.reads.connect import Connection
from services.rewards.reconciling.spool import Spool
from services.rewards.settings import GROUP_ARCHIVE

READ_RECORDS_MAX: Final = 5_000
_UNREAD: Final = b"\0"
"""Before a decision that the ledger has not read yet; other bodies begin with `{`."""

Progress = Callable[[str, int, int], None]
"""Told what is read, how far it is, and how much there is."""


@dataclass(frozen=True, slots=True)
class Span:
    """Times of events in milliseconds, the end excluded; None is open."""

    start_ms: int | None = None
    end_ms: int | None = None

    def __contains__(self, time_ms: int) -> bool:
        return (self.start_ms is None or self.start_ms <= time_ms) and (self.end_ms is None or time_ms < self.end_ms)


@dataclass(slots=True)
class LogSide:
    """What was read, and from where.

    Attributes:
        trimmed: Partition to the first offset that the log still has, where that is not its beginning.
        repeats: Deliveries of decisions that were there already.
        unreadable: Records that are no decisions; they are in the dead letters.
        gaps: Partitions of which decisions are neither in the log nor in the archive.
    """

    records: int = 0
    archived: int = 0
    repeats: int = 0
    unreadable: int = 0
    trimmed: dict[int, int] = field(default_factory=dict)
    gaps: list[int] = field(default_factory=list)


async def read_log(
    bus: Bus, spool: Spool, span: Span, ends: Mapping[int, int], posted: Mapping[int, int], progress: Progress
) -> LogSide:
    """Every decision of the log up to `ends`. `posted` is how far the ledger had read each partition for certain."""
    side = LogSide()
    total, done = sum(ends.values()), 0
    archived = await bus.committed(DECISIONS.name, GROUP_ARCHIVE)
    for partition, end in sorted(ends.items()):
        first: int | None = None
        read = bus.read(DECISIONS.name, partition, start=0, end=end, batch_records_max=READ_RECORDS_MAX)
        async with aclosing(read) as batches:  # type: ignore[type-var] # an async generator, which the port need not say
            async for records in batches:
                first = records[0].offset if first is None else first
                decoded = decode_heads([record.value for record in records])
                side.records += len(decoded.decisions)
                side.unreadable += len(decoded.bad)
                for index, head in zip(decoded.indexes, decoded.decisions, strict=True):
                    if head.time_ms in span:
                        is_read = records[index].offset < posted.get(partition, 0)
                        spool.add(head.id, (b"" if is_read else _UNREAD) + encode_head(head).encode())
                progress("log", done + records[-1].offset + 1, total)
        done += end
        first = end if first is None else first
        if first > 0:
            side.trimmed[partition] = first
            if archived.get(partition, 0) < first:
                side.gaps.append(partition)
    return side


def read_archive(ledger: Connection, spool: Spool, span: Span, side: LogSide, progress: Progress) -> None:
    """Every decision that the archive has, as it first came; those that the log has too count as repeats."""
    with ledger.cursor() as count:
        count.execute("SELECT coalesce(max(id), 0) FROM rewards.decision_blobs")
        row = count.fetchone()
    last = int(row[0]) if row else 0
    with ledger.cursor(name="reconcile_archive", binary=True) as blobs:
        blobs.itersize = 10
        blobs.execute("SELECT id, format, body FROM rewards.decision_blobs ORDER BY id")
        for id, format, body in blobs:
            try:
                heads = unpack_heads(format, body)
            except ValueError as error:
                raise PermanentError(Problem(code="archive-unreadable", message=str(error))) from error
            side.archived += len(heads)
            for head in heads:
                if head.time_ms in span:
                    spool.add(head.id, encode_head(head).encode(), is_first=True)
            progress("archive", id, last)


def decisions_of(spool: Spool, side: LogSide) -> Iterator[tuple[str, DecisionHead, bool]]:
    """Id, decision and whether the ledger has read it, by id; each once, as it first came."""
    for id, deliveries in groupby(spool.sorted(), key=itemgetter(0)):
        bodies = [body for _, _, body in deliveries]
        side.repeats += len(bodies) - 1
        is_read = not any(body.startswith(_UNREAD) for body in bodies)
        yield id, decode_head(bodies[0].removeprefix(_UNREAD).decode()), is_read
