"""Calls made together: each gets its own answer, and one that fails does not take the others with it unless it must."""

from __future__ import annotations

import asyncio

import pytest

from runtime.together import Together


class Recorder:
    """Runs that are remembered, and held until `go`."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.at_once = 0
        self.at_once_max = 0
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def run(self, items: list[int]) -> list[int]:
        self.runs.append(items)
        self.began.set()
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            await self.go.wait()
            if any(item < 0 for item in items):
                raise ValueError("below zero")
            return [item * 10 for item in items]
        finally:
            self.at_once -= 1


async def test_calls_of_one_turn_are_one_run_and_each_gets_its_own_result() -> None:
    recorder = Recorder()
    together = Together(recorder.run, name="test")
    assert await asyncio.gather(*(together.call(n) for n in range(5))) == [0, 10, 20, 30, 40]
    assert recorder.runs == [[0, 1, 2, 3, 4]]


async def test_calls_that_come_during_a_run_wait_for_the_next_one() -> None:
    recorder = Recorder()
    recorder.go.clear()
    together = Together(recorder.run, name="test")
    first = asyncio.create_task(together.call(1))
    await recorder.began.wait()
    rest = [asyncio.create_task(together.call(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    recorder.go.set()
    assert await asyncio.gather(first, *rest) == [10, 20, 30]
    assert recorder.runs == [[1], [2, 3]]
    # And one that comes after everything has ended is not forgotten.
    assert await together.call(4) == 40


async def test_a_run_takes_items_up_to_the_weight_and_at_least_one() -> None:
    recorder = Recorder()
    together = Together(recorder.run, name="test", weight=lambda item: item, weight_max=10)
    await asyncio.gather(*(together.call(n) for n in (4, 6, 1, 30, 2)))
    assert recorder.runs == [[4, 6], [1], [30], [2]]


async def test_no_more_runs_are_under_way_than_allowed() -> None:
    recorder = Recorder()
    recorder.go.clear()
    together = Together(recorder.run, name="test", at_once_max=2, weight_max=1)
    calls = [asyncio.create_task(together.call(n)) for n in range(6)]
    for _ in range(10):
        await asyncio.sleep(0)
    recorder.go.set()
    await asyncio.gather(*calls)
    assert recorder.at_once_max == 2


async def test_an_error_that_concerns_all_is_raised_by_all() -> None:
    recorder = Recorder()
    together = Together(recorder.run, name="test")
    results = await asyncio.gather(*(together.call(n) for n in (1, -1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    assert len(recorder.runs) == 1


async def test_an_error_of_one_item_is_its_own_when_errors_are_not_shared() -> None:
    recorder = Recorder()
    together = Together(recorder.run, name="test", is_shared=lambda error: False)
    results = await asyncio.gather(*(together.call(n) for n in (1, -1, 2)), return_exceptions=True)
    assert results[0] == 10
    assert isinstance(results[1], ValueError)
    assert results[2] == 20


async def test_a_call_cancelled_while_it_waits_is_not_run() -> None:
    recorder = Recorder()
    recorder.go.clear()
    together = Together(recorder.run, name="test")
    first = asyncio.create_task(together.call(1))
    await recorder.began.wait()
    second = asyncio.create_task(together.call(2))
    await asyncio.sleep(0)
    second.cancel()
    recorder.go.set()
    assert await first == 10
    with pytest.raises(asyncio.CancelledError):
        await second
    assert recorder.runs == [[1]]
