"""Rounds: one after the other, put off by an outage, ended by anything else."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import TransientError
from runtime.rounds import Rounds


class Work:
    """Rounds that are counted; `failures` are raised first, one a round."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.rounds = self.at_once = self.at_once_max = 0
        self.enough = asyncio.Event()

    async def __call__(self) -> None:
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        try:
            await asyncio.sleep(0)
            self.rounds += 1
            if self.rounds == 5:
                self.enough.set()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.at_once -= 1


async def test_rounds_follow_each_other_until_they_are_stopped() -> None:
    work = Work()
    rounds = Rounds("work", work, every_s=0)
    await rounds.start()
    await asyncio.wait_for(work.enough.wait(), 10)
    await rounds.stop()
    done = work.rounds
    await asyncio.sleep(0.01)
    assert (work.rounds, work.at_once_max) == (done, 1)


async def test_a_server_that_is_away_puts_a_round_off() -> None:
    work = Work(TransientError("away"), TransientError("still away"))
    rounds = Rounds("work", work, every_s=0)
    await rounds.start()
    await asyncio.wait_for(work.enough.wait(), 10)
    await rounds.stop()
    assert work.failures == []


async def test_anything_else_is_raised_to_whoever_waits() -> None:
    work = Work(ValueError("a mistake of ours"))
    rounds = Rounds("work", work, every_s=0)
    await rounds.start()
    with pytest.raises(ValueError, match="a mistake of ours"):
        await asyncio.wait_for(rounds.wait(), 10)
    await rounds.stop()
    assert work.rounds == 1


async def test_a_round_that_waits_is_cancelled_when_it_is_stopped() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def wait_for_ever() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    rounds = Rounds("work", wait_for_ever, every_s=0)
    await rounds.start()
    await asyncio.wait_for(began.wait(), 10)
    await rounds.stop()
    assert cancelled.is_set()
