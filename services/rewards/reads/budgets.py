"""Budgets: what was put in, what was claimed, what is left, and who waits."""

from __future__ import annotations

from typing import cast

from typing_extensions import TypedDict

from services.rewards.reads.connect import Source, reading


class BudgetLine(TypedDict):
    """One period of a budget. `ruled_minor` is what the rules put in; the rest of `allotted_minor` came by hand."""

    programme: str
    budget: str
    period: str
    unit: str
    ruled_minor: int
    allotted_minor: int
    claimed_minor: int
    left_minor: int
    waiting: int


def budgets(
    postgres: Source, *, after: tuple[str, str, str, str] | None = None, limit: int | None = None
) -> list[BudgetLine]:
    """Every period that was claimed or topped up, or a page after a programme, budget, period and unit."""
    with reading(postgres) as cursor:
        cursor.execute(
            "SELECT b.programme, b.budget, b.period, b.unit, b.ruled_minor, b.left_minor + coalesce(s.minor, 0)"
            " AS allotted_minor, coalesce(s.minor, 0) AS claimed_minor, b.left_minor, b.waiting"
            " FROM rewards.budgets b"
            " LEFT JOIN rewards.accounts a ON a.address = 'programme:' || b.programme || ':spent:' || b.budget"
            " || CASE WHEN b.period = '' THEN '' ELSE ':' || b.period END"
            " LEFT JOIN rewards.balances s ON s.account_id = a.id AND s.unit = b.unit"
            " WHERE %(programme)s::text IS NULL"
            ' OR (b.programme COLLATE "C", b.budget COLLATE "C", b.period COLLATE "C", b.unit COLLATE "C")'
            " > (%(programme)s, %(budget)s, %(period)s, %(unit)s)"
            ' ORDER BY b.programme COLLATE "C", b.budget COLLATE "C", b.period COLLATE "C", b.unit COLLATE "C"'
            " LIMIT %(limit)s",
            dict(zip(("programme", "budget", "period", "unit"), after or (None,) * 4, strict=True)) | {"limit": limit},
        )
        return cast("list[BudgetLine]", cursor.fetchall())
