"""What limits have let through: how often and how much, per rule and local period.

A partner's counters stand in the partner's state, those per customer in the customer's. They are kept apart by rule,
kind of period and unit, and not by the number that a limit allows, so that a limit that is changed by a later revision
or by terms goes on from what was given. Of months, quarters and years the newest PERIODS_KEPT_MAX in which something
was granted are kept; what an older one came to is not known any more, and whoever asks must not guess.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec

PERIODS_KEPT_MAX: Final = 120
"""Per counter: ten years of months, in at most 14 bytes each."""
USED_MAX: Final = 2**63 - 1
"""What a counter comes to at most: as much as the largest limit allows."""
_ID_BYTES: Final = 8

Counters = dict[int, dict[int, int]]
"""Counter to first day of the period (0 for one without end) to what was used."""


def counter_id(rule: str, per: str, unit: str | None) -> int:
    """What tells one counter from another: a 64-bit hash. Frozen: states are stored under it.

    One without a unit counts decisions.
    """
    digest = blake2b(msgspec.json.encode([rule, per, unit]), digest_size=_ID_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)


def used(counters: Counters, id: int, period: int) -> int | None:
    """What was used of the period; None when it is older than what is kept."""
    periods = counters.get(id)
    if periods is None:
        return 0
    found = periods.get(period)
    if found is None and len(periods) >= PERIODS_KEPT_MAX and period < min(periods):
        return None
    return found or 0


def use(counters: Counters, id: int, period: int, much: int) -> None:
    """Add to what was used of the period."""
    before = used(counters, id, period)
    if before is None:
        return
    periods = counters.setdefault(id, {})
    periods[period] = min(before + much, USED_MAX)
    if len(periods) > PERIODS_KEPT_MAX:
        del periods[min(periods)]


def encode_counters(counters: Counters) -> list[Any]:
    # In order of first use, which the log determines; a dict keeps it through a round trip.
    return [[id, [number for pair in periods.items() for number in pair]] for id, periods in counters.items()]


def decode_counters(stored: list[Any]) -> Counters:
    return {id: dict(zip(numbers[::2], numbers[1::2], strict=True)) for id, numbers in stored}
