"""`goodword partners list`: partners with their tiers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, print_table, problems_shown

if TYPE_CHECKING:
    from goodword.target import Target

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _partners() -> None:
    """Partners with their tiers."""


@app.command("list")
def list_partners(
    programme: Annotated[str | None, typer.Option("--programme", help="Only this one's.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Partners of all programmes, each with the tier of its last decided event; none before the first one."""
    from goodword.target import find_target

    with problems_shown():
        rows = asyncio.run(partners_with_tiers(find_target(data), programme))
    if as_json:
        emit_json(rows)
    else:
        columns = ("programme", "partner", "name", "status", "tier", "joined_at")
        print_table(columns, [[row.get(column) for column in columns] for row in rows])


async def partners_with_tiers(target: Target, programme: str | None = None) -> list[dict[str, Any]]:
    """`{"programme", "partner", "tier", "name", "status", "joined_at", …}`, sorted by programme and partner."""
    from contracts.topics import REFERRALS
    from goodword.flow import open_target_bus
    from services.rules.standing import read_tiers
    from services.tracking.reads import partners

    rows = await asyncio.to_thread(partners, target.postgres, programme)
    async with open_target_bus(target) as bus:
        partitions = await bus.partition_count(REFERRALS.name)
    tiers = await read_tiers(target.redis, [(row["programme"], row["partner"]) for row in rows], partitions)
    return [
        {"programme": row["programme"], "partner": row["partner"], "tier": tiers[row["programme"], row["partner"]]}
        | {name: value for name, value in row.items() if name not in {"programme", "partner"}}
        for row in rows
    ]
