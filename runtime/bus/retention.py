"""How small the log in PostgreSQL is kept; plain values, from the settings `GOODWORD_LOG_*`. Kafka has its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """When the log is looked after, and what goes.

    Attributes:
        days_max: Records older than this go; None keeps them.
        partition_bytes_max: The oldest records beyond this go; None keeps them.
        every_s: Between two rounds; compacted topics are compacted in each.
    """

    days_max: float | None = None
    partition_bytes_max: int | None = None
    every_s: float = 3_600.0
