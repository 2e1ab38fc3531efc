"""Calls that come while one is under way are made together, as one: a round trip costs more than what it carries.

What a call brings is its item, what it gets back the result at its item's place. Nothing waits for company: a call
that finds nobody under way goes at once, with those of the same turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Gathers the calls of many tasks.

    Args:
        run: Gets the items in the order of the calls and returns a result for each. What it raises is raised by all of
            these calls, because all of them may or may not have happened; unless there were several and
            `is_shared` denies it, then each item is run again alone, so that one bad item fails its own call only.
        name: Of the task, for whoever looks at them.
        at_once_max: Runs under way at the same time.
        weight: Of an item; a run takes items up to `weight_max` together, and at least one.
        is_shared: Whether an error concerns all items of a run alike, such as an outage.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        name: str,
        at_once_max: int = 1,
        weight: Callable[[Item], int] = lambda item: 1,
        weight_max: int = 1_000,
        is_shared: Callable[[Exception], bool] = lambda error: True,
    ) -> None:
        self._run = run
        self._name = name
        self._at_once_max = at_once_max
        self._weight = weight
        self._weight_max = weight_max
        self._is_shared = is_shared
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_one_coming = False

    async def call(self, item: Item) -> Result:
        """The result of this item; raises what `run` raised. A caller that is cancelled may have been run."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._help()
        return await done

    def _help(self) -> None:
        """Have one more at work, unless there are enough, or one is on its way that will take what waits."""
        if not self._is_one_coming and len(self._tasks) < self._at_once_max:
            self._is_one_coming = True
            self._tasks.add(asyncio.create_task(self._work(), name=self._name))

    async def _work(self) -> None:
        self._is_one_coming = False
        try:
            while taken := self._take():
                if self._waiting:
                    self._help()
                await self._run_all(taken)
        finally:
            # At once, and not in a callback: a call between our last look and the callback would wait for ever.
            task = asyncio.current_task()
            assert task is not None
            self._tasks.discard(task)

    async def _run_all(self, taken: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._run([item for item, _ in taken])
        except Exception as error:  # noqa: BLE001 - told to everybody whom it concerns
            if len(taken) == 1 or self._is_shared(error):
                for _, done in taken:
                    if not done.done():
                        done.set_exception(error)
            else:
                for each in taken:
                    await self._run_all([each])
        except asyncio.CancelledError:
            for _, done in taken:
                done.cancel()
            raise
        else:
            for (_, done), result in zip(taken, results, strict=True):
                if not done.done():
                    done.set_result(result)

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """What waits, in order, up to the limit; without those that were cancelled while they waited."""
        taken: list[tuple[Item, asyncio.Future[Result]]] = []
        weight = 0
        while self._waiting:
            item, done = self._waiting[0]
            weight += self._weight(item)
            if taken and weight > self._weight_max:
                break
            self._waiting.popleft()
            if not done.done():
                taken.append((item, done))
        return taken
