"""What several subjects ask and answer, as OpenAPI tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Path, Query
from pydantic import BaseModel, Field

from contracts.events import format_time
from contracts.facts import TransferPosted
from contracts.money import AMOUNT_MINOR_MAX, UNIT_PATTERN, Money, is_currency, told_decimals
from runtime.api.pages import Asked, Cursor, Limit, bad_cursor, texts_of
from services.rewards.by_hand import TEXT_LENGTH_MAX
from services.rewards.decode import is_decision_id
from services.rewards.reads import Transfer

NO_NUL: Final = r"^[^\x00]*$"
"""PostgreSQL stores any character but this one."""
Text = Annotated[str, Field(max_length=TEXT_LENGTH_MAX, pattern=NO_NUL)]
Unit = Annotated[str, Field(max_length=64, pattern=UNIT_PATTERN, description="`USD`, `POINTS`, …")]
Minor = Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, description="Minor units.")]
Reason = Annotated[
    str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, pattern=NO_NUL, description="Why; kept with the transfer.")
]
Of = Annotated[
    str | None, Query(max_length=256, pattern=NO_NUL, description="Only of partner:…, customer:… or member:….")
]
ProgrammeQuery = Annotated[str | None, Query(max_length=128, pattern=NO_NUL, description="Only of this one.")]


@dataclass(frozen=True, slots=True)
class NewestFirst:
    """A page of what somebody has, from after the one of the id `before` on."""

    of: str | None
    before: str | None
    limit: int


async def _newest_first(of: Of = None, limit: Limit = 100, cursor: Cursor = None) -> NewestFirst:
    return NewestFirst(of, before_of(cursor), limit)


Newest = Annotated[NewestFirst, Depends(_newest_first)]
DecisionId = Annotated[str, Path(max_length=64, description="The decision's id.")]


def checked_id(text: str) -> str:
    """A UUID of a cursor. Raises PermanentError(`bad-cursor`)."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise bad_cursor() from error


class Amount(Asked):
    """So many minor units of a unit: 12.50 USD is 1250 USD."""

    minor: Minor
    unit: Unit

    def money(self) -> Money:
        return Money(self.minor, self.unit)


class Booked(BaseModel):
    """The transfers that were made, in order; none where something was refused for good without moving anything."""

    transfers: list[Transfer]


def booked(made: list[TransferPosted]) -> Booked:
    return Booked(transfers=[transfer_row(each) for each in made])


def transfer_row(fact: TransferPosted) -> Transfer:
    """A transfer just posted, as it is shown later."""
    return Transfer(
        id=fact.id,
        group=fact.group,
        decision=fact.decision,
        stage=fact.stage,
        debit=fact.debit,
        credit=fact.credit,
        minor=fact.amount_minor,
        unit=fact.unit,
        programme=fact.programme,
        rule=fact.rule,
        revision=fact.revision,
        partner=fact.partner,
        event_source=fact.event_source,
        event_id=fact.event_id,
        event_at=format_time(fact.time_ms),
        effective_at=format_time(fact.time_ms if fact.news_at_ms is None else fact.news_at_ms),
        posted_at=format_time(fact.posted_at_ms),
        customer=fact.customer,
        deal=fact.deal,
        lead=fact.lead,
        reason=fact.reason,
        booked_by=fact.booked_by,
    )


def before_of(cursor: str | None) -> str | None:
    """The id that a page of the newest first begins after. Raises PermanentError(`bad-cursor`)."""
    if cursor is None:
        return None
    (id,) = texts_of(cursor, 1)
    if not is_decision_id(id):
        raise bad_cursor()
    return id


def decimals_of(unit: str, decimals: int | None) -> int | None:
    """Of a unit of a programme's own, where they are not what everybody assumes; a currency has its own."""
    return None if decimals is None or is_currency(unit) else told_decimals(unit, decimals)
