"""The exactly-once loop: read, decide, publish, remember.

Promises:
- An event changes a partner's state once, and its decisions always have the same ids and bytes, whatever is killed in
  between. A crash after publishing and before remembering publishes the same decisions again; whoever
  takes decisions drops what it has by id.
- States and offset change together (`store.save`), and only if nobody else changed them: the loser of a race drops
  what it kept in memory, reads the stored position again, and goes on from there.
- The log is read without a hole. When the stored position lies before the batch in hand (the store was
  emptied or set back), the records between are read from the log and handled first. When the log itself no longer
  has them, the service stops: deciding on without them would give other cents.
- A record that is no event, or that the fold refuses, goes to the dead letters, durable before the position moves on.

What is kept per partition: the fold with its cached states, and the position that they belong to; None for the
position means that memory is not to be trusted, and the store is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Final, Protocol

from contracts.errors import PermanentError, Problem
from contracts.events import Event
from contracts.topics import DECISIONS, REFERRALS
from runtime import log
from runtime.bus.dead_letters import DeadLetters
from runtime.bus.port import Batch, Bus, Received
from runtime.clock import Clock
from services.rules.fold import Fold, FoldResult
from services.rules.records.decode import decode_records
from services.rules.records.encode import decision_records
from services.rules.store import Fenced, Position, StateStore

logger = log.get(__name__)
CATCH_UP_RECORDS_MAX: Final = 2_000
"""Records of one step when reading what lies between the stored position and the batch in hand."""
FENCED_MAX: Final = 10
"""Refusals in a row after which a batch is given up: two processes that both make progress meet far fewer."""


class Observer(Protocol):
    """What wants to know what happened; see `services.rules.observe`."""

    def folded(self, result: FoldResult, seconds: float) -> None: ...

    def fenced(self) -> None: ...


class _Part:
    """One partition in hand."""

    __slots__ = ("fold", "number", "position")

    def __init__(self, number: int, fold: Fold) -> None:
        self.number = number
        self.fold = fold
        self.position: Position | None = None

    def distrust(self) -> None:
        self.fold.discard()
        self.position = None


class RulesOwner:
    """Owner of partitions of the referral log, for `runtime.bus.consumer`.

    Args:
        cache_bytes_max: How much decoded state one partition may keep in memory.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        store: StateStore,
        dead_letters: DeadLetters,
        observer: Observer,
        clock: Clock,
        cache_bytes_max: int,
    ) -> None:
        self._bus = bus
        self._store = store
        self._dead_letters = dead_letters
        self._observer = observer
        self._clock = clock
        self._cache_bytes_max = cache_bytes_max
        self._parts: dict[int, _Part] = {}

    async def assigned(self, topic: str, partition: int) -> int:
        """Start where the states end; a partition without states starts at the beginning of the log."""
        part = _Part(partition, Fold(partition, cache_bytes=self._cache_bytes_max))
        part.position = await self._store.position(partition)
        self._parts[partition] = part
        logger.info("partition assigned", partition=partition, offset=part.position.offset)
        return part.position.offset

    @property
    def cached_bytes(self) -> int:
        """Estimated bytes of decoded states in memory, over all partitions."""
        return sum(part.fold.cached_bytes for part in self._parts.values())

    async def handle(self, batch: Batch) -> None:
        """Bring the stored position to the end of the batch, then commit it to the group for those who watch lag."""
        part = self._parts[batch.partition]
        refusals = 0
        while True:
            position = part.position or await self._store.position(batch.partition)
            part.position = position
            records = [record for record in batch.records if record.offset >= position.offset]
            try:
                if position.offset >= batch.next_offset:
                    break
                if records and records[0].offset > position.offset:
                    await self._catch_up(part, position, records[0].offset)
                await self._step(part, records, batch.next_offset)
                break
            except Fenced as refusal:
                self._observer.fenced()
                logger.warning("state write refused", partition=batch.partition, reason=str(refusal))
                refusals += 1
                if refusals > FENCED_MAX:
                    raise
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        self._parts.pop(partition, None)
        logger.info("partition revoked", partition=partition)

    async def _step(self, part: _Part, records: Sequence[Received], next_offset: int) -> None:
        """Read, decide, publish, remember; after any failure, memory is not trusted any more."""
        position = part.position
        assert position is not None
        is_remembered = False
        try:
            decoded = decode_records(records)
            missing = part.fold.missing_keys(decoded.events)
            while missing:
                missing = part.fold.load(await self._store.load(part.number, position.era, missing))

            result = self._fold(part, decoded.events)
            rejected = decoded.unreadable + [(decoded.records[index], problem) for index, problem in result.rejected]
            if rejected:
                # In the order of the log, or the cap on dead letters would count every step back as a redelivery.
                rejected.sort(key=lambda each: each[0].offset)
                await self._dead_letters.reject_all(REFERRALS.name, part.number, rejected)
            if result.decisions:
                await self._bus.publish(DECISIONS.name, decision_records(result, self._clock.now_ms()))

            part.position = await self._store.save(part.number, position, next_offset, part.fold.take_dirty())
            is_remembered = True
        finally:
            if not is_remembered:
                part.distrust()

    def _fold(self, part: _Part, events: list[Event]) -> FoldResult:
        started = perf_counter()
        result = part.fold.fold(events)
        self._observer.folded(result, perf_counter() - started)
        return result

    async def _catch_up(self, part: _Part, position: Position, end: int) -> None:
        """Handle what lies between the stored position and the batch in hand; none of it may be missing."""
        logger.info("catching up", partition=part.number, start=position.offset, end=end)
        expected = position.offset
        chunks = self._bus.read(
            REFERRALS.name, part.number, start=expected, end=end, batch_records_max=CATCH_UP_RECORDS_MAX
        )
        async for records in chunks:
            if records[0].offset != expected:
                raise log_starts_late(part.number, expected, records[0].offset)
            expected = records[-1].offset + 1
            await self._step(part, records, expected)
        if expected != end:
            raise log_starts_late(part.number, expected, end)


def log_starts_late(partition: int, needed: int, found: int) -> PermanentError:
    """The log no longer has what the states lack."""
    return PermanentError(
        Problem(
            code="log-starts-late",
            message=f"the log starts at offset {found}, but the states need it from {needed} on",
            where=f"{REFERRALS.name}/{partition}",
            help="restore a snapshot of the state store that reaches into the log, or the log's older records",
        )
    )
