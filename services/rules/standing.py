"""Questions to the stored states from outside the loop: who has which tier, and until when a programme is decided.

Read only, one round trip a partition; the answer is as of the last batch that each partition has written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from runtime.bus.partitioner import partition_of
from services.rules.states.state import decided_key, decode_decided, decode_marks, decode_partner, partner_key
from services.rules.store import StateStore


async def newest_decided_ms(store: StateStore, programme: str, partitions: int) -> int | None:
    """The newest time of an event of the programme that was decided under a revision; None when there is none."""
    newest_ms: int | None = None
    key = decided_key(programme)
    for partition in range(partitions):
        position = await store.stored(partition)
        if position is None:
            continue
        value = (await store.load(partition, position.era, [key]))[key]
        decided_ms = None if value is None else decode_decided(value)
        if decided_ms is not None:
            newest_ms = decided_ms if newest_ms is None else max(newest_ms, decided_ms)
    return newest_ms


async def closed_everywhere_ms(store: StateStore, programme: str, partitions: int) -> int | None:
    """The end of the last day of the programme that has closed in every partition; None when one has closed none."""
    earliest_ms: int | None = None
    key = decided_key(programme)
    for partition in range(partitions):
        position = await store.stored(partition)
        value = None if position is None else (await store.load(partition, position.era, [key]))[key]
        closed_ms = None if value is None else decode_marks(value)[1]
        if closed_ms is None:
            return None
        earliest_ms = closed_ms if earliest_ms is None else min(earliest_ms, closed_ms)
    return earliest_ms


async def read_tiers(
    redis_url: str, partners: Sequence[tuple[str, str]], partition_count: int
) -> dict[tuple[str, str], str | None]:
    """The tier of each (programme, partner); None for whom no event was decided yet.

    Raises:
        StoreUnavailable: Redis is away.
        StateUnreadable: The states are of another version; rebuild them.
    """
    store = StateStore(redis_url)
    try:
        return await _tiers(store, partners, partition_count)
    finally:
        await store.stop()


async def _tiers(
    store: StateStore, partners: Sequence[tuple[str, str]], partition_count: int
) -> dict[tuple[str, str], str | None]:
    by_partition: defaultdict[int, dict[bytes, tuple[str, str]]] = defaultdict(dict)
    for programme, partner in partners:
        partition = partition_of(partner.encode(), partition_count)
        by_partition[partition][partner_key(programme, partner)] = (programme, partner)
    tiers: dict[tuple[str, str], str | None] = dict.fromkeys(partners)
    for partition, keys in by_partition.items():
        position = await store.stored(partition)
        if position is None:
            continue
        for key, value in (await store.load(partition, position.era, list(keys))).items():
            if value is not None:
                tiers[keys[key]] = decode_partner(*keys[key], value).tier
    return tiers
