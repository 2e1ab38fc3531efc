from __future__ import annotations

import asyncio

import pytest

from runtime.bus.port import BusUnavailable
from runtime.bus.waiting_room import GROUP_BYTES_MAX, WAITING_BYTES_MAX, WaitingRoom


async def test_what_waits_together_is_written_together_in_order() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=30)
    waits = [asyncio.create_task(room.submit(number, 10)) for number in range(5)]
    await asyncio.wait_for(room.wait_filled(), 5)
    await asyncio.sleep(0)
    group = room.take()
    assert [one.payload for one in group] == list(range(5))
    for one in group:
        one.succeed()
    await asyncio.gather(*waits)


async def test_a_group_has_a_size_and_always_one_member() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=30)
    sizes = (GROUP_BYTES_MAX * 2, GROUP_BYTES_MAX - 1, 1, 1)
    waits = [asyncio.create_task(room.submit(number, size)) for number, size in enumerate(sizes)]
    await asyncio.sleep(0)
    groups = [room.take() for _ in range(4)]
    assert [[one.payload for one in group] for group in groups] == [[0], [1, 2], [3], []]
    for group in groups:
        for one in group:
            one.succeed()
    await asyncio.gather(*waits)


async def test_who_gives_up_before_the_write_began_is_certainly_not_written() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=0.01)
    with pytest.raises(BusUnavailable, match="not written"):
        await room.submit(1, 10)
    assert room.take() == []


async def test_who_gives_up_during_the_write_is_told_that_nobody_knows() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=0.05)
    waiting = asyncio.create_task(room.submit(1, 10))
    await room.wait_filled()
    (taken,) = room.take()
    with pytest.raises(BusUnavailable, match="may have been written"):
        await waiting
    taken.fail(BusUnavailable("too late to matter"))


async def test_who_is_cancelled_while_waiting_is_taken_out() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=30)
    waiting = asyncio.create_task(room.submit(1, 10))
    await room.wait_filled()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert room.take() == []


async def test_memory_is_bounded_and_room_is_given_on() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=0.5)
    first = asyncio.create_task(room.submit(1, WAITING_BYTES_MAX))
    await room.wait_filled()
    (writing,) = room.take()
    with pytest.raises(BusUnavailable, match="too much waits"):
        await room.submit(2, 1)
    with pytest.raises(BusUnavailable, match="may have been written"):
        await first
    # Until the write has ended its bytes are in memory; then they are free again.
    writing.fail(BusUnavailable("too late to matter"))
    third = asyncio.create_task(room.submit(3, WAITING_BYTES_MAX))
    await room.wait_filled()
    (taken,) = room.take()
    assert taken.payload == 3
    taken.succeed()
    await third


async def test_a_closed_room_takes_nobody() -> None:
    room: WaitingRoom[int] = WaitingRoom(wait_s_max=30)
    room.close()
    with pytest.raises(BusUnavailable, match="closed"):
        await room.submit(1, 1)
