"""`goodword rules explain`: why an event earned what it earned, or nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, problems_shown

if TYPE_CHECKING:
    from goodword.target import Target
    from services.rules.explaining.told import Explanation


def explain_event(
    event: Annotated[list[str], typer.Argument(metavar="EVENT", help="Its id, or SOURCE/ID, or SOURCE ID.")],
    source: Annotated[str | None, typer.Option("--source", help="The sender, where the id alone is given.")] = None,
    partner: Annotated[str | None, typer.Option("--partner", metavar="ID", help="Only this partner's.")] = None,
    programme: Annotated[str | None, typer.Option("--programme", metavar="ID", help="Only this programme's.")] = None,
    is_all: Annotated[
        bool, typer.Option("--all", help="However many events the partner has: all are played again.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every rule that was considered for an event, each condition with what it saw, the tier, and the numbers used.

    Also tells of events that were not decided: repeats, dead letters, events without a partner or a programme yet.
    Exit code 1: no such event.
    """
    from goodword.explaining_rules import print_explanations
    from goodword.target import find_target

    with problems_shown():
        named = _Named(" ".join(event), source, partner, programme)
        told = asyncio.run(_explain(find_target(data), named, is_all=is_all))
    if as_json:
        emit_json(told)
    else:
        print_explanations(told)


class _Named(NamedTuple):
    """What the command line says of the event."""

    reference: str
    source: str | None
    partner: str | None
    programme: str | None


async def _explain(target: Target, named: _Named, *, is_all: bool) -> list[Explanation]:
    from goodword.flow import open_target_bus
    from services.rules.explaining.explain import EVENTS_MAX, explain
    from services.rules.store import StateStore

    store = StateStore(target.redis)
    try:
        async with open_target_bus(target) as bus:
            return await explain(
                named.reference,
                postgres=target.postgres,
                bus=bus,
                store=store,
                source=named.source,
                partner=named.partner,
                programme=named.programme,
                events_max=2**62 if is_all else EVENTS_MAX,
            )
    finally:
        await store.stop()
