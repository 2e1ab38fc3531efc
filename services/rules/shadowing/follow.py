"""Follows the referral log for one shadow, behind the live loop and in its way as little as can be.

Promises:
- Each event of a sampled partner is decided and counted once, whatever is killed: states, sums and the offset that
  they belong to change in one transaction (`keep`). Nothing is ever published, and the live states are only read.
- Deciding comes first: while the rules are busy with full batches, a shadow waits, for a bounded time at each batch;
  and it decides few events at once, so that the loop they share is not held up.
- What is not sampled costs a look at the record's key. What is decided is kept every few seconds, since a partner with
  ten events has one state.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from contracts.errors import TransientError
from contracts.events import Event
from contracts.topics import REFERRALS
from runtime.bus.port import Batch, Bus, Received
from runtime.database import OUTAGES, Database
from services.rules.backtest.sides import Side
from services.rules.clock.calendar import Zone
from services.rules.explaining.keep import Busyness
from services.rules.explaining.replay import activation_of
from services.rules.handlers import log_starts_late
from services.rules.records.decode import decode_records
from services.rules.shadowing.differences import Differences
from services.rules.shadowing.keep import Place, fetch_place, fetch_states, keep
from services.rules.shadowing.observe import ShadowObserver
from services.rules.shadowing.part import FEED_EVENTS_MAX, Part
from services.rules.shadowing.record import Shadow
from services.rules.shadowing.sampling import place_ppm
from services.rules.states.state import decode_programme, programme_key
from services.rules.store import StateStore

KEEP_EVENTS_MAX: Final = 1_000
"""Decided events of one partition that may wait to be kept; a crash decides them again."""
CATCH_UP_RECORDS_MAX: Final = 5_000
_ACTIVATED: Final = "ruleset.activated"


class _Held:
    """One partition in hand.

    Attributes:
        place: What is stored; None: memory is not to be trusted, and the database is asked.
        reached: Up to here everything is decided; `events` and `found` since `place` are not stored yet.
        commit: Of the last batch; for those who watch lag.
    """

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.forget()

    def forget(self) -> None:
        """Begin again from what is stored."""
        self.place: Place | None = None
        self.part: Part | None = None
        self.commit: Callable[[], Awaitable[None]] | None = None
        self.kept(0)

    def kept(self, reached: int) -> None:
        """Everything up to here is stored."""
        self.reached = reached
        self.events = 0
        self.found = Differences(self._zone)
        self.kept_at = time.monotonic()

    @property
    def is_learning(self) -> bool:
        return self.place is not None and self.reached < self.place.starts_at


class ShadowOwner:
    """Owner of partitions of the referral log for one shadow, for `runtime.bus.consumer`.

    Args:
        draft: What stands in for the revision in force, in days of `zone`.
        cache_bytes_max: How much decoded state one side of a partition may keep in memory.
        keep_s: How long what is decided may wait to be kept.
    """

    def __init__(
        self,
        shadow: Shadow,
        draft: Side,
        zone: Zone,
        *,
        bus: Bus,
        database: Database,
        store: StateStore,
        busyness: Busyness,
        observer: ShadowObserver,
        cache_bytes_max: int,
        keep_s: float,
    ) -> None:
        self._shadow = shadow
        self._draft = draft
        self._zone = zone
        self._bus = bus
        self._database = database
        self._store = store
        self._busyness = busyness
        self._observer = observer
        self._cache_bytes_max = cache_bytes_max
        self._keep_s = keep_s
        self._key = shadow.programme.encode()
        # One partition after the other: a shadow is in no hurry, and takes one connection.
        self._turn = asyncio.Lock()
        self._held: dict[int, _Held] = {}

    async def assigned(self, topic: str, partition: int) -> int | None:
        """Where the shadow has come to; the group's offset when it has ended, for nothing is done then."""
        held = self._held[partition] = _Held(self._zone)
        async with self._trusted(held):
            return held.reached if await self._is_running(held, partition) else None

    async def handle(self, batch: Batch) -> None:
        """Decide up to the end of the batch. Raises TransientError; PermanentError(`log-starts-late`)."""
        await self._busyness.gives_way()
        held = self._held[batch.partition]
        async with self._trusted(held):
            if not await self._is_running(held, batch.partition):
                return
            first = batch.records[0].offset
            if held.reached < first:
                await self._catch_up(held, batch.partition, first)
            records: Sequence[Received] = batch.records
            if held.reached > first:
                records = [record for record in records if record.offset >= held.reached]
            if records:
                await self._take(held, batch.partition, records, batch.next_offset)
            held.commit = batch.commit
            await self._keep_if_due(held, batch.partition)

    async def revoked(self, topic: str, partition: int) -> None:
        """What is decided and not kept is decided again by whoever has the partition next."""
        self._held.pop(partition, None)

    async def keep_what_waits(self) -> None:
        """Keep what has waited long enough. Raises TransientError."""
        for partition, held in list(self._held.items()):
            async with self._trusted(held):
                await self._keep_if_due(held, partition)

    @asynccontextmanager
    async def _trusted(self, held: _Held) -> AsyncIterator[None]:
        """Work on a partition alone; after any failure, memory is not trusted any more."""
        async with self._turn:
            is_done = False
            try:
                yield
                is_done = True
            except OUTAGES as error:
                raise TransientError(f"PostgreSQL does not answer: {error}") from error
            finally:
                if not is_done:
                    held.forget()

    async def _is_running(self, held: _Held, partition: int) -> bool:
        if held.place is None:
            async with self._database.connection() as connection:
                held.place = await fetch_place(connection, self._shadow.number, partition)
            if held.place is not None:
                held.kept(held.place.next_offset)
        return held.place is not None

    async def _catch_up(self, held: _Held, partition: int, end: int) -> None:
        """Decide again what a failure has made us forget, from the log."""
        chunks = self._bus.read(
            REFERRALS.name, partition, start=held.reached, end=end, batch_records_max=CATCH_UP_RECORDS_MAX
        )
        async for records in chunks:
            if records[0].offset != held.reached:
                break
            await self._take(held, partition, records, records[-1].offset + 1)
            if held.place is None:
                return
        if held.reached != end:
            raise log_starts_late(partition, held.reached, end)

    async def _take(self, held: _Held, partition: int, records: Sequence[Received], next_offset: int) -> None:
        """Learn from what lies before the shadow's beginning, and decide the rest on both sides."""
        assert held.place is not None
        starts_at = held.place.starts_at
        if held.reached >= starts_at:
            await self._decide(held, partition, records, next_offset)
            return
        past = [record for record in records if record.offset < starts_at]
        live = records[len(past) :]
        await self._decide(held, partition, past, starts_at if live else min(next_offset, starts_at))
        if held.reached == starts_at:
            # Both sides begin with the same states: those that are stored now.
            await self._keep(held, partition)
            held.part = None
        if live and held.place is not None:
            await self._decide(held, partition, live, next_offset)

    async def _decide(self, held: _Held, partition: int, records: Sequence[Received], next_offset: int) -> None:
        events, offsets = self._sampled(records)
        if events:
            part = held.part
            if part is None:
                draft = None if held.is_learning else self._draft
                part = held.part = Part(partition, draft, cache_bytes=self._cache_bytes_max)
            await self._load(part, partition, events)
            await self._feed(part, partition, events, offsets, held.found)
        held.events += len(events)
        held.reached = next_offset
        if held.events >= KEEP_EVENTS_MAX:
            await self._keep(held, partition)

    async def _keep_if_due(self, held: _Held, partition: int) -> None:
        if time.monotonic() - held.kept_at >= self._keep_s:
            await self._keep(held, partition)
        if held.place is not None and held.place.next_offset == held.reached and held.commit is not None:
            commit, held.commit = held.commit, None
            await commit()

    async def _keep(self, held: _Held, partition: int) -> None:
        """Afterwards no place is held when the shadow has ended."""
        place, found = held.place, held.found
        if place is None or held.reached == place.next_offset:
            return
        is_past = place.next_offset < place.starts_at
        events = 0 if is_past else held.events
        dirty = [] if held.part is None else held.part.take_dirty()
        async with self._database.connection() as connection, connection.transaction():
            is_running = await keep(
                connection, self._shadow.number, partition, place, held.reached, events, dirty, found
            )
        if not is_running:
            held.forget()
            return
        held.place = Place(held.reached, place.starts_at)
        held.kept(held.reached)
        if not is_past:
            self._observer.decided(self._shadow.programme, events, found)

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
                found = await fetch_states(connection, self._shadow.number, partition, missing)
            missing = part.load(found)

    async def _feed(
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
