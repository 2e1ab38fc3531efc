"""One undisturbed run per session; every disturbed run must end like it."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.outcome import Outcome
from tests.support import crm
from tests.support.kafka import KafkaServer, kafka_or_skip, make_kafka
from tests.support.once import once_per_run
from tests.support.second_engine import WITHOUT
from tests.support.stack import UpStack

PROGRAMME_FILE = Path(__file__).resolve().parents[3] / "examples" / "crm-pipeline" / "programme.yaml"
ADDRESSES = 1
"""How many partners have an address: enough mails to lose one, few enough to wait for."""
ENVIRONMENT = {
    # The rows are years old, and these runs want mails.
    "GOODWORD_NOTIFY_FACTS_AGE_MAX_DAYS": "100000",
    # The few addresses are known before the first kill, so nobody else's mail needs to wait for one.
    "GOODWORD_NOTIFY_ADDRESS_GRACE_S": "1",
    # A server that was killed is back in seconds; more patience than the supervisor's own restart needs.
    "GOODWORD_RETRY_WAIT_MS_MAX": "1000",
}


@pytest.fixture(scope="session")
def crm_events(seed: int) -> list[dict[str, Any]]:
    return crm.events(seed)


@pytest.fixture(scope="session")
def profiles(tmp_path_factory: pytest.TempPathFactory, crm_events: list[dict[str, Any]]) -> Path:
    """The profiles of those partners that have the fewest events."""
    busy = Counter(event["data"]["partner"] for event in crm_events)
    partners = sorted(busy, key=lambda partner: (busy[partner], partner))
    lines = [profile(partner, crm_events[0]["time"]) for partner in partners[:ADDRESSES]]
    return write(tmp_path_factory.mktemp("events") / "profiles.ndjson", lines)


@pytest.fixture(scope="session")
def first_pass(tmp_path_factory: pytest.TempPathFactory, crm_events: list[dict[str, Any]], seed: int) -> Path:
    """All events in order, 10 % of them once more somewhere later."""
    rng = random.Random(seed)
    lines: list[dict[str, Any]] = []
    again: list[dict[str, Any]] = []
    for event in crm_events:
        lines.append(event)
        if rng.random() < 0.1:
            again.append(event)
        if again and rng.random() < 0.1:
            lines.append(again.pop(rng.randrange(len(again))))
    return write(tmp_path_factory.mktemp("events") / "first.ndjson", lines + again)


@pytest.fixture(scope="session")
def second_pass(tmp_path_factory: pytest.TempPathFactory, first_pass: Path, seed: int) -> Path:
    """The same lines in batches of another order."""
    lines = first_pass.read_text().splitlines()
    batches = [lines[start : start + 500] for start in range(0, len(lines), 500)]
    random.Random(seed + 1).shuffle(batches)
    target = tmp_path_factory.mktemp("events") / "second.ndjson"
    target.write_text("".join(f"{line}\n" for batch in batches for line in batch))
    return target


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, profiles: Path, first_pass: Path) -> Outcome:
    """What the first pass gives when nothing happens to it; found out once, whichever worker asks first."""

    def find() -> Outcome:
        return _run_undisturbed(tmp_path_factory, profiles, first_pass)

    return once_per_run(tmp_path_factory, "undisturbed", find)


def _run_undisturbed(folders: pytest.TempPathFactory, profiles: Path, first_pass: Path) -> Outcome:
    stack = UpStack(folders.mktemp("calm") / "data", ENVIRONMENT)
    stack.start()
    try:
        prepare(stack, profiles)
        stack.run("events", "import", str(first_pass), "--wait")
        outcome = Outcome.of(stack)
    finally:
        stack.stop()
    assert outcome.balances
    assert outcome.mails["sent"] > 0
    return outcome


def prepare(stack: UpStack, profiles: Path) -> None:
    """Put the rules in force and wait until notify knows the addresses."""
    stack.run("rules", "publish", str(PROGRAMME_FILE), *WITHOUT)
    stack.run("events", "import", str(profiles))
    deadline = time.monotonic() + 60
    while stack.query("SELECT count(*) FROM notify.partners WHERE email IS NOT NULL") != [(ADDRESSES,)]:
        assert time.monotonic() < deadline, f"notify does not know the addresses\n{stack.words()}"
        time.sleep(0.1)


@pytest.fixture
def kafka() -> Iterator[KafkaServer]:
    """A broker of the test's own: its log goes with the database of one run."""
    with kafka_or_skip(make_kafka) as server:
        yield server


def profile(partner: str, time: str) -> dict[str, Any]:
    address = {"name": partner.replace("-", " ").title(), "email": f"{partner}@example.com", "status": "active"}
    data = {"programme": crm.PROGRAMME, "partner": partner, "profile": address}
    head = {"specversion": "1.0", "type": "partner.registered", "source": crm.SOURCE, "id": f"profile-{partner}"}
    return head | {"time": time, "data": data}


def write(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return path
