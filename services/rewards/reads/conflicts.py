"""What came again with other data, and what the ledger would not take: kept, and shown."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict

from contracts.events import format_time, time_ms_of
from services.rewards.reads.connect import Source, reading

LIMIT_MAX: Final = 10_000


class Conflict(TypedDict):
    """One transfer's id that came again with other data: nothing moved, and what came is kept.

    `fields` differ; `stored` and `received` have their values, and no others. `digest` is of all that came.
    """

    transfer: str
    digest: str
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


def conflicts(source: Source, *, after: tuple[str, str] | None = None, limit: int = 1_000) -> list[Conflict]:
    """The newest first; only those after the one of this transfer and digest."""
    transfer, digest = after or (None, None)
    with reading(source) as cursor:
        rows = cursor.execute(
            "SELECT transfer_id, digest, seen_at, fields, stored, received FROM rewards.conflicts"
            " WHERE %(transfer)s::uuid IS NULL OR (seen_at, transfer_id, digest) < (SELECT seen_at, transfer_id, digest"
            " FROM rewards.conflicts WHERE transfer_id = %(transfer)s::uuid AND digest = %(digest)s)"
            " ORDER BY seen_at DESC, transfer_id DESC, digest DESC LIMIT %(limit)s",
            {"transfer": transfer, "digest": digest, "limit": min(limit, LIMIT_MAX)},
        ).fetchall()
    return [
        Conflict(
            transfer=str(row["transfer_id"]),
            digest=row["digest"],
            seen_at=format_time(time_ms_of(row["seen_at"])),
            fields=row["fields"],
            stored={name: row["stored"].get(name) for name in row["fields"]},
            received={name: row["received"].get(name) for name in row["fields"]},
        )
        for row in rows
    ]


def refusals(source: Source, *, after: str | None = None, limit: int = 1_000) -> list[Refusal]:
    """The newest first; only those after the one of this transfer."""
    with reading(source) as cursor:
        rows = cursor.execute(
            "SELECT id, refused_at, reason, message FROM rewards.refusals"
            " WHERE %(after)s::uuid IS NULL"
            " OR (refused_at, id) < (SELECT refused_at, id FROM rewards.refusals WHERE id = %(after)s::uuid)"
            " ORDER BY refused_at DESC, id DESC LIMIT %(limit)s",
            {"after": after, "limit": min(limit, LIMIT_MAX)},
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
