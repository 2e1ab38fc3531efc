"""What a metric is, and what several of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

SERVICES: Final = ("tracking", "rules", "rewards", "notify")
CONSUMERS: Final = ("rules", "rewards", "notify")
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RECORDS: Final = (1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one or several services.

    Attributes:
        what: The name after `goodword_<service>_`.
        labels: Label name to its closed list of values; an empty list is filled as values occur,
            and `why_open` says why that stays bounded.
        action: What an operator does about it.
    """

    what: str
    kind: Literal["counter", "gauge", "histogram"]
    services: tuple[str, ...]
    help: str
    action: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    buckets: tuple[float, ...] = SECONDS
    why_open: str = ""
