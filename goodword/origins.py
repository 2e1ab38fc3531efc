"""Where money came from before there was a decision: the event in the log, the lead behind a deal, the click behind it.

The ledger keeps decisions and money; events are read from what the rules service keeps of the log. So this is only told
where that is at hand, and nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import psycopg

from contracts.errors import GoodwordError
from contracts.events import Event, decode_data, event_of, format_time
from goodword.flow import open_target_bus
from goodword.target import Target
from services.rules.explaining.read import History, Place, open_history

RECORDS_MAX: Final = 20_000
"""A partner with more events than these is not searched for the lead behind a deal."""
BY_CLICK: Final = "click"
"""The attribution of an event whose click id tracking has verified."""


class ClickTold(msgspec.Struct, frozen=True):
    """A click that a partner was found by; `id` is that of its `click.recorded` event."""

    id: str
    link: str
    at: str


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the log; `attribution` is by what its partner was found."""

    type: str
    source: str
    id: str
    time: str
    partner: str | None
    attribution: str | None
    referral_code: str | None
    lead: str | None
    deal: str | None
    click: ClickTold | None


async def origins(target: Target, events: Sequence[tuple[str, str]]) -> list[Origin]:
    """These events (source and id), and the leads that led to them; empty where the log is not at hand."""
    try:
        async with open_target_bus(target) as bus, open_history(target.postgres, bus) as history:
            found: dict[tuple[str, str], Event] = {}
            for place in await history.arrivals(events):
                event = _read(place)
                if event is None:
                    continue
                found.setdefault((event.source, event.id), event)
                lead = await _lead_behind(history, place, event)
                if lead is not None:
                    found.setdefault((lead.source, lead.id), lead)
    except (GoodwordError, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []
    return [_told(event) for event in sorted(found.values(), key=lambda each: (each.time_ms, each.source, each.id))]


async def _lead_behind(history: History, place: Place, event: Event) -> Event | None:
    """The newest lead of the same partner that was registered before, by its id or for the same customer."""
    data = event.data
    if event.type == "lead.registered" or place.record.key is None or not (data.lead or data.customer):
        return None
    records = await history.of_partner(
        place.partition, place.record.key, until=place.record.offset, records_max=RECORDS_MAX
    )
    for record in reversed(records or []):
        lead = _read(Place(place.partition, record))
        if lead is None or lead.type != "lead.registered" or lead.data.lead is None:
            continue
        is_same = data.lead is not None and lead.data.lead.id == data.lead.id
        if is_same or (
            data.lead is None
            and data.customer is not None
            and lead.data.customer is not None
            and lead.data.customer.id == data.customer.id
        ):
            return lead
    return None


def _read(place: Place) -> Event | None:
    try:
        return event_of(place.record.headers, decode_data(place.record.value))
    except (KeyError, ValueError, msgspec.DecodeError):
        return None


def _told(event: Event) -> Origin:
    data = event.data
    return Origin(
        type=event.type,
        source=event.source,
        id=event.id,
        time=format_time(event.time_ms),
        partner=data.partner,
        attribution=data.attribution,
        referral_code=data.referral_code,
        lead=data.lead.id if data.lead else None,
        deal=data.deal.id if data.deal else None,
        click=click_of(data.click_id) if data.click_id and data.attribution == BY_CLICK else None,
    )


def click_of(click_id: str) -> ClickTold | None:
    """What a click id says that was verified when its event came: `<link>.<time>.<nonce>.<signature>`."""
    name = click_id.rpartition(".")[0]
    link, _, rest = name.partition(".")
    try:
        at_ms = int(rest.partition(".")[0], 16)
    except ValueError:
        return None
    return ClickTold(id=name, link=link, at=format_time(at_ms))
