"""kill -9 of processes that answer requests, at random moments; whoever got no answer asks another process again.

Promise: each request was carried out once, and everybody got the answer of that one time.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from goodword.embedded.ports import ports_in_a_row
from runtime.database import Database
from services.rewards.requests.identity import HEADER
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, deliver, found_balances

ROOT = Path(__file__).resolve().parents[3]
REQUESTS = 60
SENDERS = 4
KILLS = 2
HELD = decided(1, available_at_ms=32_503_680_000_000)


def serving(url: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.rewards.api_process", url, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )


@pytest.mark.timeout(180)
async def test_whatever_is_killed_whenever_each_request_is_carried_out_once(
    ledger_url: str, database: Database, seed: int
) -> None:
    await deliver(database, HELD)
    draw = random.Random(seed)
    port = ports_in_a_row(2)
    ports = [port, port + 1]
    processes = [serving(ledger_url, port) for port in ports]
    todo = list(range(REQUESTS))
    first: dict[int, bytes] = {}
    answered: asyncio.Queue[int] = asyncio.Queue()
    unanswered = 0

    async def send(client: httpx.AsyncClient) -> None:
        nonlocal unanswered
        while todo:
            number = todo.pop()
            body = {"reason": f"part {number}", "amount": {"minor": 1, "unit": "USD"}}
            # Each is asked twice, and until it is answered, by whichever process.
            for _ in range(2):
                while True:
                    url = f"http://127.0.0.1:{draw.choice(ports)}/v1/decisions/{HELD.id}/void"
                    headers = {"authorization": "Bearer secret", HEADER: f"part-{number}"}
                    try:
                        answer = await client.post(url, json=body, headers=headers)
                    except httpx.TransportError:
                        unanswered += 1
                        await asyncio.sleep(0.02)
                        continue
                    if answer.status_code == 200:
                        break
                    assert answer.status_code in {409, 503}, answer.text
                assert answer.content == first.setdefault(number, answer.content)
            answered.put_nowait(number)

    async def kill() -> None:
        moments = sorted(draw.sample(range(5, REQUESTS), KILLS))
        for count in range(REQUESTS):
            await answered.get()
            if count in moments:
                which = draw.randrange(2)
                processes[which].send_signal(signal.SIGKILL)
                processes[which].wait()
                processes[which] = serving(ledger_url, ports[which])

    try:
        async with httpx.AsyncClient(timeout=20) as client:
            await asyncio.gather(kill(), *(send(client) for _ in range(SENDERS)))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert len(first) == REQUESTS
    assert unanswered > 0, "nobody was killed while it mattered"
    assert found_balances(ledger_url)["partner:ann:pending", "USD"] == 10_000 - REQUESTS
    await assert_sound(database)
