"""States anew from the log: `goodword rebuild rules`, and the proof that they are the same, byte for byte.

Promises:
- Nothing is published. The log is folded from its beginning to where the stored states stand; every record is
  read, and a log that no longer starts at its beginning is refused.
- Safe while the service runs: the new states are a new era beside the live one. The swap is one atomic script
  that happens only if the live position still is exactly where the new era ends; when the service was faster, the
  rebuild reads on from there and tries again. The service then finds its position replaced, drops its memory
  and goes on in the new era.
- `verify=True` writes the new era, compares it with the live one key by key, byte by byte, and removes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.topics import REFERRALS
from runtime.bus.open import bus_of
from runtime.bus.port import Bus
from services.rules.fold import Fold
from services.rules.handlers import log_starts_late
from services.rules.records.decode import decode_records
from services.rules.settings import RulesSettings
from services.rules.store import Fenced, Position, StateStore

Progress = Callable[[int, int, int], None]
"""Called with partition, records folded, records to fold."""

CHUNK_RECORDS_MAX: Final = 5_000
SWAPS_MAX: Final = 20
"""How often to run after a service that writes all the time before giving up."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first state that is not as the log says. None for a value that is not there."""

    partition: int
    key: str
    stored: bytes | None
    rebuilt: bytes | None


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild came to, over all its partitions."""

    partitions: int
    records: int
    states: int
    difference: Difference | None = None


async def rebuild(
    settings: RulesSettings,
    *,
    partitions: Sequence[int] | None = None,
    verify: bool = False,
    progress: Progress | None = None,
) -> Rebuilt:
    """Rebuild the states of these partitions (all, when None) from the log, or verify them.

    Raises:
        PermanentError: `log-starts-late`, or `service-is-faster` when the live position never stood still.
        TransientError: A server is away; nothing was changed, start again.
    """
    bus = bus_of(settings, client="goodword-rebuild")
    store = StateStore(settings.redis)
    await bus.start()
    try:
        await store.start()
        chosen = range(await bus.partition_count(REFERRALS.name)) if partitions is None else partitions
        records = 0
        states = 0
        for partition in chosen:
            work = _Rebuild(bus, store, partition, progress)
            done = await work.run(verify=verify)
            records += done.records
            states += done.states
            if done.difference is not None:
                return Rebuilt(partitions=len(chosen), records=records, states=states, difference=done.difference)
        return Rebuilt(partitions=len(chosen), records=records, states=states)
    finally:
        await store.stop()
        await bus.close()


class _Rebuild:
    """The rebuild of one partition."""

    def __init__(self, bus: Bus, store: StateStore, partition: int, progress: Progress | None) -> None:
        self._bus = bus
        self._store = store
        self._partition = partition
        self._progress = progress
        self._fold = Fold(partition)
        self._states = 0

    async def run(self, *, verify: bool) -> Rebuilt:
        built = await self._store.begin_rebuild(self._partition)
        try:
            for _ in range(SWAPS_MAX):
                live = await self._store.position(self._partition)
                built = await self._fold_until(built, live.offset)
                if verify:
                    difference = await self._compare(live, built)
                    if await self._store.stored(self._partition) != live:
                        continue
                else:
                    difference = None
                    try:
                        await self._store.swap(self._partition, live, built)
                    except Fenced:
                        continue
                return Rebuilt(partitions=1, records=built.offset, states=self._states, difference=difference)
        finally:
            await self._store.end_rebuild(self._partition, built.era)
        raise PermanentError(
            Problem(
                code="service-is-faster",
                message="the running service moved on each time the rebuild had caught up",
                where=f"{REFERRALS.name}/{self._partition}",
                help="stop the rules service (or the senders) and start the rebuild again",
            )
        )

    async def _fold_until(self, built: Position, end: int) -> Position:
        expected = built.offset
        if expected >= end:
            return built
        chunks = self._bus.read(
            REFERRALS.name, self._partition, start=expected, end=end, batch_records_max=CHUNK_RECORDS_MAX
        )
        async for records in chunks:
            if records[0].offset != expected:
                raise log_starts_late(self._partition, expected, records[0].offset)
            expected = records[-1].offset + 1
            events = decode_records(records).events
            missing = self._fold.missing_keys(events)
            while missing:
                missing = self._fold.load(await self._store.load(self._partition, built.era, missing))
            self._fold.fold(events)
            dirty = self._fold.take_dirty()
            built = await self._store.save(self._partition, built, expected, dirty, "rebuild")
            if self._progress is not None:
                self._progress(self._partition, expected, end)
        if expected != end:
            raise log_starts_late(self._partition, expected, end)
        return built

    async def _compare(self, live: Position, built: Position) -> Difference | None:
        """The first key, of either era, whose bytes differ. Valid only if the live position stood still meanwhile."""
        self._states = 0
        seen: set[bytes] = set()
        for era in (live.era, built.era):
            async for found in self._store.keys(self._partition, era):
                keys = sorted(set(found) - seen)
                seen.update(keys)
                self._states += len(keys)
                stored = await self._store.load(self._partition, live.era, keys)
                rebuilt = await self._store.load(self._partition, built.era, keys)
                for key in keys:
                    if stored[key] != rebuilt[key]:
                        return Difference(
                            partition=self._partition,
                            key=key.decode(errors="replace"),
                            stored=stored[key],
                            rebuilt=rebuilt[key],
                        )
        return None
