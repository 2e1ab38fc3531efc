"""The row `tracking`: events a second through `POST /v1/events`, batches of 500, durable before the answer.

One service process as it runs in production, one sender process with a few connections kept alive, and the
databases, on the same cores. The raw path (`raw_door`) is HTTP and log alone, same bytes: what is left is our work.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from goodword.bench.processes import cpu_s as cpu_s_of
from goodword.bench.report import BenchRow
from goodword.embedded.ports import free_port

EVENTS: Final = 100_000
BATCH: Final = 500
CONNECTIONS: Final = 4
START_S_MAX: Final = 60.0
_POLL_S: Final = 0.05


async def run(*, kafka: str | None, postgres: str, redis: str, events: int = EVENTS) -> list[BenchRow]:
    """The row on the bus that `kafka` names, or on the log in PostgreSQL."""
    port, raw_port, key = free_port(), free_port(), secrets.token_hex(16)
    salt = secrets.token_hex(4)  # other ids than in an earlier run on the same servers
    environment = os.environ | {
        "GOODWORD_POSTGRES": postgres,
        "GOODWORD_REDIS": redis,
        "GOODWORD_ADMIN_KEY": key,
        "GOODWORD_PORT": str(port),
        "GOODWORD_LOG_LEVEL": "WARNING",
    }
    environment.pop("GOODWORD_KAFKA", None)
    if kafka:
        environment["GOODWORD_KAFKA"] = kafka
    with _process(environment, "-m", "goodword", "serve", "tracking") as service:
        await _until_it_answers(f"http://127.0.0.1:{port}/readyz", service)
        url = f"http://127.0.0.1:{port}/v1/events"
        # The first requests register the partners and fill the caches; they are not what is measured.
        await _load(environment, url, key, events=max(events // 10, BATCH), salt=f"{salt}w-")
        before_s = cpu_s_of([service.pid])
        measured = await _load(environment, url, key, events=events, salt=f"{salt}m-")
        cpu_s = cpu_s_of([service.pid]) - before_s
    with _process(environment, "-m", "goodword.bench.raw_door", str(raw_port)) as raw:
        await _until_it_answers(f"http://127.0.0.1:{raw_port}/", raw)
        url = f"http://127.0.0.1:{raw_port}/"
        await _load(environment, url, key, events=max(events // 10, BATCH), salt=f"{salt}w-")
        bare = await _load(environment, url, key, events=events, salt=f"{salt}r-")
    latencies = sorted(measured["latencies_ms"])
    per_second = measured["accepted"] / measured["seconds"]
    raw_per_second = bare["accepted"] / bare["seconds"]
    return [
        BenchRow(
            name="tracking",
            bus="kafka" if kafka else "postgres",
            per_second=per_second,
            raw_per_second=raw_per_second,
            ratio=per_second / raw_per_second,
            p50_ms=latencies[len(latencies) // 2],
            p99_ms=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)],
            cpu_ms_per_1000=cpu_s * 1_000_000 / measured["accepted"],
        )
    ]


@contextmanager
def _process(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def _until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(START_S_MAX):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"a measured process ended with {process.returncode}")
            try:
                answer = await client.post(url, content=b"[{}]") if url.endswith("/") else await client.get(url)
                if answer.is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(_POLL_S)


async def _load(environment: dict[str, str], url: str, key: str, *, events: int, salt: str) -> dict[str, Any]:
    arguments = (url, key, str(events), str(BATCH), str(CONNECTIONS), salt)
    loader = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "goodword.bench.door_load", *arguments, env=environment, stdout=subprocess.PIPE
    )
    output, _ = await loader.communicate()
    if loader.returncode != 0:
        raise RuntimeError("the sender failed; its message is above")
    measured: dict[str, Any] = json.loads(output)
    return measured
