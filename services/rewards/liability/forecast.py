"""What is owed at one moment, laid out by month. Pure: rows in, lines out; integers and millionths only.

Every minor unit that an account of a beneficiary holds is in exactly one line, so the lines of a unit come to what its
accounts hold; a property test says so. What expires is spent oldest first, as `lots/oldest_first.py` has it.

What will be forgone of points (breakage, IFRS 15.B44–B47) is expected from those whose date has passed: of lots of the
same programme, unit and validity, the share that expired of what was granted and not taken back. A cohort, that is all
lots of one programme, unit, validity and month of expiry, is expected to lose that share of what it was granted, and
never more than is left of it. This is the expected-ratio method, where chain ladders of claims end as well: how much of
a young cohort is spent already does not change what it is expected to lose in the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from contracts.money import PPM, round_half_even

Kind = Literal["available", "reserved", "in_payout", "expiring", "on_hold", "negative"]
KINDS: Final[tuple[Kind, ...]] = ("available", "reserved", "in_payout", "expiring", "on_hold", "negative")
PLACES: Final[dict[str, Kind]] = {"reserved": "reserved", "payout": "in_payout"}
"""Accounts whose holdings are one kind as they are, by the third segment of their address."""
DAY_MS: Final = 86_400_000
MONTH_DAYS: Final = 30
"""Validities are told apart by so many days."""
LOTS_MIN: Final = 30
"""Closed lots that an expectation rests on; fewer say too little."""

MonthOf = Callable[[str, int], str]
"""The local month of a programme at a time in milliseconds: `2026-03`."""


class Holding(NamedTuple):
    """What an account of a beneficiary holds of a unit by one programme's transfers; together, what it holds."""

    beneficiary: str
    unit: str
    place: str
    programme: str
    minor: int


class Hold(NamedTuple):
    """What ends its hold at one time. None: nobody knows when."""

    programme: str
    unit: str
    available_at_ms: int | None
    minor: int


