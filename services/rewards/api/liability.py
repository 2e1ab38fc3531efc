"""What is owed, now or as of any moment, and by the month in which it falls due or expires."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.errors import PermanentError, Problem
from services.rewards.api.balances import AsOf, Time
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.asof.cuts import cut_of
from services.rewards.liability.forecast import Kind, without_months
from services.rewards.liability.months import month_in
from services.rewards.liability.read import liability

router = APIRouter()


class OwedLine(BaseModel):
    """A part of what is owed; `month` is empty of what has none, `negative` is owed to the programme."""

    programme: str
    unit: str
    kind: Kind
    month: str
    minor: int
    expected_expiry_minor: int | None


class ExperienceLine(BaseModel):
    """What became of lots whose date has passed: the expectations rest on it."""

    programme: str
    unit: str
    validity_months: int
    lots: int
    granted_minor: int
    expired_minor: int
    expired_share_ppm: int


class LiabilityBody(BaseModel):
    """The lines of a unit come to its total: what all accounts hold, but for what was paid."""

    as_of: str
    totals: dict[str, int]
    lines: list[OwedLine]
    experience: list[ExperienceLine]


@router.get("/liability")
async def show_liability(
    books: TheBooks,
    caller: Viewer,
    forecast: Annotated[bool, Query(description="By month, instead of all months together.")] = False,
    timezone: Annotated[
        str, Query(max_length=64, description="Whose months they are: a name of the IANA database.")
    ] = "UTC",
    as_of: AsOf = None,
    time: Time = None,
) -> LiabilityBody:
    """What is owed to partners, customers and members, per programme and unit; docs/finance.md says how."""
    if timezone not in available_timezones():
        problem = Problem(code="unknown-timezone", message=f"{timezone!r} is no time zone", where="timezone")
        raise PermanentError(problem)
    zone = ZoneInfo(timezone)

    def month_of(programme: str, at_ms: int) -> str:
        return month_in(zone, at_ms)

    cut = None if as_of is None else cut_of(as_of, time)
    at_ms = books.clock.now_ms() if cut is None else int(cut.until.timestamp()) * 1_000
    found = await books.ask(liability, month_of, at_ms=at_ms, cut=cut)
    lines = found["lines"] if forecast else without_months(found["lines"])
    return LiabilityBody(
        as_of=found["as_of"],
        totals=found["totals"],
        lines=[OwedLine(**msgspec.structs.asdict(line)) for line in lines],
        experience=[ExperienceLine(**msgspec.structs.asdict(each)) for each in found["experience"]],
    )
