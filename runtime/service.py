"""The life of a service process: start, serve, finish the batch in hand, exit.

HTTP comes up first, so that `/healthz` answers while the rest starts. SIGTERM and SIGINT make it not ready,
let requests and batches in hand end, then stop the components in reverse order. A component that fails
stops the whole process with exit code 1: a supervisor restarts it, and somebody sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from contracts.errors import PermanentError
from runtime import log
from runtime.bus.open import bus_of
from runtime.bus.port import Bus
from runtime.clock import Clock, SystemClock
from runtime.ending import ended
from runtime.http import Check, health_routes, http_problem, internal_problem
from runtime.metrics import Metrics
from runtime.outages import is_outage, reason_of, refusal_of
from runtime.settings import Settings

GC_THRESHOLDS: Final = (50_000, 50, 50)
"""In place of Python's own (700, 10, 10); see `_settle_garbage`."""

logger = log.get(__name__)
START_S_MAX = 120.0
"""How long an outage may keep a part from starting before the service gives up and its supervisor takes over."""
START_WAIT_S_MIN = 0.2
START_WAIT_S_MAX = 3.0


class Component(Protocol):
    """A part of a service with a life of its own: a consumer, a relay, a pool."""

    name: str

    async def start(self) -> None: ...

    async def wait(self) -> None:
        """Return never, or raise what went wrong; a part that cannot fail alone waits for ever."""

    async def stop(self) -> None:
        """Finish what is in hand and let go; called once, also after a failure."""


@dataclass(frozen=True, slots=True)
class App:
    """What a composition root builds: the parts of one service, wired."""

    name: str
    metrics: Metrics
    routes: Sequence[BaseRoute] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    components: Sequence[Component] = ()
    """In the order in which they start."""


class _Life:
    """What `/readyz` says of the service itself; `ok` while it serves."""

    def __init__(self) -> None:
        self.state = "starting"

    def waits_for(self, component: str, reason: str) -> None:
        self.state = f"waiting for {component}: {reason}"


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the service decides the order of stopping."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


S_contra = TypeVar("S_contra", bound=Settings, contravariant=True)


class Build(Protocol[S_contra]):
    """A service's composition root: its parts, wired and not started; the bus is not started either."""

    def __call__(self, settings: S_contra, *, clock: Clock, bus: Bus) -> App: ...


async def run_service(name: str, settings: S_contra, build: Build[S_contra]) -> int:
    """The whole process of a service: serve until a signal. Returns the exit code."""
    log.configure(name, level=settings.log_level, as_json=settings.log_json)
    app = build(settings, clock=SystemClock(), bus=bus_of(settings, client=name))
    return await serve(app, host=settings.host, port=settings.http_port)


async def serve(app: App, *, host: str, port: int) -> int:
    """Run the service until a signal or a failure. Returns the exit code."""
    stopping = asyncio.Event()
    life = _Life()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    routes = [
        *health_routes(app.name, app.checks, app.metrics, lambda: "stopping" if stopping.is_set() else life.state),
        *app.routes,
    ]
    server = _Server(
        uvicorn.Config(
            Starlette(routes=routes, exception_handlers={HTTPException: http_problem, Exception: internal_problem}),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=20,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=64 * 1024,
            http="httptools",
            loop="none",
        )
    )
    http = asyncio.create_task(server.serve(), name="http")
    running: list[Component] = []
    watches: dict[asyncio.Task[Any], str] = {}
    exit_code = 0
    gc_thresholds = gc.get_threshold()
    stop_signal = asyncio.create_task(stopping.wait())
    try:
        for component in app.components:
            running.append(component)
            starting = asyncio.create_task(_start(component, life))
            await asyncio.wait({starting, stop_signal, http}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                await ended(starting)
                break
            starting.result()
            watches[asyncio.create_task(component.wait())] = component.name
        else:
            _settle_garbage()
            life.state = "ok"
            logger.info("service started", name=app.name, host=host, port=port)
            done, _ = await asyncio.wait({http, stop_signal, *watches}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & watches.keys():
                exit_code = 1
                reason = task.exception() or RuntimeError("ended by itself")
                logger.error("component failed", component=watches[task], reason=str(reason), exc_info=reason)
        if http.done():
            exit_code = 1
            logger.error("http server ended", reason=str(http.exception() or f"could not listen on {host}:{port}"))
    except Exception as error:
        exit_code = 1
        logger.exception("service could not start", reason=str(error))
    stopping.set()
    server.should_exit = True
    await asyncio.gather(http, return_exceptions=True)
    for component in reversed(running):
        try:
            await component.stop()
        except Exception as error:
            exit_code = 1
            logger.exception("component did not stop cleanly", component=component.name, reason=str(error))
    for task in (*watches, stop_signal):
        task.cancel()
    await asyncio.gather(*watches, stop_signal, return_exceptions=True)
    gc.set_threshold(*gc_thresholds)
    gc.unfreeze()
    logger.info("service stopped", name=app.name, exit_code=exit_code)
    return exit_code


async def _start(component: Component, life: _Life) -> None:
    """Start a part; what it needs may be away a while, as after a power cut, and dying for that helps nobody.

    Meanwhile `/readyz` says what is waited for. A server that refuses us is told at once (PermanentError); anything
    else that is no outage is raised, and so is the last try.
    """
    wait_s = START_WAIT_S_MIN
    deadline = asyncio.get_running_loop().time() + START_S_MAX
    while True:
        try:
            await component.start()
        except Exception as error:
            if refusal := refusal_of(error):
                raise PermanentError(refusal) from error
            if not is_outage(error) or asyncio.get_running_loop().time() > deadline:
                raise
            reason = reason_of(error)
            life.waits_for(component.name, reason)
            logger.warning("starting again", component=component.name, wait_s=wait_s, reason=reason)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, START_WAIT_S_MAX)
        else:
            life.state = "starting"
            return


def _settle_garbage() -> None:
    """What was loaded until now stays to the end, so no collection need walk it; and collections become rare.

    Our records are Structs that the collector does not track, and what a batch leaves goes by reference counts: nearly
    all work of the collector is for nothing. A service with a great many objects of its own may go further and collect
    only when it is idle, as the rules do.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
