"""Who leads a contest: as it is now, or as it was fixed."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from services.rules.api.bearer import AtDesk, Reader
from services.rules.contests.read import read_standings

PLACES_MAX: Final = 10_000
PLACES_DEFAULT: Final = 100

router = APIRouter()


class PlaceRow(BaseModel):
    """Of partners with the same value, the one who reached it earlier has the better rank."""

    rank: int
    partner: str
    value: int
    unit: str | None
    reached_ms: int


class StandingsBody(BaseModel):
    """A contest and its first places.

    `value` of a `mean` is in millionths; `prizes` are minor units and unit, by rank; `closed_at` is null while it runs;
    `partners` is how many have a rank.
    """

    programme: str
    contest: str
    kind: str
    first_day: str
    last_day: str
    prizes: list[tuple[int, str]]
    closed_at: str | None
    partners: int
    places: list[PlaceRow]


@router.get("/contests/{programme:path}/{contest}")
async def standings(
    desk: AtDesk,
    caller: Reader,
    programme: Annotated[str, Path(max_length=128, description="The programme's id.")],
    contest: Annotated[str, Path(max_length=128, description="The contest's id in the rule set.")],
    top: Annotated[int, Query(ge=1, le=PLACES_MAX, description="How many places.")] = PLACES_DEFAULT,
) -> StandingsBody:
    """Who leads, or who has won."""
    return StandingsBody.model_validate(
        msgspec.to_builtins(await read_standings(desk.postgres, programme, contest, top))
    )
