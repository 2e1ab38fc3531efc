"""When payout runs are due: `monthly on 5`, `weekly on monday`, `on request`. Pure.

A run is named by its day, so it is prepared once, whoever looks and however often; a day that nobody looked at is made
up for, but only the newest of several: what was due before is in the balances anyway.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ON_REQUEST: Final = "on request"
"""No runs of its own: somebody prepares one, or a partner asks."""
HELP: Final = "write `monthly on 5`, `monthly on last`, `weekly on monday`, `daily` or `on request`"

_MONTHLY: Final = re.compile(r"monthly on (last|[1-9]|[12][0-9]|3[01])", re.ASCII)
_WEEKLY: Final = re.compile(rf"weekly on ({'|'.join(WEEKDAYS)})", re.ASCII)


def is_schedule(text: str) -> bool:
    return text in {ON_REQUEST, "daily"} or bool(_MONTHLY.fullmatch(text) or _WEEKLY.fullmatch(text))


def today_in(zone: str, now_ms: int) -> date:
    """The day of a programme's calendar."""
    return datetime.fromtimestamp(now_ms // 1_000, UTC).astimezone(ZoneInfo(zone)).date()


def newest_due(schedule: str, today: date, *, since: date) -> date | None:
    """The newest day on which a run was due, from `since` to `today`, both included; None without one.

    A month that is too short for the day has it on its last one.
    """
    due = _newest(schedule, today)
    return due if due is not None and due >= since else None


def _newest(schedule: str, today: date) -> date | None:
    if schedule == "daily":
        return today
    if found := _WEEKLY.fullmatch(schedule):
        return today - timedelta(days=(today.weekday() - WEEKDAYS.index(found[1])) % 7)
    if found := _MONTHLY.fullmatch(schedule):
        due = _in_month(today, found[1])
        return due if due <= today else _in_month(today.replace(day=1) - timedelta(days=1), found[1])
    return None


def _in_month(month: date, wanted: str) -> date:
    days = monthrange(month.year, month.month)[1]
    return month.replace(day=days if wanted == "last" else min(int(wanted), days))
