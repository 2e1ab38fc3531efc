"""Transfers as they are shown: with addresses instead of numbers, times in RFC 3339."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from contracts.events import format_time, time_ms_of


class Transfer(TypedDict):
    """One transfer; `reason` and `booked_by` are told of what a person booked.

    `event_at` is when the event behind it happened, `effective_at` from when on it counts, `posted_at` when it was
    posted.
    """

    id: str
    group: str
    decision: str
    stage: str
    debit: str
    credit: str
    minor: int
    unit: str
    programme: str
    rule: str
    revision: int
    partner: str
    event_source: str
    event_id: str
    event_at: str
    effective_at: str
    posted_at: str
    customer: str | None
    deal: str | None
    lead: str | None
    reason: str | None
    booked_by: str | None


def transfer_of(row: dict[str, Any]) -> Transfer:
    """Of a row of rewards.transfers with the addresses `debit` and `credit`."""
    return Transfer(
        id=str(row["id"]),
        group=str(row["group_id"]),
        decision=str(row["decision_id"]),
        stage=row["stage"],
        debit=row["debit"],
        credit=row["credit"],
        minor=row["amount_minor"],
        unit=row["unit"],
        programme=row["programme"],
        rule=row["rule"],
        revision=row["revision"],
        partner=row["partner"],
        event_source=row["event_source"],
        event_id=row["event_id"],
        event_at=format_time(time_ms_of(row["event_at"])),
        effective_at=format_time(time_ms_of(row["news_at"] or row["event_at"])),
        posted_at=format_time(time_ms_of(row["posted_at"])),
        customer=row["customer"],
        deal=row["deal"],
        lead=row["lead"],
        reason=row["reason"],
        booked_by=row["booked_by"],
    )
