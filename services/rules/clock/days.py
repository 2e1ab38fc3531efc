"""`clock.day_closed`: a local day of a programme has closed, told to every partition, so that the log has the clock.

Promises: only real days, one after the other, once each; only for programmes that tell silences or hold contests. The
records come first, then the row; a crash in between appends the same records again, under the same ids, which the fold
ignores. A programme begins with the day before it was first looked at.
"""

from __future__ import annotations

from typing import Final

from contracts.decisions import DECISIONS_SOURCE
from contracts.events import EventData, encode_data, event_headers
from contracts.topics import REFERRALS
from runtime.bus.port import Bus, Record
from runtime.database import Connection
from services.rules.clock.calendar import Zone, date_of, day_of_date

DAYS_MAX: Final = 31
"""Days closed in one go after a long stop; the next pass goes on."""


def days_to_close(zone: Zone, closed_day: int | None, until_ms: int) -> range:
    """The days that ended by then and are not closed yet, oldest first."""
    last = zone.day_of(until_ms) - 1
    first = last if closed_day is None else closed_day + 1
    return range(first, min(last + 1, first + DAYS_MAX))


def day_closed_records(programme: str, zone: Zone, day: int, partitions: int, now_ms: int) -> list[Record]:
    """`clock.day_closed` for each partition; its time is the day's last millisecond."""
    headers = event_headers(
        type="clock.day_closed",
        source=DECISIONS_SOURCE,
        id=f"day-{programme}-{date_of(day).isoformat()}",
        time_ms=zone.start_ms(day + 1) - 1,
        recorded_at_ms=now_ms,
    )
    value = encode_data(EventData(programme=programme))
    return [Record(programme.encode(), value, headers, partition) for partition in range(partitions)]


async def close_days(
    connection: Connection, bus: Bus, programme: str, timezone: str, *, until_ms: int, now_ms: int
) -> int:
    """Close the days that ended before `until_ms`; returns how many. One caller at a time."""
    zone = Zone(timezone)
    cursor = await connection.execute("SELECT closed_on FROM rules.closed_days WHERE programme = %s", (programme,))
    row = await cursor.fetchone()
    days = days_to_close(zone, None if row is None else day_of_date(row[0]), until_ms)
    partitions = await bus.partition_count(REFERRALS.name)
    for day in days:
        await bus.publish(REFERRALS.name, day_closed_records(programme, zone, day, partitions, now_ms))
        await connection.execute(
            "INSERT INTO rules.closed_days (programme, closed_on) VALUES (%s, %s)"
            " ON CONFLICT (programme) DO UPDATE SET closed_on = EXCLUDED.closed_on",
            (programme, date_of(day)),
        )
    return len(days)
