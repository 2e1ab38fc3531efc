"""Instants that are asked for, and which transfers lie before them. Pure.

Every transfer has two times. It counts from its *effective* time on: when the event behind it happened, or, where that
is not when the money moved (a release, an expiry, a grant that had waited, what a person booked), when it did. It was
*booked* when the ledger posted it. What comes late changes what is effective in the past, and never what was booked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from contracts.errors import PermanentError, Problem

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TICK: Final = timedelta(microseconds=1)
"""What the database resolves."""


class By(StrEnum):
    """Which of a transfer's two times is meant."""

    EFFECTIVE = "effective"
    BOOKED = "booked"


@dataclass(frozen=True, slots=True)
class Cut:
    """Between two instants: what is before `until` counts."""

    by: By
    until: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on (None: the beginning), and before `until` (None: all there is)."""

    by: By
    since: datetime | None = None
    until: datetime | None = None

    @property
    def opening(self) -> Cut | None:
        return None if self.since is None else Cut(self.by, self.since)

    @property
    def closing(self) -> Cut | None:
        return None if self.until is None else Cut(self.by, self.until)


def cut_of(as_of: str, by: By | None = None) -> Cut:
    """What counts as of an instant: all until then, the instant itself included; of a date, the whole day in UTC.

    Raises:
        PermanentError: `instant-malformed`.
    """
    at = _instant(as_of, "as-of")
    return Cut(by or By.EFFECTIVE, _later(at, timedelta(days=1) if _DATE.fullmatch(as_of) else _TICK, "as-of"))


def period_of(
    since: str | None = None, until: str | None = None, as_of: str | None = None, by: By | None = None
) -> Period:
    """The first instant belongs to a period and the last one does not, so periods follow each other without a gap.

    Of a date as the last one the whole day in UTC belongs to it. Where no instant is asked for, `by` is booked.

    Raises:
        PermanentError: `instant-malformed` or `period-malformed`.
    """
    if as_of is not None and until is not None:
        raise _refused("period-malformed", "a statement ends with --to or --as-of, not both", "as-of")
    first = None if since is None else _instant(since, "from")
    last = None
    if as_of is not None:
        last = cut_of(as_of).until
    elif until is not None:
        last = _instant(until, "to")
        if _DATE.fullmatch(until):
            last = _later(last, timedelta(days=1), "to")
    if first is not None and last is not None and first > last:
        raise _refused("period-malformed", f"the period ends before it begins: {since} … {until or as_of}", "to")
    return Period(by or (By.BOOKED if first is last is None else By.EFFECTIVE), first, last)


def _instant(text: str, where: str) -> datetime:
    """An aware instant; of a date, its beginning in UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _malformed(text, where) from None
    if _DATE.fullmatch(text):
        return at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise _malformed(text, where)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise _malformed(text, where) from None


def _later(at: datetime, by: timedelta, where: str) -> datetime:
    try:
        return at + by
    except OverflowError:
        raise _malformed(at.isoformat(), where) from None


def _malformed(text: str, where: str) -> PermanentError:
    return _refused(
        "instant-malformed",
        f"{text!r} is no instant: write a date, or a time with its offset, such as 2026-03-31T18:00:00Z",
        where,
    )


def _refused(code: str, message: str, where: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message, where=where))
