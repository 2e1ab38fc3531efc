"""Rows of `rewards.budgets`: made, locked and changed.

Budgets are locked before lives, in the order of their ids, by whoever changes either.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

from psycopg.rows import dict_row

from runtime.database import Connection
from services.rewards import packing
from services.rewards.budgets.claims import Budget, BudgetKey

_SELECT: Final[LiteralString] = (
    "SELECT b.id, b.programme, b.budget, b.period, b.unit, b.revision, b.ruled_minor, b.left_minor, b.allotments,"
    " b.waiting, b.last_waiting_no FROM rewards.budgets b"
)


async def open_budgets(connection: Connection, keys: Collection[BudgetKey]) -> None:
    """Make the rows that are not there, outside of any transaction: an empty one does no harm."""
    await connection.execute(
        "INSERT INTO rewards.budgets (programme, budget, period, unit)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (a, b, c, d) ORDER BY a, b, c, d"
        " ON CONFLICT DO NOTHING",
        [list(column) for column in zip(*sorted(keys), strict=True)],
    )


async def lock_budgets(connection: Connection, keys: Collection[BudgetKey]) -> dict[BudgetKey, Budget]:
    """The budgets, locked to the end of the transaction; those that there are not are left out."""
    if not keys:
        return {}
    columns = [packing.texts(list(column)) for column in zip(*sorted(keys), strict=True)]
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _SELECT + " JOIN unnest(%s, %s, %s, %s) AS k (programme, budget, period, unit)"
            " USING (programme, budget, period, unit) ORDER BY b.id FOR UPDATE OF b",
            columns,
        )
        found = [Budget(**row) for row in await cursor.fetchall()]
    return {budget.key: budget for budget in found}


async def waited_for(connection: Connection) -> list[int]:
    """The budgets that decisions wait for."""
    cursor = await connection.execute("SELECT id FROM rewards.budgets WHERE waiting > 0 ORDER BY id")
    return [row[0] for row in await cursor.fetchall()]


async def change_budgets(connection: Connection, budgets: Collection[Budget]) -> None:
    """Write what may change of budgets that are locked: one row each, however many claims there were."""
    for budget in sorted(budgets, key=lambda budget: budget.id):
        await connection.execute(
            "UPDATE rewards.budgets SET revision = %s, ruled_minor = %s, left_minor = %s, allotments = %s,"
            " waiting = %s, last_waiting_no = %s WHERE id = %s",
            (
                budget.revision,
                budget.ruled_minor,
                budget.left_minor,
                budget.allotments,
                budget.waiting,
                budget.last_waiting_no,
                budget.id,
            ),
        )
