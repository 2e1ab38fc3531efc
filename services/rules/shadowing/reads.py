"""What a shadow has found, for people, HTTP and the command line; while it runs and after it has ended."""

from __future__ import annotations

from typing import Any, Final

from contracts.errors import PermanentError, Problem
from runtime.database import Connection
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.record import told
from services.rules.shadowing.record import Shadow, fetch_newest

EXAMPLES_SHOWN_MAX: Final = 200
_SUMS: Final = (
    "sum(granted_before)::bigint, sum(granted_after)::bigint, sum(differing)::bigint, sum(before_minor),"
    " sum(after_minor) FROM rules.shadow_sums WHERE number = %(number)s"
)
_BY_RULE: Final = "SELECT rule, unit, " + _SUMS + " GROUP BY rule, unit ORDER BY rule, unit"
_BY_DAY: Final = (
    "SELECT local_day::text, rule, unit, " + _SUMS + " GROUP BY local_day, rule, unit"
    " ORDER BY local_day, rule, unit OFFSET %(after)s LIMIT %(rows)s"
)


async def shadow_told(postgres: str, programme: str | None = None) -> dict[str, Any]:
    """The newest shadow, of a programme or of all: how far it is, sums by rule and unit, and examples.

    Raises PermanentError(`no-shadow`) when there never was one.
    """
    async with connect(postgres) as connection:
        shadow = await _newest(connection, programme)
        query = {"number": shadow.number, "rows": EXAMPLES_SHOWN_MAX}
        cursor = await connection.execute(
            "SELECT coalesce(sum(least(next_offset, starts_at)), 0)::bigint, coalesce(sum(starts_at), 0)::bigint,"
            " coalesce(sum(greatest(next_offset - starts_at, 0)), 0)::bigint, coalesce(sum(events), 0)::bigint,"
            " coalesce(sum(rejected_before), 0)::bigint, coalesce(sum(rejected_after), 0)::bigint"
            " FROM rules.shadow_positions WHERE number = %(number)s",
            query,
        )
        progress = await cursor.fetchone()
        assert progress is not None
        cursor = await connection.execute(_BY_RULE, query)
        rules = [{"rule": row[0], "unit": row[1], **_sum(row[2:])} for row in await cursor.fetchall()]
        cursor = await connection.execute(
            "SELECT rule, partner, beneficiary, event_source, event_id, event_at, unit, before_minor, after_minor,"
            " before, after FROM rules.shadow_examples WHERE number = %(number)s ORDER BY rule, id LIMIT %(rows)s",
            query,
        )
        names = [column.name for column in cursor.description or ()]
        examples = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    return shadow.as_json() | {
        "past_read": progress[0],
        "past_records": progress[1],
        "live_records": progress[2],
        "events": progress[3],
        "rejected_before": progress[4],
        "rejected_after": progress[5],
        "rules": rules,
        "examples": [each | {"event_at": told(each["event_at"])} for each in examples],
    }


async def shadow_days(
    postgres: str, programme: str | None = None, *, after: int = 0, rows_max: int = 100
) -> list[dict[str, Any]]:
    """Sums of the newest shadow by local day, rule and unit, in this order; from the row after that number on."""
    async with connect(postgres) as connection:
        shadow = await _newest(connection, programme)
        cursor = await connection.execute(
            _BY_DAY,
            {"number": shadow.number, "after": after, "rows": rows_max},
        )
        rows = await cursor.fetchall()
    return [{"day": row[0], "rule": row[1], "unit": row[2], **_sum(row[3:])} for row in rows]


async def shadow_partners(
    postgres: str, programme: str | None = None, *, after: int = 0, rows_max: int = 100
) -> list[dict[str, Any]]:
    """What each partner's differing grants come to on both sides, the largest difference first."""
    async with connect(postgres) as connection:
        shadow = await _newest(connection, programme)
        cursor = await connection.execute(
            "SELECT partner, unit, before_minor, after_minor FROM rules.shadow_partners WHERE number = %(number)s"
            " ORDER BY abs(after_minor - before_minor) DESC, partner, unit OFFSET %(after)s LIMIT %(rows)s",
            {"number": shadow.number, "after": after, "rows": rows_max},
        )
        rows = await cursor.fetchall()
    return [
        {"partner": partner, "unit": unit, "before_minor": int(before), "after_minor": int(after)}
        for partner, unit, before, after in rows
    ]


def _sum(row: tuple[Any, ...]) -> dict[str, int]:
    names = ("granted_before", "granted_after", "differing", "before_minor", "after_minor")
    return {name: int(value) for name, value in zip(names, row, strict=True)}


async def _newest(connection: Connection, programme: str | None) -> Shadow:
    found = await fetch_newest(connection, programme)
    if found is None:
        raise PermanentError(
            Problem(
                code="no-shadow",
                message="there never was a shadow" + (f" in {programme}" if programme else ""),
                help="`goodword rules shadow FILE` starts one",
            )
        )
    return found
