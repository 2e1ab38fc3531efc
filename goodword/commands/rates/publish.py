"""`goodword rates publish`: exchange rates enter the log of every partition."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.commands.rules.named import NoteOption
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import EXIT_USAGE, DataOption, JsonOption, emit_json, fail, out, problems_shown

if TYPE_CHECKING:
    from contracts.events import RatesPublished
    from goodword.target import Target


def publish(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, help="Columns date, pair, rate.")
    ] = None,
    rate: Annotated[
        list[str] | None, typer.Option("--rate", metavar="PAIR=RATE", help="Such as EUR/USD=1.0842; may be repeated.")
    ] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="DAY", help="The day of --rate: 2026-03-01.")] = None,
    programme: Annotated[
        list[str] | None, typer.Option("--programme", help="For this one only; may be repeated. [default: all]")
    ] = None,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell exchange rates: EUR/USD 1.0842 is what one EUR is in USD from that day on, until a newer rate.

    Events that are decided already keep the rates that stood before them. Telling the same again changes nothing.
    """
    from contracts.errors import Problem
    from goodword.commands.rates.reading import rates_in_file, rates_of_options
    from goodword.target import find_target

    if bool(file) == bool(rate) or bool(rate) != bool(date):
        help = "write FILE.csv, or --rate EUR/USD=1.0842 --date 2026-03-01"
        fail(
            Problem(code="no-rates", message="rates come from a file, or from --rate and --date", help=help), EXIT_USAGE
        )
    with problems_shown():
        days = rates_in_file(file) if file is not None else rates_of_options(rate or [], date or "")
        told = asyncio.run(_publish(find_target(data), days, programme or [], name_of(who), note))
    if as_json:
        emit_json({"programmes": told[0], "partitions": told[1], "days": [each.day for each in days]})
        return
    count = sum(len(each.rates) for each in days)
    span = days[0].day if len(days) == 1 else f"{days[0].day} to {days[-1].day}"
    out.print(f"{count} rates of {span} told to {told[1]} partitions, for {', '.join(told[0])}", markup=False)


async def _publish(
    target: Target, days: list[RatesPublished], programmes: list[str], who: str, note: str
) -> tuple[list[str], int]:
    from contracts.topics import TOPICS
    from goodword.commands.rates.reading import known_programmes
    from goodword.flow import open_target_bus
    from runtime.clock import SystemClock
    from runtime.settings import Settings
    from services.rules.lifecycle.publish_rates import publish_rates

    chosen = await known_programmes(target, programmes)
    async with open_target_bus(target) as bus:
        await bus.ensure_topics(TOPICS, Settings().partitions)
        return chosen, await publish_rates(
            chosen, days, postgres=target.postgres, bus=bus, clock=SystemClock(), who=who, note=note
        )
