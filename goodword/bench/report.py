"""The rows of `goodword bench`: one figure, beside what the same bytes cost with no work done on them."""

from __future__ import annotations

import msgspec


class BenchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement.

    Attributes:
        name: `tracking`, `rules-fold`, `rules-service`, `rules-shadow`, `rules-1000`, `backtest`, `ledger`,
            `ledger-plain`, `ledger-budget`, `ledger-pgledger`, `bus` or `e2e`.
        bus: `postgres`, `kafka`, or `none` where no bus is involved.
        per_second: Events, transfers or records.
        raw_per_second: The same bytes with no work, measured in the same run.
        ratio: per_second / raw_per_second.
        p50_ms, p99_ms: Of one event, or of one batch or request where the path works in those.
        cpu_ms_per_1000: CPU time of the measured process.
    """

    name: str
    bus: str
    per_second: float
    raw_per_second: float
    ratio: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_1000: float
