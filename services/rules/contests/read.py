"""The standings of one contest, for whoever asks: as they are now, or as they were fixed."""

from __future__ import annotations

import msgspec
import psycopg

from contracts.errors import PermanentError, Problem
from contracts.events import format_time
from contracts.ruleset import Contest
from runtime.database import CONNECT_S_MAX
from services.rules.clock.calendar import date_of
from services.rules.contests import store
from services.rules.contests.ranks import Ranked, ranked
from services.rules.lifecycle.record import fetch_active
from services.rules.revisions.in_force import compile_source


class Standings(msgspec.Struct, frozen=True, kw_only=True):
    """A contest and its places.

    Attributes:
        kind: `mean` values are in millionths.
        prizes: By rank, as `500.00 USD` would be read: minor units and unit.
        closed_at: When its ranks were fixed; None while it runs.
        partners: How many have a rank.
        places: The first of them.
    """

    programme: str
    contest: str
    kind: str
    first_day: str
    last_day: str
    prizes: list[tuple[int, str]]
    closed_at: str | None
    partners: int
    places: list[Ranked]


async def read_standings(postgres: str, programme: str, contest: str, places_max: int) -> Standings:
    """Raises PermanentError(`unknown-contest`), and one of `runtime.database.OUTAGES`."""
    # Not in the role of those who change revisions: contests are none of its business.
    async with await psycopg.AsyncConnection.connect(
        postgres, autocommit=True, connect_timeout=CONNECT_S_MAX
    ) as connection:
        active = await fetch_active(connection, programme)
        rules = None if active is None else compile_source(active.source_text, active.revision, active.digest).rule_set
        held: dict[str, Contest] = {} if rules is None else {each.id: each for each in rules.contests}
        if contest not in held:
            raise PermanentError(
                Problem(
                    code="unknown-contest",
                    message=f"{programme} holds no contest called {contest}",
                    where=f"{programme}/{contest}",
                    help=f"it holds: {', '.join(held)}" if held else "its active revision has no contests",
                )
            )
        results = await store.results_of(connection, programme, contest)
        closed_ms, places = results or (None, ranked(await store.scores_of(connection, programme, contest)))
    found = held[contest]
    return Standings(
        programme=programme,
        contest=contest,
        kind=found.kind,
        first_day=date_of(found.from_day).isoformat(),
        last_day=date_of(found.to_day).isoformat(),
        prizes=[(prize.amount_minor, prize.unit) for prize in found.prizes],
        closed_at=None if closed_ms is None else format_time(closed_ms),
        partners=len(places),
        places=places[:places_max],
    )
