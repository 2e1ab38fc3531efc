"""A member of a consumer group on Kafka, through a FastStream batch subscriber.

FastStream hands over what one poll brought, several partitions in one tuple. It is split; the partitions are worked
on side by side; the poll returns to FastStream when all of them are done. So at most one poll is in hand (memory is
bounded without pausing partitions, which makes aiokafka throw away what it has fetched), and a rebalance has one
thing to wait for. The price: a partition whose batch is slow holds up its neighbours in the same process.

What FastStream and aiokafka do unless told otherwise, and why it is told (each has a test in tests/contract/bus):
- no `ack_policy` means commit before the work is done; `ACK` commits although the handler raised: MANUAL;
- `message.ack()` commits the position of all partitions: we commit explicit offsets through the consumer;
- an exception in a handler is logged and the loop reads on: ours never raises, it stops the subscription;
- an exception in a rebalance listener is logged and swallowed: ours stops the subscription as well;
- between assignment and the listener's end, records are already fetched: they are dropped, and every partition is
  sought explicitly, for otherwise the dropped ones would be skipped;
- `auto_offset_reset` is `latest`, which skips what was published before the first start: `earliest`;
- an empty poll is followed by a sleep as long as the poll: short polls, or a record waits for 200 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.middlewares import AckPolicy
from faststream.security import BaseSecurity

from runtime import log
from runtime.bus.batches import cut
from runtime.bus.port import Batch, BusUnavailable, Owner, PartitionLost, Received
from runtime.together import Together

LINGER_BYTES: Final = 1024 * 1024
"""So much, of all partitions that a broker leads, ends the lingering."""
POLL_MS: Final = 10
SESSION_MS: Final = 10_000
"""A member that was killed is noticed within this."""
HEARTBEAT_MS: Final = 1_000
WORK_MS_MAX: Final = 15 * 60_000
"""A batch with all its retries fits in here; a member that takes longer loses its partitions."""
RECONNECT_WAIT_S_MAX: Final = 2.0
STOP_S_MAX: Final = 15.0

Records = tuple[ConsumerRecord[Any, Any], ...]

logger = log.get(__name__)


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]
    """See the module; `runtime.bus.port.Subscription`."""

    def __init__(
        self,
        servers: str,
        client: str,
        topic: str,
        group: str,
        owner: Owner,
        *,
        batch_records_max: int,
        batch_bytes_max: int,
        linger_ms: int = 0,
        security: BaseSecurity,
    ) -> None:
        self._topic = topic
        self._owner = owner
        self._records_max = batch_records_max
        self._bytes_max = batch_bytes_max
        self._positions: dict[int, int] = {}
        """Of the partitions we hold: what comes next; records below it were handled or are not wanted."""
        self._is_revoking = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = asyncio.Event()
        self._failure: BaseException | None = None
        self._settled = asyncio.Event()
        """Cleared while owners are told what is assigned to them."""
        self._settled.set()
        self._telling: asyncio.Task[None] | None = None
        self._commits = Together(self._write_commits, name="bus-commits")
        self._broker = KafkaBroker(
            servers,
            client_id=client,
            security=security,
            # We publish and create topics ourselves; the broker object only consumes.
            consumer_only=True,
            allow_auto_create_topics=False,
            # Its validation would look at every record; ours is typed by the port.
            apply_types=False,
            # The subscription waits for the batch in hand itself, before it lets FastStream stop.
            graceful_timeout=None,
            logger=None,
            retry_backoff_ms=100,
            metadata_max_age_ms=60_000,
        )
        self._subscriber = self._broker.subscriber(
            topic,
            batch=True,
            group_id=group,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            auto_offset_reset="earliest",
            batch_timeout_ms=POLL_MS,
            max_records=batch_records_max,
            # The broker itself keeps an answer back until there is enough, or the time is over.
            fetch_min_bytes=min(LINGER_BYTES, batch_bytes_max) if linger_ms else 1,
            fetch_max_wait_ms=linger_ms or 500,
            fetch_max_bytes=50 * 1024 * 1024,
            max_partition_fetch_bytes=batch_bytes_max,
            check_crcs=True,
            isolation_level="read_uncommitted",
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=WORK_MS_MAX,
            rebalance_timeout_ms=WORK_MS_MAX,
            listener=self,
            parser=_parse,
            decoder=_decode,
        )
        self._subscriber(self._handle)
        self._keeper = asyncio.create_task(self._keep(), name=f"bus-subscription-{topic}")

    async def wait(self) -> None:
        await asyncio.shield(self._keeper)
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        self._ending.set()
        await asyncio.shield(self._keeper)

    def assignment(self) -> frozenset[int]:
        return frozenset(self._positions)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """The barrier: aiokafka joins the new generation only when this has returned."""
        self._is_revoking = True
        await self._idle.wait()
        await self._give_up()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._settled.clear()
        try:
            await self._take_over(assigned)
        finally:
            self._settled.set()

    async def _take_over(self, assigned: set[TopicPartition]) -> None:
        starts: dict[TopicPartition, int] = {}
        owned: dict[int, int] = {}
        try:
            for place in sorted(assigned):
                if self._ending.is_set():
                    break
                start = await self._owner.assigned(self._topic, place.partition)
                if start is not None:
                    owned[place.partition] = start
                starts[place] = await self._start_of(place) if start is None else start
        except Exception as error:  # noqa: BLE001 - aiokafka would swallow it; told by wait()
            self._fail(error)
        # From here on nothing is awaited: a poll in between would hand over one partition's records while they
        # are still dropped, after the seek that was to bring them back.
        for place, start in starts.items():
            self._consumer.seek(place, start)
            self._positions[place.partition] = start
        # One poll may bring every partition its full batch.
        self._subscriber.max_records = self._records_max * max(1, len(self._positions))
        self._is_revoking = False
        if owned:
            self._telling = asyncio.create_task(self._tell_starts(owned), name=f"bus-starts-{self._topic}")

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        consumer = self._subscriber.consumer
        if consumer is None:
            raise IllegalStateError("the consumer is not started")
        return consumer

    async def _keep(self) -> None:
        wait_s = 0.1
        while not self._ending.is_set():
            try:
                await self._start()
            except (KafkaError, OSError) as error:
                logger.warning("bus unavailable", reason=str(error), where=self._topic)
                await self._stop()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), wait_s)
                wait_s = min(wait_s * 2, RECONNECT_WAIT_S_MAX)
            except Exception as error:  # noqa: BLE001 - told by wait()
                self._fail(error)
        await self._idle.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), STOP_S_MAX)
        await self._give_up()
        await self._stop()

    async def _start(self) -> None:
        """Join the group and stay until the end, which may come first: a group that is asked to wait waits long."""
        starting = asyncio.create_task(self._broker.start())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            try:
                starting.result()
                await ending
            finally:
                ending.cancel()
        else:
            starting.cancel()
            await asyncio.wait({starting}, timeout=STOP_S_MAX)

    async def _stop(self) -> None:
        """Leave the group. In an outage the leave-taking is cut short: the broker will miss our heartbeat."""
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await self._broker.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            logger.warning("consumer did not stop cleanly", reason=str(error), topic=self._topic)

    async def _start_of(self, place: TopicPartition) -> int:
        """The group's place, or the log's beginning when it has none."""
        start: int | None = await self._consumer.committed(place)
        if start is None:
            start = (await self._consumer.beginning_offsets([place]))[place]
        return start

    async def _tell_starts(self, starts: dict[int, int]) -> None:
        """Commit where owners start: after a crash between their storing and our commit, lag would never end.

        Queued before any batch is handed over, so no later commit is overtaken. An outage only delays what is shown.
        """
        try:
            await asyncio.gather(*(self._commits.call((partition, start)) for partition, start in starts.items()))
        except (BusUnavailable, PartitionLost) as error:
            logger.warning("places not told", reason=str(error), topic=self._topic)

    async def _give_up(self) -> None:
        held, self._positions = self._positions, {}
        for partition in sorted(held):
            try:
                await self._owner.revoked(self._topic, partition)
            except Exception as error:  # noqa: BLE001 - aiokafka would swallow it; told by wait()
                self._fail(error)

    async def _handle(self, records: Records) -> None:
        """FastStream's handler; never raises, see the module."""
        if self._ending.is_set() or self._is_revoking:
            return
        self._idle.clear()
        try:
            await asyncio.gather(
                *(
                    self._handle_partition(partition, list(part))
                    for partition, part in groupby(records, attrgetter("partition"))
                )
            )
        except Exception as error:  # noqa: BLE001 - FastStream would swallow it; told by wait()
            self._fail(error)
        finally:
            self._idle.set()

    async def _handle_partition(self, partition: int, records: list[ConsumerRecord[Any, Any]]) -> None:
        place = TopicPartition(self._topic, partition)
        start = self._positions.get(partition)
        if start is None:
            return
        try:
            position_after = await self._consumer.position(place)
        except IllegalStateError:
            return
        if position_after <= records[-1].offset:
            # Sought since this was fetched, so it comes again, from the right place.
            return
        received = [
            Received(record.offset, record.key or b"", record.value or b"", tuple(record.headers), record.timestamp)
            for record in records
            if record.offset >= start
        ]
        handed = 0
        for part in cut(received, records_max=self._records_max, bytes_max=self._bytes_max):
            if self._ending.is_set() or self._is_revoking:
                return
            handed += len(part)
            next_offset = position_after if handed == len(received) else received[handed].offset
            if not await self._hand_over(partition, part, next_offset):
                return

    async def _hand_over(self, partition: int, part: Sequence[Received], next_offset: int) -> bool:
        async def commit() -> None:
            await self._commits.call((partition, next_offset))

        try:
            await self._owner.handle(Batch(self._topic, partition, part, next_offset, commit))
        except PartitionLost as error:
            # aiokafka joins again by itself, and then the partition comes back or goes elsewhere.
            logger.warning("partition lost", reason=str(error), topic=self._topic, partition=partition)
            if self._positions.pop(partition, None) is not None:
                await self._owner.revoked(self._topic, partition)
            return False
        except Exception as error:  # noqa: BLE001 - FastStream would swallow it; told by wait()
            self._fail(error)
            return False
        self._positions[partition] = next_offset
        return True

    async def _write_commits(self, commits: list[tuple[int, int]]) -> list[None]:
        """Commit; waits while the broker is away, unless we are ending."""
        offsets = {TopicPartition(self._topic, partition): offset for partition, offset in commits}
        writing = asyncio.ensure_future(self._consumer.commit(offsets))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({writing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                await asyncio.wait({writing}, timeout=STOP_S_MAX)
            if not writing.done():
                writing.cancel()
                raise PartitionLost("the subscription ended while Kafka was away; nothing was committed")
            writing.result()
        except (CommitFailedError, IllegalStateError) as error:
            raise PartitionLost(f"the group has moved on: {error}") from error
        except KafkaError as error:
            raise BusUnavailable(f"Kafka did not commit: {error}") from error
        finally:
            ending.cancel()
        return [None] * len(commits)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._ending.set()


async def _parse(records: Records) -> KafkaMessage:
    """FastStream's own parser would decode every header of every record."""
    return KafkaMessage(raw_message=records, body=records, headers={}, consumer=FAKE_CONSUMER)


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message
