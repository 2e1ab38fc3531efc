"""kill -9 of posting processes, and of PostgreSQL under them, at random moments.

Faults: SIGKILL to two processes that post the same stream side by side, each after a random number of batches; one
round also cuts PostgreSQL's power. Promise: what a process called durable is in the ledger, and in the end balances
equal those of plain Python, to the cent, every decision is kept once, and every transfer's fact is on the bus.
Verdict: compared with the oracle after a last, undisturbed pass over the whole stream, which is what the bus would
deliver again.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from contracts.decisions import Decision
from contracts.facts import decode_transfer
from contracts.ids import transfer_id
from contracts.topics import LEDGER
from goodword.embedded.postgres import PostgresServer
from runtime.bus.open import open_bus
from runtime.database import Database
from services.rewards.store import SETUP
from tests.integration.rewards.posting_process import stream
from tests.support.ledger import assert_sound, expected_balances, found_balances

ROOT = Path(__file__).resolve().parents[3]


def posting(url: str, seed: int, module: str = "tests.integration.rewards.posting_process") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, url, str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )


def durable_after(process: subprocess.Popen[str], batches: int) -> int:
    """How many decisions the process called durable after so many batches, or before it ended."""
    assert process.stdout is not None
    durable = 0
    for _ in range(batches):
        line = process.stdout.readline().strip()
        if not line.isdigit():
            break
        durable = int(line)
    return durable


def kept_transfers(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {str(id) for (id,) in connection.execute("SELECT id FROM rewards.transfers")}


def granted_ids(decisions: list[Decision]) -> set[str]:
    return {transfer_id(decision.id, "granted") for decision in decisions if decision.granted}


@pytest.mark.timeout(240)
async def test_whatever_is_killed_whenever_the_ledger_ends_equal_to_the_cent(
    postgres_server: PostgresServer, ledger_url: str, seed: int
) -> None:
    draw = random.Random(seed)
    decisions = stream(seed)
    for round_number in range(3):
        processes = [posting(ledger_url, seed) for _ in range(2)]
        durable = max(durable_after(process, draw.randrange(1, 12)) for process in processes)
        if round_number == 1:
            postgres_server.kill()
            postgres_server.start()
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert granted_ids(decisions[:durable]) <= kept_transfers(ledger_url)
    last = posting(ledger_url, seed)
    output, _ = last.communicate(timeout=120)
    assert output.endswith("all\n")

    assert found_balances(ledger_url) == expected_balances(decisions)
    database = Database(ledger_url, application="rewards", setup=SETUP)
    await database.start()
    await assert_sound(database)
    rows = await database.fetch_all(
        "SELECT (SELECT count(*) FROM rewards.decisions), (SELECT count(*) FROM rewards.conflicts)"
    )
    assert rows == [(len({decision.id for decision in decisions}), 0)]
    await database.stop()
    assert await facts_on_the_bus(ledger_url) == granted_ids(decisions)


async def facts_on_the_bus(url: str) -> set[str]:
    bus = open_bus(kafka=None, postgres=url, client="test")
    await bus.start()
    found: set[str] = set()
    for partition, end in (await bus.end_offsets(LEDGER.name)).items():
        async for records in bus.read(LEDGER.name, partition, start=0, end=end, batch_records_max=1_000):
            found |= {decode_transfer(record.value).id for record in records}
    await bus.close()
    return found
