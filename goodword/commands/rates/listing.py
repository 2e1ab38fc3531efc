"""`goodword rates list`: the exchange rates that are known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, print_table, problems_shown

if TYPE_CHECKING:
    from goodword.target import Target
    from services.rules.lifecycle.publish_rates import RateTold


def list_rates(
    programme: Annotated[str | None, typer.Option("--programme", help="Only this one's.")] = None,
    since: Annotated[str, typer.Option("--since", metavar="DAY", help="Only from this day on: 2026-03-01.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The rates of every programme and day, and how many of the partitions know them."""
    from goodword.target import find_target

    with problems_shown():
        rates = asyncio.run(_told(find_target(data), programme))
    shown = [each for each in rates if each.day >= since]
    if as_json:
        emit_json(shown)
        return
    columns = ("programme", "day", "pair", ">rate", "known by")
    rows = [
        [each.programme, each.day, each.pair, each.rate, f"{each.partitions} of {each.of} partitions"] for each in shown
    ]
    print_table(columns, rows)


async def _told(target: Target, programme: str | None) -> list[RateTold]:
    from contracts.topics import REFERRALS
    from goodword.commands.rates.reading import known_programmes
    from goodword.flow import open_target_bus
    from services.rules.lifecycle.publish_rates import read_rates_told
    from services.rules.store import StateStore

    chosen = await known_programmes(target, [] if programme is None else [programme])
    async with open_target_bus(target) as bus:
        partitions = await bus.partition_count(REFERRALS.name)
    store = StateStore(target.redis)
    try:
        return [each for name in chosen for each in await read_rates_told(store, name, partitions)]
    finally:
        await store.stop()
