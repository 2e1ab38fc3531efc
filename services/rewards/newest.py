"""What redemptions, memberships and gifts have in common: they are listed from the newest on, by whose and by state."""

from __future__ import annotations

from typing import Final, LiteralString

NEWEST_FIRST: Final[LiteralString] = (
    " WHERE beneficiary = coalesce(%s, beneficiary) AND state = coalesce(%s, state)"
    " AND (%s::uuid IS NULL OR id < %s::uuid) ORDER BY id DESC LIMIT %s"
)
"""Behind the SELECT of a table whose ids are ordered by time."""


def newest_first(
    beneficiary: str | None, state: str | None, *, before: str | None, limit: int
) -> tuple[str | None, str | None, str | None, str | None, int]:
    """Parameters of NEWEST_FIRST; None for everybody's, of any state, or from the newest on."""
    return beneficiary, state, before, before, limit
