"""What came again with other data, and what the ledger would not take: kept, and shown."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from contracts.events import format_time, time_ms_of
from services.rewards.reads.connect import Source, reading

LIMIT_MAX: Final = 10_000


class Conflict(TypedDict):
    """One transfer's id that came again with other data: nothing moved, and what came is kept.

    `fields` differ; `stored` and `received` have their values, and no others.
    """

    transfer: str
    seen_at: str
    fields: list[str]
    stored: dict[str, Any]
    received: dict[str, Any]


class Refusal(TypedDict):
    """A posting that the ledger would not take; every redelivery gets the same answer."""

    transfer: str
    refused_at: str
    reason: str
    message: str


def conflicts(source: Source, *, limit: int = 1_000) -> list[Conflict]:
    """The newest first."""
    with reading(source) as cursor:
        rows = cursor.execute(
            "SELECT transfer_id, seen_at, fields, stored, received FROM rewards.conflicts"
            " ORDER BY seen_at DESC, transfer_id, digest LIMIT %s",
            (min(limit, LIMIT_MAX),),
        ).fetchall()
    return [
        Conflict(
            transfer=str(row["transfer_id"]),
            seen_at=format_time(time_ms_of(row["seen_at"])),
            fields=row["fields"],
            stored={name: row["stored"].get(name) for name in row["fields"]},
            received={name: row["received"].get(name) for name in row["fields"]},
        )
        for row in rows
    ]


def refusals(source: Source, *, limit: int = 1_000) -> list[Refusal]:
    """The newest first."""
    with reading(source) as cursor:
        rows = cursor.execute(
            "SELECT id, refused_at, reason, message FROM rewards.refusals ORDER BY refused_at DESC, id LIMIT %s",
            (min(limit, LIMIT_MAX),),
        ).fetchall()
    return [
        Refusal(
            transfer=str(row["id"]),
            refused_at=format_time(time_ms_of(row["refused_at"])),
            reason=row["reason"],
            message=row["message"],
        )
        for row in rows
    ]
