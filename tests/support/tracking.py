"""A tracking service in a process of its own, as `goodword serve tracking` runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from contracts.topics import Topic
from goodword.embedded.ports import free_port
from runtime.bus.open import open_bus
from runtime.bus.port import Received

ADMIN_KEY = "operator-of-the-tests"
START_S_MAX = 60.0


class TrackingProcess:
    """Start it, talk to it by `client`, stop or kill it, start it again on the same port."""

    def __init__(self, postgres: str, redis: str, log_file: Path, settings: Mapping[str, str] | None = None) -> None:
        self.postgres = postgres
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, headers={"authorization": f"Bearer {ADMIN_KEY}"})
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GOODWORD_")}
        self._environment = clean | {
            "GOODWORD_POSTGRES": postgres,
            "GOODWORD_REDIS": redis,
            "GOODWORD_PORT": str(self.port),
            "GOODWORD_ADMIN_KEY": ADMIN_KEY,
            "GOODWORD_PARTITIONS": "3",
            **(settings or {}),
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "goodword", "serve", "tracking"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self._log_file.read_text()[-3000:]
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"tracking is not ready: {self._log_file.read_text()[-3000:]}")

    def terminate(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(30)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def close(self) -> None:
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def send(self, events: Sequence[Any] | Any, **options: Any) -> httpx.Response:
        """POST events as JSON; options go to httpx."""
        headers = {"content-type": "application/json"} | options.pop("headers", {})
        return self.client.post("/v1/events", content=msgspec.json.encode(events), headers=headers, **options)


@contextlib.contextmanager
def tracking_process(
    postgres: str, redis: str, folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[TrackingProcess]:
    """A started service; killed in the end, if it still runs."""
    process = TrackingProcess(postgres, redis, folder / "tracking.log", settings)
    try:
        process.start()
        yield process
    finally:
        process.close()


async def read_topic(postgres: str, topic: Topic, *, kafka: str | None = None) -> list[Received]:
    """All records of a topic, partition by partition, in order."""
    bus = open_bus(kafka=kafka, postgres=postgres, client="test")
    await bus.start()
    try:
        found: list[Received] = []
        for partition, end in sorted((await bus.end_offsets(topic.name)).items()):
            async for records in bus.read(topic.name, partition, start=0, end=end, batch_records_max=1000):
                found.extend(records)
        return found
    finally:
        await bus.close()


def ids_of(records: Sequence[Received]) -> list[str]:
    """The event ids of records."""
    return [dict(record.headers)["ce_id"].decode() for record in records]
