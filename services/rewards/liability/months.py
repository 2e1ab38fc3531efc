"""The local month of a moment. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

from contracts.events import EPOCH

_DAY_MS: Final = 86_400_000
_LAST_MS: Final = 253_402_300_799_999 - _DAY_MS
"""A day before the end of year 9999, which the calendar of any zone still has."""


def month_in(zone: tzinfo, at_ms: int) -> str:
    """`2026-03`; what lies at the very end of the calendar counts to the month before it."""
    moment: datetime = EPOCH + timedelta(milliseconds=min(at_ms, _LAST_MS))
    return f"{moment.astimezone(zone):%Y-%m}"
