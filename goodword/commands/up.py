"""`goodword up`: everything on this machine, supervised, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.terminal import EXIT_NO, EXIT_USAGE, fail, say, show_problem

if TYPE_CHECKING:
    from goodword.embedded.stack import Stack

PORT_DEFAULT: Final = 8710
PORTS_COUNT: Final = 5


def up(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where everything is kept. [default: .goodword]")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Publish a demo programme, send it events, show what happened.")
    ] = False,
    exit_when_drained: Annotated[
        bool, typer.Option("--exit-when-drained", help="Stop with exit code 0 once all that was sent is worked off.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=1024, max=65535 - PORTS_COUNT, help="The first of five ports in a row.")
    ] = PORT_DEFAULT,
) -> None:
    """Start the embedded stack and the four services, and keep them running.

    Tracking listens on the given port; rules, rewards, notify and the page of the mail sink on the next four.
    Servers named by GOODWORD_KAFKA, GOODWORD_POSTGRES, GOODWORD_REDIS or GOODWORD_SMTP are used instead of embedded
    ones. Ctrl-C stops everything in order; a second one stops faster.
    """
    from contracts.errors import Problem
    from goodword.embedded.folder import DEFAULT_FOLDER

    folder = data or Path(os.environ.get("GOODWORD_DATA") or DEFAULT_FOLDER)
    if folder.exists() and not folder.is_dir():
        fail(Problem(code="not-a-folder", message="--data must name a folder", where=str(folder)), EXIT_USAGE)
    raise typer.Exit(asyncio.run(_up(folder, base_port=port, demo=demo, exit_when_drained=exit_when_drained)))


async def _up(path: Path, *, base_port: int, demo: bool, exit_when_drained: bool) -> int:
    from contracts.errors import GoodwordError, PermanentError
    from goodword.embedded.failure import ServerFailed
    from goodword.embedded.folder import StackFolder
    from goodword.embedded.stack import Stack
    from goodword.embedded.supervisor import GaveUp

    folder = StackFolder(path)
    try:
        folder.prepare()
    except ServerFailed as error:
        show_problem(error.problem)
        return EXIT_NO
    stopping, hurry = _stop_on_signals()
    say(f"data: {folder.path}", "dim")
    stack = Stack(folder, base_port=base_port, tell=lambda line: say(f"· {line}", "dim"))
    exit_code = 0
    try:
        await _until(stopping, _run(stack, demo=demo, exit_when_drained=exit_when_drained))
    except GaveUp as error:
        exit_code = EXIT_NO
        show_problem(error.problem)
        for line in error.log_lines:
            say(f"    {line}")
    except (ServerFailed, PermanentError) as error:
        exit_code = EXIT_NO
        show_problem(error.problem)
    except GoodwordError as error:
        exit_code = EXIT_NO
        say(f"error: {error}", "bold red")
    finally:
        await stack.stop(hurry)
        folder.release()
    say("stopped")
    return exit_code


async def _run(stack: Stack, *, demo: bool, exit_when_drained: bool) -> None:
    """Start, work, and stay; returns only to stop."""
    await stack.start()
    _show_addresses(stack)
    watching = asyncio.create_task(stack.wait())
    work = asyncio.create_task(_work(stack, demo=demo, exit_when_drained=exit_when_drained))
    try:
        await asyncio.wait({watching, work}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        work.result()
        if not exit_when_drained:
            say("Ctrl-C stops everything.")
            await watching
    finally:
        for task in (watching, work):
            task.cancel()
        await asyncio.gather(watching, work, return_exceptions=True)


async def _work(stack: Stack, *, demo: bool, exit_when_drained: bool) -> None:
    if demo:
        from goodword.demo.run import run_demo

        await run_demo(stack.target)
    elif exit_when_drained:
        from goodword.drain import until_drained

        say("waiting until everything is worked off")
        await until_drained(stack.target)


def _show_addresses(stack: Stack) -> None:
    target = stack.target
    say("everything serves:", "bold green")
    for name, url in target.services.items():
        say(f"  {name:<9} {url}")
    if target.mail_page is not None:
        say(f"  {'mails':<9} {target.mail_page}")
    say(f"  admin key {stack.folder.path / 'admin.key'}")
    say(f"  logs      {stack.folder.logs}")


def _stop_on_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """First signal: stop in order. Second: hurry."""
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            hurry.set()
        else:
            say("stopping (once more to hurry)")
            stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    return stopping, hurry


async def _until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run the work until it ends, fails, or a signal says stop."""
    running = asyncio.create_task(work)
    signalled = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if running.done():
        running.result()
        return
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
