"""Which partners of a programme are to be looked at when a day closes, so that nobody has to look at all of them.

Pure. One entry a partner: the day at whose close a silence may be due (`PartnerState.alarm_day`). The entries of
a partition are all in memory, and stored in segments, so that a batch writes only those that it changed. Same
entries, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

import msgspec

from services.rules.states.children import STATE_VERSION, checked
from services.rules.states.state import NO_ALARM

SEGMENTS: Final = 64
"""Frozen: entries are stored under it."""
DUE_MAX: Final = 5_000
"""Partners looked at when one day closes; whoever is left is looked at when the next one does."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


class Alarms:
    """The entries of one programme in one partition."""

    def __init__(self) -> None:
        self._days: list[dict[str, int]] = [{} for _ in range(SEGMENTS)]
        self._changed: set[int] = set()

    def put(self, partner: str, day: int) -> None:
        """Look at the partner when that day closes; NO_ALARM takes the entry away."""
        segment = crc32(partner.encode()) % SEGMENTS
        days = self._days[segment]
        if days.get(partner, NO_ALARM) == day:
            return
        if day == NO_ALARM:
            del days[partner]
        else:
            days[partner] = day
        self._changed.add(segment)

    def due(self, day: int, count_max: int) -> list[str]:
        """The partners to look at when the day closes, the longest overdue first."""
        due = sorted((at, partner) for days in self._days for partner, at in days.items() if at <= day)
        return [partner for _, partner in due[:count_max]]

    def load(self, segment: int, value: bytes | None) -> None:
        """Take in a segment as it was stored; None: it is empty. Raises StateUnreadable."""
        entries: Any = {} if value is None else checked(_decode(value))[1]
        self._days[segment] = entries

    def take_changed(self, programme: str) -> Iterable[tuple[bytes, bytes | None]]:
        """Key and value of the segments that changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        for segment in changed:
            days = self._days[segment]
            yield alarms_key(programme, segment), _encode([STATE_VERSION, dict(sorted(days.items()))]) if days else None


def alarms_key(programme: str, segment: int) -> bytes:
    return b"a:%b:%d" % (programme.encode(), segment)


def alarms_keys(programme: str) -> list[bytes]:
    return [alarms_key(programme, segment) for segment in range(SEGMENTS)]
