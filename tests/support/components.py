"""A service in the test's own process, without its HTTP server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from runtime.service import App


@contextlib.asynccontextmanager
async def running_components(app: App) -> AsyncIterator[None]:
    """Its components, started and stopped as `runtime.service` does: in order, and in reverse."""
    async with contextlib.AsyncExitStack() as started:
        for component in app.components:
            started.push_async_callback(component.stop)
            await component.start()
        yield
