"""Where the events of a part come from: the log of referrals on either bus, or event files.

Chunks come in order, each with the position that reading goes on from. Event files are read as the front door would
read them: what it would refuse, or could not place without its links and clicks, is skipped and counted, and a
partner is registered by the first event that names it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

import msgspec

from contracts.events import Event, EventData, PartnerProfile
from contracts.topics import REFERRALS
from goodword.backtesting.plan import FileSource, LogSource, Part, Plan
from goodword.importing.reading import Source, json_lines
from runtime.bus.open import open_bus
from runtime.bus.partitioner import partition_of
from runtime.settings import Settings
from services.rules.handlers import log_starts_late
from services.rules.records.decode import decode_records
from services.tracking.envelope import Shape
from services.tracking.keys import TRACKING_SOURCE
from services.tracking.partners import PARTNER_EVENT, REGISTERED, first_profile, merged
from services.tracking.validate import check_body

CHUNK_RECORDS_MAX: Final = 5_000
CHUNK_LINES_MAX: Final = 2_000
LATEST_MS: Final = 253_402_300_799_000
"""A back-test may ask what will be: an event file may lie in the future."""


class Chunk(msgspec.Struct, frozen=True):
    """Events of the programme in order, broadcasts included; `skipped` records between are none, or of nobody."""

    events: list[Event]
    next_position: int
    skipped: int

    @property
    def count(self) -> int:
        """The events of partners among them."""
        return sum(event.data.partner is not None for event in self.events)


async def chunks_of(plan: Plan, part: Part, start: int) -> AsyncIterator[Chunk]:
    """The chunks of a part from a position on."""
    if isinstance(plan.source, LogSource):
        async for chunk in _log_chunks(plan, plan.source, part, start):
            yield chunk
    else:
        for chunk in _file_chunks(plan, plan.source, part, start):
            yield chunk


async def _log_chunks(plan: Plan, source: LogSource, part: Part, start: int) -> AsyncIterator[Chunk]:
    if start >= part.end:
        return
    security = Settings().kafka_security
    bus = open_bus(kafka=source.kafka, postgres=source.postgres, client="backtest", security=security)
    await bus.start()
    try:
        expected = start
        chunks = bus.read(REFERRALS.name, part.number, start=start, end=part.end, batch_records_max=CHUNK_RECORDS_MAX)
        async for records in chunks:
            if records[0].offset != expected:
                raise log_starts_late(part.number, expected, records[0].offset)
            expected = records[-1].offset + 1
            decoded = decode_records(records)
            events = [event for event in decoded.events if event.data.programme == plan.programme]
            yield Chunk(events, expected, len(decoded.unreadable))
        if expected != part.end:
            raise log_starts_late(part.number, expected, part.end)
    finally:
        await bus.close()


class _Named(msgspec.Struct, gc=False):
    partner: str | None = None
    programme: str | None = None


class _Line(msgspec.Struct, gc=False):
    """As much of an event as tells whose it is; a fifth of the work of reading all of it."""

    data: _Named


_read_line: Final = msgspec.json.Decoder(_Line).decode


def _file_chunks(plan: Plan, source: FileSource, part: Part, start: int) -> Iterator[Chunk]:
    """Every part reads every line, and takes those of its own partners; the first one counts what is nobody's.

    There is a cut at `start`, so that what lies before it can be passed over by whole chunks; it is read all the same,
    for the partners that it registers.
    """
    partners = _Partners(plan.programme)
    lines: list[bytes] = []
    position = skipped = 0
    for line in _lines_of(source):
        position += 1
        try:
            named = _read_line(line).data
        except (msgspec.MsgspecError, UnicodeDecodeError):
            skipped += part.number == 0
            continue
        if named.partner is None:
            skipped += part.number == 0 and named.programme == plan.programme
        elif named.programme == plan.programme and partition_of(named.partner.encode(), len(plan.parts)) == part.number:
            lines.append(line)
        if len(lines) >= CHUNK_LINES_MAX or position == start:
            events, refused = partners.read(lines)
            if position > start:
                yield Chunk(events, position, skipped + refused)
            lines, skipped = [], 0
    events, refused = partners.read(lines)
    if position > start:
        yield Chunk(events, position, skipped + refused)


def _lines_of(source: FileSource) -> Iterator[bytes]:
    for path in source.paths:
        for _, line in json_lines(Source(path)):
            yield line


class _Partners:
    """Reads lines as the front door does, and knows which partners it has registered."""

    def __init__(self, programme: str) -> None:
        self._programme = programme
        self._profiles: dict[str, PartnerProfile] = {}

    def read(self, lines: list[bytes]) -> tuple[list[Event], int]:
        """The events that the log would have of these lines, and how many lines the front door would refuse."""
        if not lines:
            return [], 0
        checked = check_body(
            b"\n".join(lines) + b"\n", Shape.LINES, now_ms=LATEST_MS, future_ms_max=0, events_max=CHUNK_LINES_MAX
        )
        events: list[Event] = []
        for candidate in checked.candidates:
            envelope, time_ms = candidate.envelope, candidate.time_ms
            type, data = envelope.type, envelope.data
            name = data.partner or ""
            profile = self._profiles.get(name)
            if profile is None:
                profile = self._profiles[name] = first_profile(time_ms)
                if type != REGISTERED:
                    events.append(self._registration(name, profile, time_ms))
            if type.startswith(PARTNER_EVENT):
                data.profile = self._profiles[name] = merged(profile, type, data.profile)
            events.append(Event(type, envelope.source, envelope.id, time_ms, data))
        return events, len(checked.rejections)

    def _registration(self, partner: str, profile: PartnerProfile, time_ms: int) -> Event:
        return Event(
            REGISTERED,
            TRACKING_SOURCE,
            f"partner-{self._programme}/{partner}",
            time_ms,
            EventData(programme=self._programme, partner=partner, profile=profile),
        )
