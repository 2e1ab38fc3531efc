"""What is remembered of ids, for how long, and that two requests with one id wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from services.tracking.dedupe import SeenIds, SeenUnavailable

DAY_S = 86_400
START_MS = 4_000_000_000_000
"""2096, so that the server's own clock drops nothing meanwhile."""


class MovedClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time_ms = START_MS

    def now_ms(self) -> int:
        return self.time_ms


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def seen(valkey_url: str, clock: MovedClock) -> AsyncIterator[SeenIds]:
    ids = SeenIds(valkey_url, clock=clock, seconds_max=5, remember_s=30 * DAY_S)
    yield ids
    await ids.stop()


async def test_what_was_remembered_is_found_and_nothing_else(seen: SeenIds) -> None:
    await seen.remember([b"a", b"b"], [b"1", b"2"])
    assert await seen.look_up([b"b", b"c", b"a"]) == [b"2", None, b"1"]


@pytest.mark.parametrize(("days", "is_found"), [(0, True), (14, True), (16, True), (30, True), (46, False)])
async def test_an_id_is_remembered_for_thirty_days_and_not_much_longer(
    valkey_url: str, seen: SeenIds, clock: MovedClock, days: int, is_found: bool
) -> None:
    """The server's own clock does not move, so what it would have dropped is told by the time it was told to."""
    await seen.remember([b"old"], [b"1"])
    clock.time_ms += days * DAY_S * 1000
    await seen.remember([b"young"], [b"2"])
    assert await seen.look_up([b"young", b"old"]) == [b"2", b"1" if is_found else None]
    with redis.Redis.from_url(valkey_url) as client:
        for key in client.scan_iter("t:*"):
            dropped_in_days = (client.expiretime(key) - START_MS // 1000) / DAY_S
            assert 30 <= dropped_in_days <= 46 + days


async def test_another_process_sees_what_this_one_remembered(valkey_url: str, seen: SeenIds, clock: MovedClock) -> None:
    await seen.remember([b"x"], [b"1"])
    other = SeenIds(valkey_url, clock=clock, seconds_max=5, remember_s=30 * DAY_S)
    assert await other.look_up([b"x"]) == [b"1"]
    await other.stop()


async def test_requests_with_a_common_id_wait_and_others_do_not(seen: SeenIds) -> None:
    order: list[str] = []
    entered = asyncio.Event()
    leave = asyncio.Event()

    async def first() -> None:
        async with seen.claim([b"a", b"b"]):
            entered.set()
            await leave.wait()
            order.append("first")

    async def second() -> None:
        async with seen.claim([b"b", b"c"]):
            order.append("second")

    tasks = [asyncio.create_task(first())]
    await entered.wait()
    tasks.append(asyncio.create_task(second()))
    async with seen.claim([b"c"]):
        order.append("other")
    leave.set()
    await asyncio.gather(*tasks)
    assert order == ["other", "first", "second"]


async def test_a_request_that_failed_leaves_its_ids_free(seen: SeenIds) -> None:
    with pytest.raises(ValueError, match="boom"):
        async with seen.claim([b"a"]):
            raise ValueError("boom")
    async with asyncio.timeout(5), seen.claim([b"a"]):
        pass


async def test_an_answer_that_was_not_waited_for_is_not_taken_for_another(seen: SeenIds) -> None:
    await seen.remember([b"a"], [b"1"])
    for _ in range(20):
        task = asyncio.create_task(seen.look_up([b"a"] * 500))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await seen.look_up([b"nope"]) == [None]


async def test_nobody_there_is_an_outage(clock: MovedClock) -> None:
    seen = SeenIds("redis://127.0.0.1:1/0", clock=clock, seconds_max=1, remember_s=DAY_S)
    with pytest.raises(SeenUnavailable):
        await seen.look_up([b"a"])
    with pytest.raises(SeenUnavailable):
        await seen.check()
    await seen.stop()