class Lot(NamedTuple):
    """What was granted with a date; all of it as of the moment that is looked at.

    Attributes:
        granted_minor: Less what was taken back.
        pending_minor: What of it is on hold.
        expired_minor: What its date took away.
    """

    beneficiary: str
    unit: str
    programme: str
    granted_at_ms: int
    expires_at_ms: int
    granted_minor: int
    pending_minor: int
    expired_minor: int

    @property
    def validity(self) -> int:
        """In months of 30 days."""
        return round_half_even(self.expires_at_ms - self.granted_at_ms, MONTH_DAYS * DAY_MS)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what is owed.

    Attributes:
        kind: `available`: now, without a date; `reserved`: by redemptions; `in_payout`: on its way; `expiring`:
            available, and gone in `month` unless it is spent; `on_hold`: due in `month`; `negative`: accounts below
            zero, owed to the programme.
        month: Local to the programme; empty of what has none.
        expected_expiry_minor: Of `expiring`, what experience expects nobody to spend; None without experience.
    """

    programme: str
    unit: str
    kind: Kind
    month: str
    minor: int
    expected_expiry_minor: int | None = None


class Experience(msgspec.Struct, frozen=True, kw_only=True):
    """What became of lots whose date has passed: of `granted_minor`, `expired_minor` was never spent."""

    programme: str
    unit: str
    validity_months: int
    lots: int
    granted_minor: int
    expired_minor: int
    expired_share_ppm: int


_Cohort = tuple[str, str, int, str]
"""Programme, unit, validity, month of expiry."""


class Forecast:
    """Takes beneficiary by beneficiary, then says the lines."""

    def __init__(self, month_of: MonthOf, *, at_ms: int) -> None:
        self._month_of = month_of
        self._at_ms = at_ms
        self._sums: defaultdict[tuple[str, str, Kind, str], int] = defaultdict(int)
        self._cohorts: defaultdict[_Cohort, list[int]] = defaultdict(lambda: [0, 0])
        self._closed: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add_holds(self, holds: Iterable[Hold]) -> None:
        """Everything that is on hold."""
        for hold in holds:
            month = "" if hold.available_at_ms is None else self._month_of(hold.programme, hold.available_at_ms)
            self._sums[hold.programme, hold.unit, "on_hold", month] += hold.minor

    def add(self, holdings: Sequence[Holding], lots: Sequence[Lot]) -> None:
        """What one beneficiary holds of one unit, but for what is on hold; and all its lots, the oldest first."""
        available = [each for each in holdings if each.place == "available"]
        for each in holdings:
            if each.place != "available":
                self._sums[each.programme, each.unit, PLACES[each.place], ""] += each.minor
        balance_minor = sum(each.minor for each in available)
        for each in available:
            self._sums[each.programme, each.unit, "available" if balance_minor >= 0 else "negative", ""] += each.minor
        lots_open = [lot for lot in lots if lot.expires_at_ms > self._at_ms]
        parts = [max(0, lot.granted_minor - lot.pending_minor) for lot in lots_open]
        for lot, left_minor in zip(lots_open, lefts(balance_minor, parts), strict=True):
            month = self._month_of(lot.programme, lot.expires_at_ms)
            self._sums[lot.programme, lot.unit, "available", ""] -= left_minor
            cohort = self._cohorts[lot.programme, lot.unit, lot.validity, month]
            cohort[0] += lot.granted_minor - lot.pending_minor
            cohort[1] += left_minor
        for lot in lots:
            if lot.expires_at_ms <= self._at_ms:
                closed = self._closed[lot.programme, lot.unit, lot.validity]
                closed[0] += 1
                closed[1] += lot.granted_minor
                closed[2] += lot.expired_minor

    def experience(self) -> list[Experience]:
        """What the expectations rest on, sorted."""
        return [
            Experience(
                programme=programme,
                unit=unit,
                validity_months=validity,
                lots=count,
                granted_minor=granted_minor,
                expired_minor=expired_minor,
                expired_share_ppm=_share(expired_minor, granted_minor),
            )
            for (programme, unit, validity), (count, granted_minor, expired_minor) in sorted(self._closed.items())
        ]

    def lines(self) -> list[Line]:
        """All that is not zero: by programme, unit, kind and month."""
        sums = dict(self._sums)
        expected: dict[tuple[str, str, str], int | None] = {}
        for (programme, unit, validity, month), (granted_minor, left_minor) in self._cohorts.items():
            key = (programme, unit, "expiring", month)
            sums[key] = sums.get(key, 0) + left_minor  # type: ignore[index, arg-type] # the kind is a literal above
            share_ppm = self._share_of(programme, unit, validity)
            before = expected.get((programme, unit, month), 0)
            lost = None if share_ppm is None else min(left_minor, round_half_even(granted_minor * share_ppm, PPM))
            # A month of which one cohort has no experience has no expectation.
            expected[programme, unit, month] = None if before is None or lost is None else before + lost
        order = {kind: place for place, kind in enumerate(KINDS)}
        return [
            Line(
                programme=programme,
                unit=unit,
                kind=kind,
                month=month,
                minor=minor,
                expected_expiry_minor=expected.get((programme, unit, month)) if kind == "expiring" else None,
            )
            for (programme, unit, kind, month), minor in sorted(
                sums.items(), key=lambda item: (item[0][0], item[0][1], order[item[0][2]], item[0][3])
            )
            if minor
        ]

    def _share_of(self, programme: str, unit: str, validity: int) -> int | None:
        """Of lots of that validity, else of all of that unit; None where there are too few of either."""
        for counts in (
            [self._closed[programme, unit, validity]] if (programme, unit, validity) in self._closed else [],
            [sums for (of, its_unit, _), sums in self._closed.items() if (of, its_unit) == (programme, unit)],
        ):
            lots, granted_minor, expired_minor = (
                (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0, 0)
            )
            if lots >= LOTS_MIN and granted_minor:
                return _share(expired_minor, granted_minor)
        return None


def lefts(balance_minor: int, parts: Sequence[int]) -> list[int]:
    """What is left of each lot, the oldest first: what the balance is, less what the later ones hold."""
    later_minor, rest_minor, found = sum(parts), balance_minor, []
    for part_minor in parts:
        later_minor -= part_minor
        left_minor = min(part_minor, max(0, rest_minor - later_minor))
        rest_minor -= left_minor
        found.append(left_minor)
    return found


def totals(lines: Iterable[Line]) -> Mapping[str, int]:
    """What all lines of a unit come to."""
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.unit] += line.minor
    return dict(sorted(sums.items()))


def without_months(lines: Iterable[Line]) -> list[Line]:
    """The same by programme, unit and kind only."""
    sums: dict[tuple[str, str, Kind], Line] = {}
    for line in lines:
        key = (line.programme, line.unit, line.kind)
        before = sums.get(key)
        if before is None:
            sums[key] = msgspec.structs.replace(line, month="")
            continue
        known = before.expected_expiry_minor, line.expected_expiry_minor
        sums[key] = msgspec.structs.replace(
            before,
            minor=before.minor + line.minor,
            expected_expiry_minor=None if known[0] is None or known[1] is None else known[0] + known[1],
        )
    return list(sums.values())


def _share(part: int, whole: int) -> int:
    return round_half_even(part * PPM, whole) if whole else 0
