"""The bus port: what a service may ask of the log, whichever server keeps it.

Promises, which tests/contract/ holds every adapter to:
- `publish` returns when every record is durable, and not before; records of one key keep their order.
- A subscription hands over batches of one partition at a time, in order; partitions run side by side.
- Nothing is committed but by `Batch.commit`; a batch whose handler raised is not committed, and the
  subscription stops with that error (retry and dead letters are `runtime.bus.consumer`'s work).
- `Owner.assigned` says where a partition starts; a rebalance calls `Owner.revoked` only after the batch in
  hand has ended, and nobody else gets the partition before `revoked` has returned.
- An outage of the server raises BusUnavailable from `publish`; a subscription waits for the server to come back.
- Memory is bounded: a partition has at most `batch_records_max` records and `batch_bytes_max` bytes (or one record)
  in hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from contracts.errors import TransientError
from contracts.topics import Topic

Headers = tuple[tuple[str, bytes], ...]

RECORD_BYTES_MAX: Final = 1_000_000
"""Key, value and headers of one record together: what a Kafka broker takes as it comes (`message.max.bytes`)."""
PUBLISH_WAIT_S_MAX: Final = 5.0
"""How long a publish waits in an outage, unless told otherwise, before it raises BusUnavailable."""


class BusUnavailable(TransientError):
    """The log cannot be reached or did not confirm. The records may or may not be in it."""


class PartitionLost(BusUnavailable):
    """The partition may belong to somebody else by now, so nothing was committed.

    Let it pass: the subscription gives the partition up and takes it again from its stored offset.
    """


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record to publish. `partition` overrides the key's own partition: for broadcasts only.

    A Struct, as `Received`: making one costs 0.25 µs where a frozen dataclass costs 1.6.
    """

    key: bytes
    value: bytes
    headers: Headers = ()
    partition: int | None = None


class Received(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read. `recorded_at_ms` is when the log took it."""

    offset: int
    key: bytes
    value: bytes
    headers: Headers
    recorded_at_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition, in order, never empty.

    `next_offset` is where reading goes on after it; it may be more than the last offset plus one.
    """

    topic: str
    partition: int
    records: Sequence[Received]
    next_offset: int
    commit: Callable[[], Awaitable[None]]
    """Store `next_offset` as the group's position; durable when it returns. Raises PartitionLost, BusUnavailable."""


class Owner(Protocol):
    """Who handles the partitions of a subscription."""

    async def assigned(self, topic: str, partition: int) -> int | None:
        """Where to start: an offset, or None for the group's committed one (the beginning, if there is none).

        An offset given here becomes the group's committed one, also when nothing is left to read from there.
        """

    async def handle(self, batch: Batch) -> None:
        """Work on a batch. Called for one batch of a partition at a time."""

    async def revoked(self, topic: str, partition: int) -> None:
        """The partition is about to go to somebody else, or the subscription is closing."""


class Subscription(Protocol):
    """A running subscription of one consumer group."""

    async def wait(self) -> None:
        """Return when closed; raise what a handler or the adapter raised."""

    async def close(self) -> None:
        """Finish the batches in hand, give up the partitions, and return."""

    def assignment(self) -> frozenset[int]:
        """The partitions held now."""


class Bus(Protocol):
    """A log of topics with partitions."""

    name: str
    """`postgres` or `kafka`."""

    async def start(self) -> None:
        """Connect. Raises BusUnavailable, and may then be called again."""

    async def close(self) -> None: ...

    async def check(self) -> None:
        """Raise BusUnavailable unless the log answers now."""

    async def ensure_topics(self, topics: Sequence[Topic], partitions: int) -> None:
        """Create what is missing, dead-letter queues included (one partition each); leave the rest as it is."""

    async def partition_count(self, topic: str) -> int: ...

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        """Append all records; return when all are durable.

        Raises:
            BusUnavailable: After a bounded wait; see there for what it leaves open.
            PermanentError: `record-too-large` or `no-such-partition`; nothing was appended.
        """

    async def subscribe(
        self,
        topic: str,
        group: str,
        owner: Owner,
        *,
        batch_records_max: int,
        batch_bytes_max: int,
        linger_ms: int = 0,
    ) -> Subscription:
        """Join the group and hand batches to the owner until closed.

        A record may wait up to `linger_ms` for more to come, so that readers who are in no hurry do more at once.
        """
        ...

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """Partition to the offset that its next record will get."""

    async def committed(self, topic: str, group: str) -> dict[int, int]:
        """Partition to the group's committed offset; partitions without one are absent."""

    def read(
        self, topic: str, partition: int, *, start: int, end: int, batch_records_max: int
    ) -> AsyncIterator[Sequence[Received]]:
        """The records from `start` up to, not including, `end`; outside any group. For rebuilds and explanations."""
