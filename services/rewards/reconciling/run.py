"""`goodword ledger reconcile`: every decision of the log against every transfer of the ledger, at one moment.

Safe while everything runs. How far the ledger has read is asked before the moment that is looked at, and where the log
ends after it; so what was posted is in the log that is read, and what is missing had been read before.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final, TypedDict

from contracts.events import format_time
from contracts.topics import DECISIONS
from runtime.bus.port import Bus
from services.rewards.decode import DecisionHead
from services.rewards.reads.connect import Connection, open_ledger
from services.rewards.reconciling import ledger_side
from services.rewards.reconciling.judge import found, is_own, judge
from services.rewards.reconciling.log_side import LogSide, Progress, Span, decisions_of, read_archive, read_log
from services.rewards.reconciling.row import Finding, Known, Row
from services.rewards.reconciling.spool import Spool
from services.rewards.reconciling.tally import Line, OwnLine, Tally
from services.rewards.settings import GROUP

FINDINGS_MAX: Final = 1_000
"""Findings that are told one by one, unless more are asked for; all are counted."""
PROGRESS_EVERY: Final = 10_000

_Side = tuple[str, int, tuple[DecisionHead, bool] | Known | Row]
_side_order: Final = itemgetter(0, 1)


class Reconciliation(TypedDict):
    """The whole answer. `source` says what stood for the log; `gaps` are partitions with decisions in neither."""

    source: str
    trimmed: dict[str, int]
    gaps: list[int]
    start: str | None
    end: str | None
    decisions: int
    transfers: int
    repeats: int
    unreadable: int
    missing: int
    extra: int
    different: int
    by_bucket: dict[str, int]
    lines: list[Line]
    own: list[OwnLine]
    findings: list[Finding]


def holds(answer: Reconciliation) -> bool:
    """Whether the ledger is what the log says."""
    return not (answer["missing"] or answer["extra"] or answer["different"] or answer["gaps"])


async def reconcile(
    bus: Bus,
    postgres: str,
    span: Span,
    *,
    at_ms: int,
    findings_max: int = FINDINGS_MAX,
    progress: Progress = lambda what, done, total: None,
) -> Reconciliation:
    """Compare; `bus` is started. Nothing is written anywhere.

    Raises:
        BusUnavailable: The log is away, or there is none yet.
        psycopg.Error: The database is away.
    """
    posted = await bus.committed(DECISIONS.name, GROUP)
    with open_ledger(postgres) as ledger, Spool() as spool:
        ledger_side.prepare(ledger)
        ends = await bus.end_offsets(DECISIONS.name)
        side = await read_log(bus, spool, span, ends, posted, progress)
        if side.trimmed:
            read_archive(ledger, spool, span, side, progress)
        return _compare(ledger, spool, side, span, Tally(findings_max=findings_max), at_ms, progress)


def _compare(
    ledger: Connection, spool: Spool, side: LogSide, span: Span, tally: Tally, at_ms: int, progress: Progress
) -> Reconciliation:
    decisions = transfers = 0
    merged = heapq.merge(
        _tagged_decisions(spool, side),
        ((known.decision, 1, known) for known in ledger_side.known_of(ledger, span)),
        ((row.decision, 2, row) for row in ledger_side.transfers_of(ledger, span)),
        key=_side_order,
    )
    for id, group in groupby(merged, key=itemgetter(0)):
        decided: tuple[DecisionHead, bool] | None = None
        known: Known | None = None
        rows: list[Row] = []
        for _, _, one in group:
            if isinstance(one, Row):
                rows.append(one)
            elif isinstance(one, Known):
                known = one
            else:
                decided = one
        transfers += len(rows)
        if decided is None:
            _add_undecided(rows, tally)
            continue
        head, is_read = decided
        decisions += 1
        may_be_refused = is_read and head.granted and not rows and known is None
        is_refused = may_be_refused and ledger_side.is_refused(ledger, id)
        tally.add(head, judge(head, rows, known, is_refused=is_refused, is_read=is_read, at_ms=at_ms))
        if decisions % PROGRESS_EVERY == 0:
            progress("comparison", decisions, spool.count)
    progress("comparison", spool.count, spool.count)
    return Reconciliation(
        source="archive and log" if side.trimmed else "log",
        trimmed={str(partition): offset for partition, offset in sorted(side.trimmed.items())},
        gaps=side.gaps,
        start=None if span.start_ms is None else format_time(span.start_ms),
        end=None if span.end_ms is None else format_time(span.end_ms),
        decisions=decisions,
        transfers=transfers,
        repeats=side.repeats,
        unreadable=side.unreadable,
        missing=tally.count["missing"],
        extra=tally.count["extra"],
        different=tally.count["different"],
        by_bucket=dict(tally.by_bucket),
        lines=tally.lines(),
        own=tally.own_lines(),
        findings=tally.findings,
    )


def _tagged_decisions(spool: Spool, side: LogSide) -> Iterator[_Side]:
    for id, head, is_read in decisions_of(spool, side):
        yield id, 0, (head, is_read)


def _add_undecided(rows: list[Row], tally: Tally) -> None:
    for row in rows:
        if is_own(row):
            tally.add_own(row)
        else:
            tally.add_extra(found("extra", row, "no such decision is in the log"), row)
