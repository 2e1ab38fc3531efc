"""Stopping aiokafka's clients so that nobody's cancellation is lost.

`AIOKafkaClient.close` (0.14) waits for its own task inside `suppress(CancelledError)`: a caller that is cancelled at
that moment goes on as if nothing had been said, for ever when it is a loop. So a client is stopped by a task of its
own, which nobody cancels, and whoever waits for it can be cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError

_stopping: set[asyncio.Task[None]] = set()
"""Event loops hold tasks weakly."""


async def stopped(stop: Callable[[], Awaitable[Any]]) -> None:
    """Stop a client by its `stop` or `close`; what it has to say in an outage is of no use any more."""
    await asyncio.shield(stopping(stop))


def stopping(stop: Callable[[], Awaitable[Any]]) -> asyncio.Task[None]:
    """The same beside what the caller does next."""
    task = asyncio.create_task(_stopped(stop), name="bus-stopping")
    _stopping.add(task)
    task.add_done_callback(_stopping.discard)
    return task


async def _stopped(stop: Callable[[], Awaitable[Any]]) -> None:
    with contextlib.suppress(KafkaError, OSError):
        await stop()
