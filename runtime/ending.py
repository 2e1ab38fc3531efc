"""Ends tasks for certain.

`asyncio.wait_for` of Python 3.11 loses a cancellation that comes at the moment of its result, and drivers use it all
over: a task that waits in a loop would go on for ever, and whoever waits for its end with it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

AGAIN_S: Final = 2.0
"""After this a task is cancelled again: longer than letting go of a connection takes, shorter than patience."""


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them until they have ended, however that was; their results are left to whoever asks for them."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
