"""The question "why" put to what was kept: finds an event by its id, plays its partner's history, tells what happened.

The shell around `replay`: two index look-ups, the chunks of one partner, one read of the state store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.events import BROADCAST_TYPES, format_time
from contracts.topics import REFERRALS, UNATTRIBUTED
from runtime.bus.partitioner import partition_of
from runtime.bus.port import Bus, Received
from services.rules.explaining.chunks import identity_of, is_broadcast
from services.rules.explaining.closes import tell_close
from services.rules.explaining.read import History, Place, open_history
from services.rules.explaining.replay import Placed, replay
from services.rules.explaining.telling import event_told, tell
from services.rules.explaining.told import Arrival, EventTold, Explanation, rejected_because
from services.rules.records.decode import decode_records
from services.rules.states.memory import DAY_CLOSED
from services.rules.states.state import ProgrammeState, decode_programme, programme_key
from services.rules.store import StateStore

REFERENCE_LENGTH_MAX: Final = 1_024
EVENTS_MAX: Final = 50_000
"""Events of one partner that are played again for one question: about a second and a half."""
ARRIVALS_MAX: Final = 4
"""Records of one event that are explained each; an event rarely comes twice."""
NEAREST_MAX: Final = 3
NEAREST_AMONG_MAX: Final = 500


async def explain(
    reference: str,
    *,
    postgres: str,
    bus: Bus,
    store: StateStore,
    source: str | None = None,
    partner: str | None = None,
    programme: str | None = None,
    events_max: int = EVENTS_MAX,
) -> list[Explanation]:
    """What became of an event: one explanation for each partner it went to, in the order of the log.

    Args:
        reference: The event's id, or `source/id`, or `source id`.
        postgres: URL of the database of the rules service.
        bus: Started; what is not kept yet is read from it.
        store: Started; it knows which revisions entered, and what is decided.
        source: The sender, where the reference is an id alone.
        partner: Only this one's.
        programme: Only this one's.
        events_max: Of a partner, up to the event; see EVENTS_MAX.

    Raises:
        PermanentError: `unknown-event`, `bad-reference`, or `history-too-long`.
        TransientError: A server is away; ask again.
    """
    _refuse_unusable(reference, source, partner, programme)
    async with open_history(postgres, bus) as history:
        sources = await history.sources()
        identities = _identities(reference, source, sources)
        places = await history.arrivals(identities)
        if partner is not None:
            places = await _of_one(places, partner.encode(), bus)
        if not places:
            raise PermanentError(await _unknown(history, reference, source, partner, sources))
        groups: dict[tuple[int, bytes, tuple[str, str] | None], list[Received]] = {}
        for partition, record in places:
            groups.setdefault((partition, record.key, identity_of(record)), []).append(record)
        told = [
            await _of_partner(history, store, partition, records, events_max, partner)
            for (partition, *_), records in groups.items()
        ]
    if programme is not None:
        elsewhere = sorted({each.event.programme for each in told})
        told = [each for each in told if each.event.programme == programme]
        if not told:
            raise PermanentError(
                Problem(
                    code="unknown-event",
                    message=f"the event {reference!r} is not of programme {programme!r}",
                    where=reference,
                    help=f"it is of {', '.join(elsewhere)}",
                )
            )
    return told


def _refuse_unusable(*texts: str | None) -> None:
    for text in texts:
        if text is None:
            continue
        if len(text) > REFERENCE_LENGTH_MAX or not text.isprintable() or not text.strip():
            raise PermanentError(
                Problem(
                    code="bad-reference",
                    message=f"an id is printable text of at most {REFERENCE_LENGTH_MAX} characters",
                    help="name the event by its id, by source/id, or by its id and --source",
                )
            )


def _identities(reference: str, source: str | None, sources: Iterable[str]) -> list[tuple[str, str]]:
    """What the text may mean: both parts may hold slashes, so every slash is tried, and every sender."""
    if source is not None:
        return [(source, reference)]
    before, space, id = reference.partition(" ")
    if space:
        return [(before, id)]
    slashes = [place for place, character in enumerate(reference) if character == "/"]
    split = [(reference[:place], reference[place + 1 :]) for place in slashes]
    return [*split, *((each, reference) for each in sources)]


async def _of_one(places: Sequence[Place], partner: bytes, bus: Bus) -> list[Place]:
    """The records of one partner, and what the partner's partition was told as every other."""
    own = partition_of(partner, await bus.partition_count(REFERRALS.name))
    return [
        place
        for place in places
        if place.record.key == partner or (place.partition == own and is_broadcast(place.record))
    ]


async def _of_partner(
    history: History, store: StateStore, partition: int, records: Sequence[Received], events_max: int, asked: str | None
) -> Explanation:
    """The first arrival that was decided; what became of the others beside it. `asked` is the partner, if one was."""
    told = [
        await _of_record(history, store, Place(partition, record), events_max, asked)
        for record in records[:ARRIVALS_MAX]
    ]
    chief = next((each for each in told if each.outcome not in {"rejected", "repeat"}), told[0])
    arrivals = [
        Arrival(
            offset=each.event.offset,
            recorded_at=each.event.recorded_at,
            outcome=each.outcome,
            because=each.because,
            repeats=chief.event.offset if each.outcome == "repeat" else None,
        )
        for each in told
    ]
    return msgspec.structs.replace(chief, arrivals=arrivals)


