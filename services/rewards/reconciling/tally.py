"""What a reconciliation comes to, per programme and unit: decided, and where each part of that is. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TypedDict

from services.rewards.decode import DecisionHead
from services.rewards.reconciling.judge import Judged, moved_minor
from services.rewards.reconciling.row import BUCKETS, Bucket, Finding, Row


class Line(TypedDict):
    """One programme and unit. `decided_minor` is the sum of all that follow but `on_hold_minor` and `extra_minor`.

    `on_hold_minor` is part of what was posted; `extra_minor` is what a programme gave beside its decisions.
    """

    programme: str
    unit: str
    decisions: int
    decided_minor: int
    posted_minor: int
    waiting_minor: int
    denied_minor: int
    refused_minor: int
    unread_minor: int
    not_taken_minor: int
    unexplained_minor: int
    on_hold_minor: int
    extra_minor: int


class OwnLine(TypedDict):
    """What the ledger booked without a decision: payouts, write-offs, budgets and their like."""

    programme: str
    unit: str
    rule: str
    stage: str
    transfers: int
    minor: int


@dataclass(slots=True)
class _Sums:
    decisions: int = 0
    decided_minor: int = 0
    on_hold_minor: int = 0
    extra_minor: int = 0
    by_bucket: Counter[Bucket] = field(default_factory=Counter)


class Tally:
    """Adds up verdicts; keeps the first findings and counts all of them."""

    def __init__(self, *, findings_max: int) -> None:
        self.findings: list[Finding] = []
        self.count: Counter[str] = Counter(missing=0, extra=0, different=0)
        self.by_bucket: Counter[str] = Counter(dict.fromkeys(BUCKETS, 0))
        self._findings_max = findings_max
        self._sums: defaultdict[tuple[str, str], _Sums] = defaultdict(_Sums)
        self._own: defaultdict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, head: DecisionHead, judged: Judged) -> None:
        for finding in judged.findings:
            self.find(finding)
        if head.unit is None or not judged.decided_minor:
            return
        self.by_bucket[judged.bucket] += 1
        sums = self._sums[head.programme, head.unit]
        sums.decisions += 1
        sums.decided_minor += judged.decided_minor
        sums.on_hold_minor += judged.pending_minor
        sums.by_bucket["posted"] += judged.posted_minor
        if judged.bucket != "posted":
            sums.by_bucket[judged.bucket] += judged.decided_minor - judged.posted_minor

    def add_extra(self, finding: Finding, row: Row) -> None:
        """A transfer of a decision that is not in the log."""
        self.find(finding)
        self._sums[row.programme, row.unit].extra_minor += moved_minor(row)

    def add_own(self, row: Row) -> None:
        sums = self._own[row.programme, row.unit, row.rule, row.stage]
        sums[0] += 1
        sums[1] += row.amount_minor

    def find(self, finding: Finding) -> None:
        self.count[finding.kind] += 1
        if len(self.findings) < self._findings_max:
            self.findings.append(finding)

    def lines(self) -> list[Line]:
        """Sorted by programme and unit."""
        return [
            Line(
                programme=programme,
                unit=unit,
                decisions=sums.decisions,
                decided_minor=sums.decided_minor,
                posted_minor=sums.by_bucket["posted"],
                waiting_minor=sums.by_bucket["waiting"],
                denied_minor=sums.by_bucket["denied"],
                refused_minor=sums.by_bucket["refused"],
                unread_minor=sums.by_bucket["unread"],
                not_taken_minor=sums.by_bucket["not_taken"],
                unexplained_minor=sums.by_bucket["unexplained"],
                on_hold_minor=sums.on_hold_minor,
                extra_minor=sums.extra_minor,
            )
            for (programme, unit), sums in sorted(self._sums.items())
        ]

    def own_lines(self) -> list[OwnLine]:
        return [
            OwnLine(programme=programme, unit=unit, rule=rule, stage=stage, transfers=count, minor=minor)
            for (programme, unit, rule, stage), (count, minor) in sorted(self._own.items())
        ]
