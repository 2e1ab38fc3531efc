"""`goodword rules standings`: who leads a contest, or who won it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown


def standings(
    programme: Annotated[str, typer.Argument(metavar="PROGRAMME")],
    contest: Annotated[str, typer.Argument(metavar="CONTEST")],
    top: Annotated[int, typer.Option("--top", min=1, max=10_000, help="How many places to show.")] = 20,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The places of a contest: as they are, or as they were fixed when its last day had closed."""
    import msgspec

    from contracts.money import Money, format_minor, format_money
    from goodword.target import find_target
    from services.rules.contests.read import read_standings

    with problems_shown():
        found = asyncio.run(read_standings(find_target(data).postgres, programme, contest, top))
    if as_json:
        emit_json(msgspec.to_builtins(found))
        return
    decimals = 6 if found.kind == "mean" else 0
    prizes = [format_money(Money(minor, unit)) for minor, unit in found.prizes]
    rows = []
    for place in found.places:
        is_money = place.unit is not None and found.kind != "mean"
        value = format_money(Money(place.value, place.unit or "")) if is_money else format_minor(place.value, decimals)
        prize = prizes[place.rank - 1] if place.rank <= len(prizes) else ""
        rows.append([place.rank, place.partner, value, prize])
    state = "running" if found.closed_at is None else f"closed at {found.closed_at}"
    out.print(f"{contest}: {found.first_day} to {found.last_day}, {state}, {found.partners} partners")
    print_table(("rank", "partner", "value", "prize"), rows)
