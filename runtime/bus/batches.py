"""Cutting records into batches, and gathering records by partition: what both adapters do alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.errors import PermanentError, Problem
from runtime.bus.partitioner import partition_of
from runtime.bus.port import RECORD_BYTES_MAX, Received, Record


def cut(
    records: Sequence[Received], *, records_max: int, bytes_max: int, bytes_known: int | None = None
) -> Iterator[Sequence[Received]]:
    """Cut into batches within both limits; a single record over `bytes_max` is a batch of its own.

    `bytes_known` is what all records have at most, if somebody knows; it saves looking at each of them.
    """
    if bytes_known is not None and bytes_known <= bytes_max:
        for first in range(0, len(records), records_max):
            yield records[first : first + records_max]
        return
    start = size = 0
    for index, record in enumerate(records):
        record_bytes = len(record.key) + len(record.value)
        if index > start and (index - start >= records_max or size + record_bytes > bytes_max):
            yield records[start:index]
            start, size = index, 0
        size += record_bytes
    if start < len(records):
        yield records[start:]


def by_partition(topic: str, records: Sequence[Record], count: int) -> dict[int, list[Record]]:
    """Records by partition, in order. Raises PermanentError, see `Bus.publish`."""
    found: dict[int, list[Record]] = {}
    for record in records:
        partition = record.partition
        if partition is None:
            partition = partition_of(record.key, count)
        if partition in found:
            found[partition].append(record)
        else:
            found[partition] = [record]
    for partition in found:
        if not 0 <= partition < count:
            raise PermanentError(
                Problem(
                    code="no-such-partition",
                    message=f"there is no partition {partition}; the topic has {count}",
                    where=topic,
                )
            )
    return found


def check_size(topic: str, record: Record) -> None:
    """Raises PermanentError(`record-too-large`)."""
    size = len(record.key) + len(record.value) + sum(len(name) + len(value) for name, value in record.headers)
    if size > RECORD_BYTES_MAX:
        raise PermanentError(
            Problem(
                code="record-too-large",
                message=f"a record of {size} bytes is larger than the log takes ({RECORD_BYTES_MAX})",
                where=topic,
                help="send less in one event",
            )
        )
