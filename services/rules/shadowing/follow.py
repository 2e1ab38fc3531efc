"""Follows the referral log for one shadow, behind the live loop and in its way as little as can be.

Promises:
- Each event of a sampled partner is decided and counted once, whatever is killed: states, sums and the offset that
  they belong to change in one transaction (`keep`). Nothing is ever published, and the live states are only read.
- Deciding comes first: while the rules are busy with full batches, a shadow waits, for a bounded time at each batch;
  and it decides few events at once, so that the loop they share is not held up.
- What is not sampled costs a look at the record's key. Where nothing is, the offset is stored now and then only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from contracts.errors import TransientError
from contracts.events import Event
from runtime.bus.port import Batch, Received
from runtime.database import OUTAGES, Database
from services.rules.backtest.sides import Side
from services.rules.calendar import Zone
from services.rules.decode import decode_records
from services.rules.explaining.keep import Busyness
from services.rules.explaining.replay import activation_of
from services.rules.handlers import log_starts_late
from services.rules.shadowing.differences import Differences
from services.rules.shadowing.keep import Place, fetch_place, fetch_states, keep
from services.rules.shadowing.observe import ShadowObserver
from services.rules.shadowing.part import FEED_EVENTS_MAX, Part
from services.rules.shadowing.record import Shadow
from services.rules.shadowing.sampling import place_ppm
from services.rules.state import decode_programme, programme_key
from services.rules.store import StateStore

IDLE_KEEP_S: Final = 10.0
"""How old the stored offset may be while no sampled partner has an event."""
_ACTIVATED: Final = "ruleset.activated"


class _Held:
    """One partition in hand.

    Attributes:
        place: What is stored; None: memory is not to be trusted, and the database is asked.
        reached: Up to here there is nothing to be decided that is not stored.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self.part: Part | None = None
        self.reached = 0
        self.kept_at = time.monotonic()


