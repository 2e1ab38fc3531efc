"""A task ends although a cancellation was lost on the way."""

from __future__ import annotations

import asyncio

import pytest

from runtime import ending
from runtime.ending import ended


async def test_a_task_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)
    lost = 0

    async def loses_three() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost > 3:
                    raise

    async def fails() -> None:
        raise RuntimeError("its own affair")

    tasks = (asyncio.create_task(loses_three()), asyncio.create_task(fails()))
    await asyncio.sleep(0)
    await ended(*tasks)
    assert (lost, tasks[0].cancelled()) == (4, True)
    with pytest.raises(RuntimeError, match="its own affair"):
        tasks[1].result()
    await ended()
