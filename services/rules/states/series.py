"""What metrics are made of: sparse daily series that answer any window exactly, for late events too.

A value lands on the local day of its own event and is read by day, so an event that comes late never sees the
future, and nothing is ever pruned that a window could still ask for. Windows of metrics that take
the same values share one series. `encode` is frozen: a replay must give the same bytes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import MutableSequence
from hashlib import blake2b
from itertools import accumulate, islice
from typing import Any, Final, Literal

import msgspec

from contracts.ruleset import Metric

STALE_READS_MAX: Final = 2
"""Reads past a late value that are summed directly before the running sums are made anew."""

_NO_DAY: Final = -(2**31) - 1
"""Before every day."""

SUM: Final = 0
MEAN: Final = 1
DISTINCT: Final = 2
_SERIES_ID_BYTES: Final = 8
Kind = Literal["sum", "count", "distinct", "mean"]


class SumSeries(msgspec.Struct, gc=False):
    """Sums by day, or counts by day: sorted days and one total each.

    Most values land on the newest day or after it, and most windows reach it: both are answered from `total` and
    `newest`. What lies before a window is taken off by running sums, made when first needed. A late value
    invalidates those after it, and in a stream that jumps about in time adding up the window directly is cheaper than
    repairing them at every event.

    Attributes:
        total: Of all days.
        newest: The last of `days`.
        running: Sums of the days up to each, for some of the first days; never for the newest one, which still grows.
        stale_reads: Reads past a late value since; -1 when there was none.
        packed: As it was last encoded, until a value comes.
    """

    days: array[int]
    values: MutableSequence[int]
    total: int = 0
    newest: int = _NO_DAY
    running: list[int] = []
    stale_reads: int = -1
    packed: msgspec.Raw | None = None

    def __post_init__(self) -> None:
        if self.days:
            self.newest = self.days[-1]
            self.total = sum(self.values)

    def add(self, day: int, value: int) -> None:
        self.total += value
        self.packed = None
        index = -1
        newest = self.newest
        if day > newest:
            self.newest = day
            self.days.append(day)
            self.values.append(0)
        elif day < newest:
            index = self._late(day)
        try:
            self.values[index] += value
        except OverflowError:
            # Beyond 64 bits exactness matters more than size.
            self.values = list(self.values)
            self.values[index] += value

    def _late(self, day: int) -> int:
        """The place of a day before the newest."""
        days = self.days
        index = bisect_left(days, day)
        if days[index] != day:
            days.insert(index, day)
            self.values.insert(index, 0)
        if index < len(self.running):
            del self.running[index:]
            self.stale_reads = max(self.stale_reads, 0)
        return index

    def between(self, first: int, last: int) -> int:
        """The sum of the days from `first` to `last`, both included."""
        days = self.days
        if self.newest <= last:
            if not days or days[0] >= first:
                return self.total
            start = bisect_left(days, first)
            return self.total - self._before(start) if start < len(days) else 0
        start, end = bisect_left(days, first), bisect_right(days, last)
        if start >= end:
            return 0
        if 0 <= self.stale_reads < STALE_READS_MAX and len(self.running) < end:
            self.stale_reads += 1
            return sum(self.values[start:end])
        return self._before(end) - self._before(start)

    def _before(self, count: int) -> int:
        """The sum of the first days, that many; not of all."""
        running = self.running
        known = len(running)
        if known < count:
            if 0 <= self.stale_reads < STALE_READS_MAX:
                self.stale_reads += 1
                return sum(self.values[:count])
            running.extend(islice(accumulate(self.values[known:count], initial=running[-1] if known else 0), 1, None))
            self.stale_reads = -1
        return running[count - 1] if count else 0

    def encode(self) -> msgspec.Raw:
        packed = self.packed
        if packed is None:
            packed = self.packed = _packed([SUM, self.days.tobytes(), _pack(self.values)])
        return packed


class MeanSeries(msgspec.Struct, gc=False):
    """A sum and a count by day."""

    total: SumSeries
    count: SumSeries
    packed: msgspec.Raw | None = None

    def add(self, day: int, value: int) -> None:
        self.packed = None
        self.total.add(day, value)
        self.count.add(day, 1)

    def between(self, first: int, last: int) -> tuple[int, int] | None:
        """Sum and count of the days from `first` to `last`; None when nothing was counted."""
        count = self.count.between(first, last)
        return (self.total.between(first, last), count) if count else None

    def encode(self) -> msgspec.Raw:
        packed = self.packed
        if packed is None:
            days, totals = self.total.days, self.total.values
            packed = self.packed = _packed([MEAN, days.tobytes(), _pack(totals), _pack(self.count.values)])
        return packed


class DistinctSeries(msgspec.Struct, gc=False):
    """The days of every value, as exact text; and the first and last days of all values, sorted, for fast reads."""

    days_of: dict[str, array[int]]
    firsts: array[int]
    lasts: array[int]
    packed: msgspec.Raw | None = None

    def add(self, day: int, value: str) -> None:
        self.packed = None
        days = self.days_of.get(value)
        if days is None:
            self.days_of[value] = array("i", (day,))
            firsts, lasts = self.firsts, self.lasts
            if not lasts or day >= lasts[-1]:
                # Most values come on the newest day or after it, and then no place has to be looked for.
                firsts.append(day)
                lasts.append(day)
            else:
                insort(firsts, day)
                insort(lasts, day)
        elif day > days[-1]:
            _move(self.lasts, days[-1], day)
            days.append(day)
        elif day < days[0]:
            _move(self.firsts, days[0], day)
            days.insert(0, day)
        else:
            index = bisect_left(days, day)
            if days[index] != day:
                days.insert(index, day)

    def between(self, first: int, last: int) -> int:
        """How many values have a day from `first` to `last`."""
        if not self.firsts:
            return 0
        if self.lasts[-1] <= last:
            return len(self.lasts) - bisect_left(self.lasts, first)
        if first <= self.firsts[0]:
            return bisect_right(self.firsts, last)
        return sum(1 for days in self.days_of.values() if _has_day(days, first, last))

    def encode(self) -> msgspec.Raw:
        packed = self.packed
        if packed is None:
            values = [[value, days.tobytes()] for value, days in self.days_of.items()]
            packed = self.packed = _packed([DISTINCT, values])
        return packed


_encode: Final = msgspec.msgpack.Encoder().encode
Series = SumSeries | MeanSeries | DistinctSeries


def series_id(metric: Metric) -> int:
    """What tells one series from another: a 64-bit hash of what it takes. Frozen: states are stored under it.

    Metrics that take the same values share one series and differ only in their windows; one that comes back in a later
    revision, or under another name, finds its history.
    """
    kind = "sum" if metric.kind == "count" else metric.kind
    taken = [kind, metric.of, sorted(metric.on), metric.minus, metric.per_customer, metric.unit]
    digest = blake2b(msgspec.json.encode(taken), digest_size=_SERIES_ID_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)


def new_series(kind: Kind) -> Series:
    if kind == "distinct":
        return DistinctSeries({}, array("i"), array("i"))
    if kind == "mean":
        return MeanSeries(_new_sums(), _new_sums())
    return _new_sums()


def decode_series(encoded: Any) -> Series:
    """The series that `encode` wrote."""
    if encoded[0] == SUM:
        return SumSeries(array("i", encoded[1]), _unpack(encoded[2]))
    if encoded[0] == MEAN:
        days = array("i", encoded[1])
        return MeanSeries(SumSeries(days, _unpack(encoded[2])), SumSeries(days[:], _unpack(encoded[3])))
    days_of = {value: array("i", days) for value, days in encoded[1]}
    firsts = array("i", sorted(days[0] for days in days_of.values()))
    return DistinctSeries(days_of, firsts, array("i", sorted(days[-1] for days in days_of.values())))


def _new_sums() -> SumSeries:
    return SumSeries(array("i"), array("q"))


def _packed(encoded: list[Any]) -> msgspec.Raw:
    return msgspec.Raw(_encode(encoded))


def _pack(values: MutableSequence[int]) -> Any:
    """64-bit integers as bytes; larger ones as decimal texts."""
    try:
        return array("q", values).tobytes()
    except OverflowError:
        return [str(value) for value in values]


def _unpack(packed: Any) -> MutableSequence[int]:
    if isinstance(packed, bytes):
        return array("q", packed)
    return [int(text) for text in packed]


def _move(days: array[int], from_day: int, to_day: int) -> None:
    del days[bisect_left(days, from_day)]
    insort(days, to_day)


def _has_day(days: array[int], first: int, last: int) -> bool:
    index = bisect_left(days, first)
    return index < len(days) and days[index] <= last