class ShadowOwner:
    """Owner of partitions of the referral log for one shadow, for `runtime.bus.consumer`.

    Args:
        draft: What stands in for the revision in force, in days of `zone`.
        cache_bytes_max: How much decoded state one side of a partition may keep in memory.
    """

    def __init__(
        self,
        shadow: Shadow,
        draft: Side,
        zone: Zone,
        *,
        database: Database,
        store: StateStore,
        busyness: Busyness,
        observer: ShadowObserver,
        cache_bytes_max: int,
    ) -> None:
        self._shadow = shadow
        self._draft = draft
        self._zone = zone
        self._database = database
        self._store = store
        self._busyness = busyness
        self._observer = observer
        self._cache_bytes_max = cache_bytes_max
        self._key = shadow.programme.encode()
        self._turn = asyncio.Lock()
        self._held: dict[int, _Held] = {}

    async def assigned(self, topic: str, partition: int) -> int | None:
        """Where the shadow has come to; the group's offset when it has ended, for nothing is done then."""
        held = self._held[partition] = _Held()
        place = await self._place(held, partition)
        return None if place is None else place.next_offset

    async def handle(self, batch: Batch) -> None:
        """Bring the shadow to the end of the batch. Raises TransientError; PermanentError(`log-starts-late`)."""
        await self._busyness.gives_way()
        held = self._held[batch.partition]
        is_trusted = False
        # One partition after the other: a shadow is in no hurry, and takes one connection.
        async with self._turn:
            try:
                await self._follow(held, batch)
                is_trusted = True
            except OUTAGES as error:
                raise TransientError(f"PostgreSQL does not answer: {error}") from error
            finally:
                if not is_trusted:
                    held.place, held.part = None, None

    async def revoked(self, topic: str, partition: int) -> None:
        self._held.pop(partition, None)

    async def _follow(self, held: _Held, batch: Batch) -> None:
        place = held.place or await self._place(held, batch.partition)
        if place is None:
            return
        records = [record for record in batch.records if record.offset >= held.reached]
        if records and records[0].offset > held.reached:
            raise log_starts_late(batch.partition, held.reached, records[0].offset)
        past = [record for record in records if record.offset < place.starts_at]
        live = records[len(past) :]
        if past:
            end = place.starts_at if live else min(batch.next_offset, place.starts_at)
            await self._step(held, batch.partition, past, end)
        if live and held.place is not None:
            await self._step(held, batch.partition, live, batch.next_offset)
        if held.place is not None and held.place.next_offset == batch.next_offset:
            await batch.commit()

    async def _step(self, held: _Held, partition: int, records: Sequence[Received], next_offset: int) -> None:
        """Decide what is sampled, and keep it; afterwards no place is held when the shadow has ended."""
        place = held.place
        assert place is not None
        events, offsets = self._sampled(records)
        is_learning = held.reached < place.starts_at
        is_fork = is_learning and next_offset == place.starts_at
        held.reached = next_offset if not events else held.reached
        if not events and not is_fork and time.monotonic() - held.kept_at < IDLE_KEEP_S:
            return
        if held.part is None:
            draft = None if is_learning else self._draft
            held.part = Part(partition, draft, cache_bytes=self._cache_bytes_max)
        differences = Differences(self._zone)
        if events:
            await self._load(held.part, partition, events)
            await self._decide(held.part, partition, events, offsets, differences)
        async with self._database.connection() as connection, connection.transaction():
            is_running = await keep(
                connection,
                self._shadow.number,
                partition,
                place,
                next_offset,
                0 if is_learning else len(events),
                held.part.take_dirty(),
                differences,
            )
        if not is_running:
            held.place, held.part = None, None
            return
        held.place = Place(next_offset, place.starts_at)
        held.reached = next_offset
        held.kept_at = time.monotonic()
        if is_fork:
            held.part = None
        if not is_learning:
            self._observer.decided(self._shadow.programme, len(events), differences)

    def _sampled(self, records: Sequence[Received]) -> tuple[list[Event], list[int]]:
        """The programme's events that the shadow decides, and their offsets: of its partners, and for everybody."""
        share_ppm, key, programme = self._shadow.share_ppm, self._key, self._shadow.programme
        decoded = decode_records([each for each in records if each.key == key or place_ppm(each.key) < share_ppm])
        placed = [
            (event, record.offset)
            for event, record in zip(decoded.events, decoded.records, strict=True)
            if event.data.programme == programme
        ]
        return [event for event, _ in placed], [offset for _, offset in placed]

    async def _load(self, part: Part, partition: int, events: Sequence[Event]) -> None:
        missing = part.missing_keys(events)
        while any(missing):
            async with self._database.connection() as connection:
                found = [
                    await fetch_states(connection, self._shadow.number, partition, side, keys)
                    for side, keys in enumerate(missing)
                ]
            missing = part.load(found)

    async def _decide(
        self, part: Part, partition: int, events: Sequence[Event], offsets: Sequence[int], differences: Differences
    ) -> None:
        first = 0
        while first < len(events):
            last = first + 1
            if events[first].type == _ACTIVATED:
                since_ms = await self._in_force_from(partition, offsets[first], events[first])
                if since_ms is not None:
                    part.enters_from(self._shadow.programme, since_ms)
            else:
                while last < min(first + FEED_EVENTS_MAX, len(events)) and events[last].type != _ACTIVATED:
                    last += 1
            part.feed(events[first:last], differences)
            first = last
            # The live loop first.
            await asyncio.sleep(0)

    async def _in_force_from(self, partition: int, offset: int, activated: Event) -> int | None:
        """From when the revision was in force live; None when it was refused there, as it will be here.

        Raises:
            TransientError: The live loop has not come so far.
        """
        live = await self._store.stored(partition)
        if live is None or live.offset <= offset:
            raise TransientError(f"partition {partition} is not decided up to offset {offset} yet")
        key = programme_key(self._shadow.programme)
        stored = (await self._store.load(partition, live.era, [key]))[key]
        after = await self._store.stored(partition)
        if after is None or after.era != live.era:
            raise TransientError(f"the states of partition {partition} were replaced")
        revisions = () if stored is None else decode_programme(stored).revisions
        number = activation_of(activated)
        return next((each.effective_from_ms for each in revisions if each.activation == number), None)

    async def _place(self, held: _Held, partition: int) -> Place | None:
        try:
            async with self._database.connection() as connection:
                held.place = await fetch_place(connection, self._shadow.number, partition)
        except OUTAGES as error:
            raise TransientError(f"PostgreSQL does not answer: {error}") from error
        if held.place is not None:
            # What was passed over since has nothing to be decided, and need not be read again.
            held.reached = max(held.reached, held.place.next_offset)
        return held.place
