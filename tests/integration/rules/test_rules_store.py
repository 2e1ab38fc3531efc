"""The state store against a real Valkey: states and offset change together, and only for who is up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from contracts.errors import PermanentError
from services.rules.store import Fenced, Position, StateStore, StoreUnavailable


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[StateStore]:
    made = StateStore(valkey_url)
    await made.start()
    yield made
    await made.stop()


async def test_a_partition_without_a_position_begins_a_new_era_at_the_start_of_the_log(store: StateStore) -> None:
    first = await store.position(3)
    assert first.offset == 0
    assert await store.position(3) == first, "the position is stored at once, so that a flushed store is noticed"
    assert (await store.position(4)).era != first.era


async def test_states_and_offset_are_written_together_and_read_back(store: StateStore) -> None:
    start = await store.position(0)
    after = await store.save(0, start, 10, {b"a": b"1", b"b": b"\x00\xff", b"c": None})
    assert after == start.at(10)
    assert await store.position(0) == after
    assert await store.load(0, after.era, [b"a", b"b", b"c"]) == {b"a": b"1", b"b": b"\x00\xff", b"c": None}
    await store.save(0, after, 11, {b"a": None, b"b": b"2"})
    assert await store.load(0, after.era, [b"a", b"b"]) == {b"a": None, b"b": b"2"}


async def test_a_write_larger_than_luas_stack_arrives_whole(store: StateStore) -> None:
    start = await store.position(0)
    keys = [b"k%d" % number for number in range(25_000)]
    after = await store.save(0, start, 1, dict.fromkeys(keys, b"v"))
    assert set((await store.load(0, after.era, keys)).values()) == {b"v"}
    gone = await store.save(0, after, 2, dict.fromkeys(keys))
    assert set((await store.load(0, gone.era, keys)).values()) == {None}


async def test_who_is_behind_is_refused_and_writes_nothing(store: StateStore) -> None:
    start = await store.position(0)
    winner = await store.save(0, start, 10, {b"a": b"winner"})
    with pytest.raises(Fenced) as refusal:
        await store.save(0, start, 20, {b"a": b"zombie"})
    assert refusal.value.stored == winner
    assert await store.load(0, start.era, [b"a"]) == {b"a": b"winner"}


async def test_a_write_whose_answer_was_lost_counts_as_done(store: StateStore) -> None:
    start = await store.position(0)
    written = await store.save(0, start, 10, {b"a": b"1"})
    assert await store.save(0, start, 10, {b"a": b"1"}) == written


async def test_an_emptied_store_refuses_and_old_states_are_never_read_again(store: StateStore, valkey_url: str) -> None:
    start = await store.position(0)
    before = await store.save(0, start, 10, {b"a": b"1"})
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.delete("gw:rules:{0}:offset")
        with pytest.raises(Fenced) as refusal:
            await store.save(0, before, 20, {b"a": b"2"})
        assert refusal.value.stored is None
        fresh = await store.position(0)
        assert fresh.offset == 0
        assert await store.load(0, fresh.era, [b"a"]) == {b"a": None}
        assert await client.keys("*") == [b"gw:rules:{0}:offset"], "the old era is swept away"


async def test_a_rebuilt_era_replaces_the_live_one_only_where_it_stands_still(store: StateStore) -> None:
    live = await store.save(0, await store.position(0), 10, {b"a": b"live"})
    built = await store.begin_rebuild(0)
    built = await store.save(0, built, 10, {b"a": b"rebuilt"}, "rebuild")

    moved = await store.save(0, live, 11, {b"b": b"live"})
    with pytest.raises(Fenced):
        await store.swap(0, live, built)

    built = await store.save(0, built, 11, {b"b": b"rebuilt"}, "rebuild")
    await store.swap(0, moved, built)
    await store.end_rebuild(0, built.era)
    assert await store.position(0) == built
    assert await store.load(0, built.era, [b"a", b"b"]) == {b"a": b"rebuilt", b"b": b"rebuilt"}
    assert await store.load(0, live.era, [b"a", b"b"]) == {b"a": None, b"b": None}
    with pytest.raises(Fenced):
        await store.save(0, moved, 12, {b"a": b"live"})


async def test_a_second_rebuild_fences_the_first(store: StateStore) -> None:
    await store.position(0)
    first = await store.begin_rebuild(0)
    second = await store.begin_rebuild(0)
    with pytest.raises(Fenced):
        await store.save(0, first, 5, {b"a": b"1"}, "rebuild")
    await store.save(0, second, 5, {b"a": b"2"}, "rebuild")
    await store.end_rebuild(0, first.era)
    assert await store.load(0, second.era, [b"a"]) == {b"a": b"2"}, "giving up the first leaves the second alone"


async def test_sweeping_for_an_era_that_is_over_deletes_nothing(store: StateStore) -> None:
    live = await store.save(0, await store.position(0), 1, {b"a": b"1"})
    await store.sweep(0, Position("0ld", 0))
    assert await store.load(0, live.era, [b"a"]) == {b"a": b"1"}


async def test_a_store_that_may_evict_is_refused(valkey_url: str) -> None:
    store = StateStore(valkey_url)
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(PermanentError, match="store-may-evict"):
                await store.start()
        finally:
            await client.config_set("maxmemory-policy", "noeviction")
            await store.stop()


async def test_a_store_that_is_away_is_an_outage() -> None:
    store = StateStore("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable):
        await store.check()
    with pytest.raises(StoreUnavailable):
        await store.position(0)
    await store.stop()
