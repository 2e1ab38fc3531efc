"""Children that die, with real processes: started again, given up, stopped in their own time."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goodword.embedded import deaths, logs
from goodword.embedded import supervisor as supervising
from goodword.embedded.child import ChildSpec, describe_exit
from goodword.embedded.deaths import DEATHS_MAX, Deaths
from goodword.embedded.supervisor import GaveUp, Supervisor

DEADLINE_S = 30


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - a file or a process, nothing that could set an event
            await asyncio.sleep(0.02)


def spec(tmp_path: Path, code: str) -> ChildSpec:
    return ChildSpec("child", [sys.executable, "-u", "-c", code], tmp_path / "child.log")


FOR_EVER = "import signal\nprint('up', flush=True)\nsignal.pause()"


async def test_a_killed_child_is_started_again_and_the_state_written(tmp_path: Path) -> None:
    told: list[str] = []
    changes: list[None] = []
    watched = Supervisor(tmp_path, tell=told.append, changed=lambda: changes.append(None))
    child = await watched.add_child(spec(tmp_path, FOR_EVER))
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in {0, first})
    assert told == ["child was killed by SIGKILL; starting it again in 0.25 s"]
    await until(lambda: len(changes) == 2)
    assert await child.stop()
    await watched.stop_watching_servers()


async def test_a_child_that_dies_again_and_again_is_given_up_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deaths, "RESTART_WAIT_S_MAX", 0.05)
    watched = Supervisor(tmp_path, tell=lambda _: None, changed=lambda: None)
    await watched.add_child(spec(tmp_path, "print('no room for me')\nraise SystemExit(3)"))
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(GaveUp) as gave_up:
            await watched.wait()
    assert "child ended with exit code 3, 5 times" in gave_up.value.problem.message
    assert gave_up.value.log_lines[-1] == "no room for me"
    await watched.stop_watching_servers()


async def test_a_child_finishes_what_is_in_hand_before_it_stops(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def finish(*_):\n    time.sleep(0.3)\n    print('finished', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, finish)\nprint('up', flush=True)\nsignal.pause()"
    )
    watched = Supervisor(tmp_path, tell=lambda _: None, changed=lambda: None)
    child = await watched.add_child(spec(tmp_path, code))
    log = tmp_path / "child.log"
    await until(lambda: "up" in log.read_text())
    assert await child.stop()
    assert "finished" in log.read_text()
    await watched.stop_watching_servers()


async def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
        "while True: signal.pause()"
    )
    watched = Supervisor(tmp_path, tell=lambda _: None, changed=lambda: None)
    child = await watched.add_child(spec(tmp_path, code))
    log = tmp_path / "child.log"
    await until(lambda: "up" in log.read_text())
    assert not await child.stop(seconds_max=0.3)
    assert child.pid == 0
    await watched.stop_watching_servers()


async def test_a_log_that_grows_too_large_is_put_aside_while_its_process_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES_MAX", 10_000)
    monkeypatch.setattr(supervising, "_LOG_CHECK_S", 0.05)
    watched = Supervisor(tmp_path, tell=lambda _: None, changed=lambda: None)
    code = "import time\nwhile True:\n    print('x' * 999, flush=True)\n    time.sleep(0.005)"
    child = await watched.add_child(spec(tmp_path, code))
    log, aside = tmp_path / "child.log", tmp_path / "child.log.1"
    await until(lambda: aside.exists() and log.stat().st_size > 0)
    assert log.stat().st_size < 200_000
    assert not log.read_bytes().startswith(b"\0")
    await child.stop()
    await watched.stop_watching_servers()


@pytest.mark.parametrize(("serves", "is_given_up"), [(True, False), (False, True)])
async def test_a_child_that_served_may_be_killed_from_outside_however_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, serves: bool, is_given_up: bool
) -> None:
    monkeypatch.setattr(deaths, "RESTART_WAIT_S_MAX", 0.05)

    async def is_ready() -> bool:
        return serves

    watched = Supervisor(tmp_path, tell=lambda _: None, changed=lambda: None)
    served_or_not = dataclasses.replace(spec(tmp_path, FOR_EVER), is_ready=is_ready)
    child = await watched.add_child(served_or_not)
    for _ in range(DEATHS_MAX + 2):
        if serves:
            await until(lambda: child.was_ready)
        killed = child.pid
        os.kill(killed, signal.SIGKILL)
        giving_up = asyncio.ensure_future(watched.wait())

        def is_over(killed: int = killed, giving_up: asyncio.Future[Any] = giving_up) -> bool:
            return giving_up.done() or child.pid not in {0, killed}

        await until(is_over)
        if giving_up.done():
            assert isinstance(giving_up.exception(), GaveUp)
            break
        giving_up.cancel()
    assert giving_up.done() == is_given_up
    await child.stop()
    await watched.stop_watching_servers()


class Flickering:
    """A server that is down whenever it is asked, and starts each time."""

    is_running = False

    def __init__(self, log_file: Path) -> None:
        self.log_file = log_file
        self.starts = 0

    def start(self) -> None:
        self.starts += 1

    def stop(self) -> None:
        """There is nothing to stop."""


@pytest.mark.parametrize(("served_s_min", "is_given_up"), [(5.0, True), (0.0, False)])
async def test_a_server_that_dies_young_is_given_up_and_one_that_had_served_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, served_s_min: float, is_given_up: bool
) -> None:
    monkeypatch.setattr(supervising, "_CHECK_S", 0.01)
    monkeypatch.setattr(supervising, "SERVED_S_MIN", served_s_min)
    watched = Supervisor(tmp_path, tell=lambda _: None, changed=lambda: None)
    server = Flickering(tmp_path / "server.log")
    watched.add_server("Flickering", server)
    if is_given_up:
        with pytest.raises(GaveUp):
            await asyncio.wait_for(watched.wait(), DEADLINE_S)
        assert server.starts == DEATHS_MAX - 1
    else:
        await until(lambda: server.starts > DEATHS_MAX * 2)
    await watched.stop_watching_servers()


def test_waits_grow_up_to_a_cap_and_deaths_long_ago_are_forgiven() -> None:
    seen = Deaths()
    waits = []
    for second in range(4):
        seen.add(second)
        waits.append(seen.wait_s(second))
    assert waits == [0.25, 0.5, 1.0, 2.0]
    assert not seen.too_many(4)
    seen.add(70)
    assert not seen.too_many(70)
    assert seen.wait_s(70) == 0.25
    for _ in range(40):
        seen.add(71, counts=False)
    assert seen.wait_s(71) == deaths.RESTART_WAIT_S_MAX
    assert not seen.too_many(71)


def test_an_exit_is_said_in_words() -> None:
    assert describe_exit(1) == "ended with exit code 1"
    assert describe_exit(-9) == "was killed by SIGKILL"


def test_a_child_does_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """The grandchild follows its parent, which dies by SIGKILL and so cannot tell it."""
    pid_file = tmp_path / "pid"
    (tmp_path / "forever.py").write_text(
        f"import os, signal\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\nsignal.pause()"
    )
    parent = (
        "import os, signal, subprocess, sys\n"
        "environment = os.environ | {'GOODWORD_SUPERVISOR_PID': str(os.getpid())}\n"
        "subprocess.Popen([sys.executable, '-m', 'goodword.embedded.parent', 'forever'], env=environment)\n"
        "signal.pause()"
    )
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    process = subprocess.Popen([sys.executable, "-c", parent], env=environment)
    try:
        asyncio.run(until(lambda: pid_file.exists() and pid_file.read_text().isdigit()))
        grandchild = int(pid_file.read_text())
    finally:
        process.kill()
        process.wait()
    asyncio.run(until(lambda: not _is_alive(grandchild)))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
