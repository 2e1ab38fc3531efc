"""Dead letters: records that trying again cannot help, put aside with their problem, up to a cap.

A dead letter is in `<topic>.dlq` before `reject` returns, so before the batch is committed. A batch that is delivered
again may put its bad records there again: readers of a queue tell repeats by `dlq_partition` and `dlq_offset`.
Over the cap the service stops, because a bad deploy looks exactly like bad data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from contracts.errors import GoodwordError, Problem
from contracts.events import format_time
from runtime import log
from runtime.bus.port import Bus, Headers, Received, Record
from runtime.clock import Clock, SystemClock

RECENT_RECORDS: Final = 1_000
"""The share is taken of this many records of a partition, the rejected one being the last."""
SYSTEM_CLOCK: Final = SystemClock()
HEADER_PREFIX: Final = "dlq_"
MESSAGE_BYTES_MAX: Final = 2_000

logger = log.get(__name__)


class DlqLimitReached(GoodwordError):
    """Too many dead letters: not retried; the service stops and somebody looks."""


@dataclass(frozen=True, slots=True)
class DlqLimit:
    """How many dead letters a partition may have.

    Attributes:
        share_max_ppm: Of the last RECENT_RECORDS records.
        run_max: In a row.
    """

    share_max_ppm: int = 100_000
    run_max: int = 100


@dataclass(slots=True)
class _Recent:
    """The rejected offsets of a partition that still count, and the length of the run that the last one ended."""

    offsets: deque[int] = field(default_factory=deque)
    run: int = 0

    def add(self, offset: int) -> None:
        if self.offsets and offset <= self.offsets[-1]:
            # Delivered again: counted already, or a step back after which counting starts anew.
            if offset in self.offsets:
                return
            self.offsets.clear()
        self.run = self.run + 1 if self.offsets and offset == self.offsets[-1] + 1 else 1
        self.offsets.append(offset)
        while self.offsets[0] <= offset - RECENT_RECORDS:
            self.offsets.popleft()


class DeadLetters:
    """Puts records aside; one for all topics of a service.

    Args:
        bus: Where the queues are.
        limit: Over it, `reject` raises DlqLimitReached.
        clock: For `dlq_at`.
        on_reject: Told the topic of every record that was put aside; for metrics.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        limit: DlqLimit = DlqLimit(),
        clock: Clock = SYSTEM_CLOCK,
        on_reject: Callable[[str], None] = lambda topic: None,
    ) -> None:
        self._bus = bus
        self._limit = limit
        self._clock = clock
        self._on_reject = on_reject
        self._recent: dict[tuple[str, int], _Recent] = {}

    async def reject(self, topic: str, partition: int, received: Received, problem: Problem) -> None:
        """Put one record aside; see `reject_all`."""
        await self.reject_all(topic, partition, [(received, problem)])

    async def reject_all(self, topic: str, partition: int, rejected: Sequence[tuple[Received, Problem]]) -> None:
        """Put records of one partition aside, in one publish; durable when it returns.

        Raises:
            DlqLimitReached: The cap is passed; the records that passed it were not put aside.
            BusUnavailable: See `Bus.publish`.
        """
        if not rejected:
            return
        recent = self._recent.setdefault((topic, partition), _Recent())
        at = format_time(self._clock.now_ms())
        letters: list[Record] = []
        over: DlqLimitReached | None = None
        for received, problem in rejected:
            recent.add(received.offset)
            over = self._over(recent, f"{topic}/{partition} at offset {received.offset}", problem)
            if over is not None:
                break
            headers = _headers(received, problem, topic=topic, partition=partition, at=at)
            letters.append(Record(received.key, received.value, headers))
            logger.warning(
                "record rejected", topic=topic, partition=partition, offset=received.offset, problem=str(problem)
            )
        await self._bus.publish(f"{topic}.dlq", letters)
        for _ in letters:
            self._on_reject(topic)
        if over is not None:
            raise over

    def _over(self, recent: _Recent, place: str, problem: Problem) -> DlqLimitReached | None:
        if recent.run > self._limit.run_max:
            return DlqLimitReached(f"{place}: {recent.run} dead letters in a row; the last one: {problem}")
        if len(recent.offsets) * 1_000_000 > self._limit.share_max_ppm * RECENT_RECORDS:
            return DlqLimitReached(
                f"{place}: {len(recent.offsets)} dead letters in {RECENT_RECORDS} records; the last one: {problem}"
            )
        return None


class Letter(NamedTuple):
    """A dead letter taken apart: where its record stood, why it was put aside, and the record as it was."""

    topic: str
    partition: int
    offset: int
    code: str
    record: Record


def letter_of(received: Received) -> Letter | None:
    """Take a record of a dead-letter queue apart; None for one that is no letter of ours.

    The record goes to the partition it was in, as a broadcast must; a keyed one belongs there anyway.
    """
    told = {name: value for name, value in received.headers if name.startswith(HEADER_PREFIX)}
    try:
        partition, offset = int(told["dlq_partition"]), int(told["dlq_offset"])
        topic, code = told["dlq_topic"].decode(), told["dlq_code"].decode()
    except (KeyError, ValueError):
        return None
    kept = tuple(header for header in received.headers if not header[0].startswith(HEADER_PREFIX))
    return Letter(topic, partition, offset, code, Record(received.key, received.value, kept, partition=partition))


def _headers(received: Received, problem: Problem, *, topic: str, partition: int, at: str) -> Headers:
    # A replayed letter that fails again tells of its last failure only.
    kept = tuple(header for header in received.headers if not header[0].startswith(HEADER_PREFIX))
    return (
        *kept,
        ("dlq_code", problem.code.encode()),
        ("dlq_message", problem.message.encode()[:MESSAGE_BYTES_MAX]),
        ("dlq_where", problem.where.encode()[:MESSAGE_BYTES_MAX]),
        ("dlq_topic", topic.encode()),
        ("dlq_partition", str(partition).encode()),
        ("dlq_offset", str(received.offset).encode()),
        ("dlq_at", at.encode()),
    )
