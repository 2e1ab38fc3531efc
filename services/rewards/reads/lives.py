"""What is on hold, and what waits: the decisions that the ledger has not finished with."""

from __future__ import annotations

from typing import Final

from typing_extensions import TypedDict

from contracts.events import format_time, parse_time_ms
from services.rewards.decode import decode_head
from services.rewards.reads.connect import Source, reading

ROWS_MAX: Final = 10_000


class Held(TypedDict):
    """A decision of which something is on hold until `available_at`; what is over is released within seconds."""

    decision: str
    beneficiary: str
    programme: str
    rule: str
    minor: int
    unit: str
    available_at: str


class Waiting(TypedDict):
    """A decision that the ledger keeps until what it waits for is there. `minor` is below zero where it takes back."""

    decision: str
    beneficiary: str
    programme: str
    rule: str
    minor: int
    unit: str
    waits_for: str | None
    reason: str


def holds(
    postgres: Source, *, beneficiary: str | None = None, after: tuple[str, str] | None = None, limit: int = 1_000
) -> list[Held]:
    """What is on hold, what is available first on top; or a page after an `available_at` and decision."""
    at_ms, decision = (None, None) if after is None else (parse_time_ms(after[0]), after[1])
    with reading(postgres) as cursor:
        cursor.execute(
            "SELECT decision_id::text AS decision, beneficiary, unit, pending_minor, available_at_ms, head"
            " FROM rewards.lives WHERE pending_minor > 0 AND (%(whose)s::text IS NULL OR beneficiary = %(whose)s)"
            " AND (%(at_ms)s::bigint IS NULL OR (available_at_ms, decision_id) > (%(at_ms)s, %(decision)s::uuid))"
            " ORDER BY available_at_ms, decision_id LIMIT %(limit)s",
            {"whose": beneficiary, "at_ms": at_ms, "decision": decision, "limit": min(limit, ROWS_MAX)},
        )
        return [
            Held(
                decision=row["decision"],
                beneficiary=row["beneficiary"],
                programme=head.programme,
                rule=head.rule,
                minor=row["pending_minor"],
                unit=row["unit"],
                available_at=format_time(row["available_at_ms"]),
            )
            for row in cursor
            for head in (decode_head(row["head"]),)
        ]


def waiting(postgres: Source, *, after: str | None = None, limit: int = 1_000) -> list[Waiting]:
    """What waits, in the order of the events behind it; or a page after a decision."""
    with reading(postgres) as cursor:
        cursor.execute(
            "SELECT decision_id::text AS decision, beneficiary, unit, waits_for::text, reason, head"
            " FROM rewards.lives WHERE state = 'waiting'"
            " AND (%(after)s::uuid IS NULL OR decision_id > %(after)s) ORDER BY decision_id LIMIT %(limit)s",
            {"after": after, "limit": min(limit, ROWS_MAX)},
        )
        return [
            Waiting(
                decision=row["decision"],
                beneficiary=row["beneficiary"],
                programme=head.programme,
                rule=head.rule,
                minor=head.amount_minor or 0,
                unit=row["unit"],
                waits_for=row["waits_for"],
                reason=row["reason"],
            )
            for row in cursor
            for head in (decode_head(row["head"]),)
        ]
