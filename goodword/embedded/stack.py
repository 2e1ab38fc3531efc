"""The embedded stack: PostgreSQL, Valkey and a mail sink from wheels, and one process per service, on one folder.

Promises: a server that the environment names (GOODWORD_KAFKA, _POSTGRES, _REDIS, _SMTP) is used and not started;
everything listens on 127.0.0.1; what a killed `up` left behind is ended or adopted before anything starts; it
stops in the order tracking, rules, rewards, notify, then the sink, Valkey and PostgreSQL, so that each
service finishes the batch in hand while what it needs still runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from contracts.errors import Problem
from goodword.embedded.child import ChildSpec
from goodword.embedded.failure import ServerFailed
from goodword.embedded.folder import FORMAT, ServiceAddress, StackFolder, StackState
from goodword.embedded.logs import last_lines
from goodword.embedded.ports import LOCALHOST, free_port, is_free, listener_of
from goodword.embedded.postgres import PostgresServer
from goodword.embedded.supervisor import Supervisor
from goodword.embedded.valkey import ValkeyServer
from goodword.target import MAIL_PAGE_PORT, SERVICE_PORTS, Target
from runtime.settings import Settings

PARTITIONS: Final = 4
"""Of topics that are made by this stack, unless GOODWORD_PARTITIONS says otherwise."""
START_S_MAX: Final = 120.0
LEFTOVER_STOP_S_MAX: Final = 15.0
DATABASE: Final = "goodword"
STOP_ORDER: Final = ("tracking", "rules", "rewards", "notify", "mails")
_POLL_S: Final = 0.1


class Stack:
    """One stack on one prepared folder.

    Args:
        base_port: Tracking's port; rules, rewards, notify and the mail page take the next four.
        tell: Called with lines for people.
    """

    def __init__(self, folder: StackFolder, *, base_port: int, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self._tell = tell
        offset = base_port - SERVICE_PORTS["tracking"]
        self._ports = {name: port + offset for name, port in SERVICE_PORTS.items()}
        self._mail_page_port = MAIL_PAGE_PORT + offset
        self._settings = Settings()
        self._given = {name for name in ("postgres", "redis", "smtp") if os.environ.get(f"GOODWORD_{name.upper()}")}
        self._state = StackState(format=FORMAT, pid=os.getpid(), kafka=self._settings.kafka)
        self._supervisor = Supervisor(folder.path, tell=tell, changed=self._note_state)
        self._postgres: PostgresServer | None = None
        self._valkey: ValkeyServer | None = None

    @property
    def target(self) -> Target:
        """Where everything is; complete once `start` has returned."""
        return Target(
            postgres=self._state.postgres,
            redis=self._state.redis,
            kafka=self._state.kafka,
            services={name: address.url for name, address in self._state.services.items()},
            admin_key=self.folder.admin_key(),
            mail_page=self._state.mail_page,
            data_dir=self.folder.path,
        )

    def pids(self) -> dict[str, int]:
        """The processes of the services and the sink, by name; 0 for one that does not run."""
        return {name: child.pid for name, child in self._supervisor.children.items()}

    def process_ids(self) -> dict[str, int]:
        """As `pids`, with the servers that we started; their own children are not named."""
        servers = {"PostgreSQL": self._postgres, "Valkey": self._valkey}
        return self.pids() | {name: pid for name, server in servers.items() if server and (pid := server.pid)}

    async def start(self) -> None:
        """Start everything; return when every service is ready.

        Raises:
            ServerFailed: Something could not start; the problem says what to do.
            GaveUp: A service died again and again.
        """
        previous = self.folder.read()
        if previous is not None:
            await asyncio.to_thread(end_leftovers, previous, self.folder.path, self._tell)
        self._check_ports()
        self._supervisor.watch_disk()
        await asyncio.gather(self._start_postgres(), self._start_valkey())
        self._write_state()
        await self._start_sink(previous)
        for name, port in self._ports.items():
            self._state.services[name] = ServiceAddress(f"http://{LOCALHOST}:{port}")
            await self._supervisor.add_child(self._service_spec(name, port))
        self._tell("starting the services: tracking, rules, rewards, notify")
        await self._until_ready()

    async def wait(self) -> None:
        """Returns never; raises GaveUp when something dies again and again."""
        await self._supervisor.wait()

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stop in order; once `hurry` is set, what still runs is killed (nothing is lost, recovery takes longer)."""
        hurrying = asyncio.create_task(self._kill_when(hurry))
        for name in STOP_ORDER:
            child = self._supervisor.children.get(name)
            if child is not None and child.pid:
                self._tell(f"stopping {name}")
                if not await child.stop():
                    self._tell(f"{name} did not stop by itself and was killed")
            elif child is not None:
                child.give_up()
        await self._supervisor.stop_watching_servers()
        hurrying.cancel()
        for label, server in (("Valkey", self._valkey), ("PostgreSQL", self._postgres)):
            if server is not None:
                self._tell(f"stopping {label}")
                await asyncio.to_thread(server.stop)
        self._state.children = {}
        self._state.pid = 0
        self._note_state()

    async def _kill_when(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        for child in self._supervisor.children.values():
            child.give_up()
            child.kill()

    def _check_ports(self) -> None:
        wanted = {port: f"the {name} service" for name, port in self._ports.items()}
        if "smtp" not in self._given:
            wanted[self._mail_page_port] = "the page of the mail sink"
        taken = [port for port in wanted if not is_free(port)]
        if not taken:
            return
        parts = [
            f"port {port}, wanted for {wanted[port]}, is taken by {listener_of(port) or 'another process'}"
            for port in taken
        ]
        raise ServerFailed(
            Problem(
                code="port-taken",
                message="; ".join(parts),
                where=f"{LOCALHOST}:{taken[0]}",
                help="stop that process, or choose other ports: "
                f"`goodword up --port {min(self._ports.values()) + 100}` takes that one and the four after it",
            )
        )

    async def _start_postgres(self) -> None:
        if "postgres" in self._given:
            self._state.postgres = self._settings.postgres
            self._tell("using PostgreSQL from GOODWORD_POSTGRES")
            return
        self._tell("starting PostgreSQL")
        self._postgres = server = PostgresServer(self.folder.path / "postgres")
        await _to_its_end(server.start)
        self._state.postgres = await asyncio.to_thread(server.ensure_database, DATABASE)
        self._supervisor.add_server("PostgreSQL", server)

    async def _start_valkey(self) -> None:
        if "redis" in self._given:
            self._state.redis = self._settings.redis
            self._tell("using Redis from GOODWORD_REDIS")
            return
        self._tell("starting Valkey")
        self._valkey = server = ValkeyServer(self.folder.path / "valkey")
        await _to_its_end(server.start)
        self._state.redis = server.url
        self._supervisor.add_server("Valkey", server)

    async def _start_sink(self, previous: StackState | None) -> None:
        if "smtp" in self._given:
            self._state.smtp = self._settings.smtp
            self._tell("using the mail relay from GOODWORD_SMTP")
            return
        remembered = previous.smtp_port if previous is not None else None
        port = remembered if remembered is not None and is_free(remembered) else free_port()
        self._state.smtp_port = port
        self._state.smtp = f"smtp://{LOCALHOST}:{port}"
        self._state.mail_page = f"http://{LOCALHOST}:{self._mail_page_port}"
        command = [sys.executable, "-m", "goodword.embedded.parent", "goodword.mailsink", "--host", LOCALHOST]
        command += ["--smtp-port", str(port), "--http-port", str(self._mail_page_port)]
        command += ["--data", str(self.folder.path / "mails")]
        await self._supervisor.add_child(self._spec("mails", command, f"{self._state.mail_page}/"))

    def _service_spec(self, name: str, port: int) -> ChildSpec:
        command = [sys.executable, "-m", "goodword", "serve", name]
        return self._spec(name, command, f"http://{LOCALHOST}:{port}/readyz", GOODWORD_PORT=str(port))

    def _spec(self, name: str, command: list[str], ready_url: str, **environment: str) -> ChildSpec:
        async def is_ready() -> bool:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                with contextlib.suppress(httpx.TransportError):
                    return (await client.get(ready_url)).is_success
            return False

        log_file = self.folder.logs / f"{name}.log"
        return ChildSpec(name, command, log_file, {**self._environment(), **environment}, is_ready)

    def _environment(self) -> dict[str, str]:
        return {
            "GOODWORD_POSTGRES": self._state.postgres,
            "GOODWORD_REDIS": self._state.redis,
            "GOODWORD_SMTP": self._state.smtp,
            "GOODWORD_ADMIN_KEY": self.folder.admin_key(),
            "GOODWORD_REWARDS_SIGNING_KEY_FILE": os.environ.get(
                "GOODWORD_REWARDS_SIGNING_KEY_FILE", str(self.folder.signing_key_file)
            ),
            "GOODWORD_HOST": LOCALHOST,
            # What a batch costs it costs for each partition, and one machine has few cores to share them among.
            "GOODWORD_PARTITIONS": os.environ.get("GOODWORD_PARTITIONS", str(PARTITIONS)),
            # Also how a later `up` recognises what a killed one left behind.
            "GOODWORD_DATA": str(self.folder.path),
        }

    async def _until_ready(self) -> None:
        waiting = dict(self._state.services)
        answers: dict[str, str] = {}
        deadline = time.monotonic() + START_S_MAX
        failing = asyncio.create_task(self._supervisor.wait())
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                while waiting and time.monotonic() < deadline:
                    for name, address in list(waiting.items()):
                        answers[name] = await readiness(client, address.url)
                        if answers[name] == "ready":
                            del waiting[name]
                    if failing.done():
                        failing.result()
                    await asyncio.sleep(_POLL_S)
        finally:
            failing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await failing
        if waiting:
            name = next(iter(waiting))
            log_file = self.folder.logs / f"{name}.log"
            raise ServerFailed(
                Problem(
                    code="not-ready",
                    message=f"the {name} service did not become ready in {START_S_MAX:g} s: {answers[name]}",
                    where=str(log_file),
                    help="\n".join(["its last words:", *last_lines(log_file)]),
                )
            )

    def _note_state(self) -> None:
        """Write it if that is possible: a disk that is full now must not end what runs, or stop half-way what ends."""
        try:
            self._write_state()
        except ServerFailed as error:
            self._tell(f"the state of the stack was not noted: {error.problem.message}")

    def _write_state(self) -> None:
        self._state.children = self.pids()
        for name, address in self._state.services.items():
            self._state.services[name] = ServiceAddress(address.url, self._state.children.get(name, 0))
        self.folder.write(self._state)


async def _to_its_end(start: Callable[[], None]) -> None:
    """Start a server in a thread. Ctrl-C waits for it to be up: half-started, it could not be stopped again."""
    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.gather(starting, return_exceptions=True)
        raise


async def readiness(client: httpx.AsyncClient, url: str) -> str:
    """`ready`, or why a service is not."""
    try:
        response = await client.get(f"{url}/readyz")
    except httpx.TransportError as error:
        return f"no answer ({type(error).__name__})"
    if response.status_code == 200:
        return "ready"
    with contextlib.suppress(ValueError, AttributeError):
        checks = response.json().get("checks", {})
        return "; ".join(f"{name}: {outcome}" for name, outcome in checks.items() if outcome != "ok") or "not ready"
    return f"status {response.status_code}"


def end_leftovers(previous: StackState, data_dir: Path, tell: Callable[[str], None]) -> None:
    """End the services that an `up` which was killed left on this folder; its servers are adopted instead.

    They follow their supervisor into its end by themselves, but may still have a batch in hand.
    """
    pids = [pid for pid in previous.children.values() if _is_ours(pid, data_dir)]
    if pids:
        tell(f"ending {len(pids)} processes that an earlier run left behind")
    for number, seconds in ((signal.SIGTERM, LEFTOVER_STOP_S_MAX), (signal.SIGKILL, 5.0)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while pids and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            pids = [pid for pid in pids if _is_ours(pid, data_dir)]


def _is_ours(pid: int, data_dir: Path) -> bool:
    if pid <= 0:
        return False
    with contextlib.suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return os.fsencode(f"GOODWORD_DATA={data_dir}") in environment
    return False