async def _of_record(
    history: History, store: StateStore, place: Place, events_max: int, asked: str | None
) -> Explanation:
    partition, record = place
    decoded = decode_records([record])
    if not decoded.events:
        return _without_events(place)
    event = decoded.events[0]
    shown = event_told(event, partition=partition, offset=record.offset, recorded_at_ms=record.recorded_at_ms)
    is_close = event.type == DAY_CLOSED
    if event.type in BROADCAST_TYPES and not (is_close and asked):
        because = "the system's own word to every partition; it earns nothing"
        if is_close:
            because = "a local day closed, for every partition; name a partner, to see what it told of a silence"
        return Explanation(event=shown, outcome="broadcast", because=because)
    partner = event.data.partner or asked or ""
    records = await history.of_partner(partition, partner.encode(), until=record.offset, records_max=events_max)
    if records is None:
        raise PermanentError(
            Problem(
                code="history-too-long",
                message=f"the partner has more than {events_max:,} events up to this one",
                where=partner,
                help="`goodword rules explain --all` plays them all, for as long as it takes; "
                "`goodword ledger explain` shows the decisions alone",
            )
        )
    programme = event.data.programme
    played = await asyncio.to_thread(_placed, records, programme)
    position = await store.stored(partition)
    stored = ProgrammeState()
    if position is not None:
        key = programme_key(programme)
        value = (await store.load(partition, position.era, [key]))[key]
        stored = stored if value is None else decode_programme(value)
    is_decided = position is not None and position.offset > record.offset
    # In a thread: the service that this runs in goes on deciding meanwhile.
    if is_close:
        return await asyncio.to_thread(tell_close, shown, played, stored, partner, is_decided=is_decided)
    return await asyncio.to_thread(_replay_and_tell, shown, played, stored, is_decided=is_decided)


def _replay_and_tell(
    shown: EventTold, played: Sequence[Placed], stored: ProgrammeState, *, is_decided: bool
) -> Explanation:
    return tell(shown, played, replay(played, stored), stored, is_decided=is_decided)


def _placed(records: Sequence[Received], programme: str) -> list[Placed]:
    """The events of one programme, and the broadcasts that can concern it."""
    decoded = decode_records(records)
    return [
        Placed(record.offset, event)
        for record, event in zip(decoded.records, decoded.events, strict=True)
        if event.data.programme == programme or (event.type in BROADCAST_TYPES and event.data.ruleset is None)
    ]


def _without_events(place: Place) -> Explanation:
    """A record that was never decided: nobody could be named for it, or it cannot be read."""
    partition, record = place
    named = identity_of(record)
    assert named is not None, "it was found by them"
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    try:
        data = msgspec.json.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        data = None
    programme = data.get("programme") if isinstance(data, dict) else None
    shown = EventTold(
        type=headers.get("ce_type", ""),
        source=named[0],
        id=named[1],
        time=headers.get("ce_time", ""),
        recorded_at=format_time(record.recorded_at_ms),
        programme=programme if isinstance(programme, str) else "",
        partner=None,
        partition=partition,
        offset=record.offset,
        data=data,
    )
    unreadable = decode_records([record]).unreadable
    if unreadable:
        return Explanation(event=shown, outcome="rejected", because=rejected_because(unreadable[0][1]))
    assert record.key == UNATTRIBUTED.encode()
    return Explanation(
        event=shown,
        outcome="unattributed",
        because="no partner could be named for it: it waits to be claimed, and is neither decided nor lost",
    )


async def _unknown(
    history: History, reference: str, source: str | None, partner: str | None, sources: Sequence[str]
) -> Problem:
    """Nothing is known of the event: what comes nearest, and what else may be the matter."""
    help = ["`goodword events import` says whether an event was accepted"]
    if source is not None and source not in sources:
        near = get_close_matches(source, sources, NEAREST_MAX) or sources[:NEAREST_MAX]
        help = [f"no event of this source ever came; there are: {', '.join(near)}"] if near else help
    if partner is not None:
        ids = await history.ids_of_partner(partner.encode(), limit=NEAREST_AMONG_MAX)
        near = get_close_matches(reference, [f"{each[0]}/{each[1]}" for each in ids], NEAREST_MAX, cutoff=0.4)
        near = near or [f"{each[0]}/{each[1]}" for each in ids[:NEAREST_MAX]]
        help = [f"the nearest of this partner: {', '.join(near)}"] if near else [f"nothing is known of {partner}"]
    elif source is None:
        help.append("name the event by source/id; with --partner, the nearest ids are told")
    if history.left_out:
        help.append(f"{history.left_out:,} records are not kept yet: ask again in a while")
    whose = f"{f' of {source}' if source else ''}{f' of partner {partner}' if partner else ''}"
    return Problem(
        code="unknown-event",
        message=f"no event {reference!r}{whose} is in the log of referrals",
        where=reference,
        help="; ".join(help),
    )
