"""Kill -9 of everything, at random moments, on both buses: the ledger ends equal to the cent.

Aim: balances, tiers and decisions of a disturbed run equal those of the undisturbed one; a mail reaches the sink at
most once, and those whose fate is not known are listed. Method: the events go through the front door twice, the
second time in other batches, while a thread kills one victim after the other; the supervisor brings them back. The
seed is printed: GOODWORD_SEED repeats the order of victims and pauses (not the scheduler's luck).
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from tests.integration.faults.conftest import ENVIRONMENT, prepare
from tests.integration.faults.outcome import Outcome
from tests.support.kafka import KafkaServer
from tests.support.stack import SERVICES, UpStack

PAUSE_S = (2.0, 6.0)
"""Between two kills: long enough that something gets done and nothing dies more often than the supervisor bears."""


class Chaos:
    """Kills victims one after the other until told to stop, in rounds: nobody twice before everybody once."""

    def __init__(self, rng: random.Random, victims: dict[str, Callable[[], None]]) -> None:
        self._rng = rng
        self._victims = victims
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos")
        self.killed: list[str] = []
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(240)
        if self._error is not None:
            raise self._error

    def is_missing_somebody(self) -> bool:
        """Whether it still has to kill someone for the first time."""
        return self._thread.is_alive() and set(self.killed) < set(self._victims)

    def _run(self) -> None:
        try:
            self._kill_in_rounds()
        except Exception as error:  # noqa: BLE001 - raised again where the test waits
            self._error = error

    def _kill_in_rounds(self) -> None:
        rounds = (self._rng.sample(sorted(self._victims), len(self._victims)) for _ in itertools.count())
        for name in itertools.chain.from_iterable(rounds):
            if self._stop.wait(self._rng.uniform(*PAUSE_S)):
                return
            self.killed.append(name)
            self._victims[name]()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UpStack]:
    environment = dict(ENVIRONMENT)
    if request.param == "kafka":
        environment["GOODWORD_KAFKA"] = request.getfixturevalue("kafka").servers
    running = UpStack(tmp_path / "data", environment)
    running.start()
    yield running
    running.stop()


@pytest.mark.timeout(900)
def test_a_run_in_which_everything_is_killed_ends_equal_to_the_cent(
    stack: UpStack,
    request: pytest.FixtureRequest,
    undisturbed: Outcome,
    profiles: Path,
    first_pass: Path,
    second_pass: Path,
    seed: int,
) -> None:
    prepare(stack, profiles)
    victims: dict[str, Callable[[], None]] = {name: partial(stack.kill, name) for name in SERVICES}
    victims |= {name: partial(stack.kill, name) for name in ("valkey", "postgres")}
    if stack.state.kafka:
        broker: KafkaServer = request.getfixturevalue("kafka")

        def kill_broker() -> None:
            broker.kill()
            broker.start()

        victims["broker"] = kill_broker
    with Chaos(random.Random(seed), victims) as chaos:
        import_patiently(stack, first_pass)
        import_patiently(stack, second_pass)
        while chaos.is_missing_somebody():
            threading.Event().wait(0.2)
    print(f"killed: {chaos.killed}")
    stack.wait_ready()
    again = stack.json("events", "import", str(first_pass), "--wait")
    assert again["accepted"] == 0
    assert_equal(Outcome.of(stack), undisturbed)


@pytest.mark.timeout(600)
def test_valkey_emptied_in_the_middle_is_rebuilt_from_the_log(
    tmp_path: Path, undisturbed: Outcome, profiles: Path, first_pass: Path
) -> None:
    stack = UpStack(tmp_path / "data", ENVIRONMENT)
    stack.start()
    try:
        prepare(stack, profiles)
        done = threading.Event()
        emptied: list[int] = []

        def empty_twice() -> None:
            while not done.wait(1.5) and len(emptied) < 2:
                stack.empty_valkey()
                emptied.append(1)

        thread = threading.Thread(target=empty_twice)
        thread.start()
        stack.run("events", "import", str(first_pass))
        done.set()
        thread.join()
        stack.empty_valkey()
        stack.run("events", "import", str(first_pass), "--wait")
        assert stack.run("rebuild", "rules", "--verify").returncode == 0
        assert_equal(Outcome.of(stack), undisturbed)
    finally:
        stack.stop()


@pytest.mark.timeout(600)
def test_after_everything_lost_power_at_once_nothing_is_missing(
    tmp_path: Path, undisturbed: Outcome, profiles: Path, first_pass: Path, seed: int
) -> None:
    """The import that was under way waits for the door and goes on where it was."""
    stack = UpStack(tmp_path / "data", ENVIRONMENT)
    stack.start()
    try:
        prepare(stack, profiles)
        cut = threading.Timer(random.Random(seed).uniform(1, 3), stack.kill_all)
        with ThreadPoolExecutor(1) as others:
            cut.start()
            importing = others.submit(import_patiently, stack, first_pass)
            cut.join()
            stack.start()
            importing.result()
        stack.run("events", "import", str(first_pass), "--wait")
        assert_equal(Outcome.of(stack), undisturbed)
    finally:
        stack.stop()


def import_patiently(stack: UpStack, events: Path) -> None:
    """As the command says when its patience ends, on a slow machine: the same again, nothing is lost."""
    if stack.run("events", "import", str(events), check=False).returncode != 0:
        stack.run("events", "import", str(events))


def assert_equal(outcome: Outcome, undisturbed: Outcome) -> None:
    """Money first; then what explains it; then mails: each at most once, the unknown ones accounted for."""
    assert outcome.balances == undisturbed.balances
    assert outcome.tiers == undisturbed.tiers
    assert outcome.decisions == undisturbed.decisions
    assert max(outcome.letters.values(), default=0) <= 1
    told = outcome.mails["sent"] + outcome.mails["unknown"]
    assert told == undisturbed.mails["sent"]
    assert outcome.mails["sent"] <= len(outcome.letters) <= told
