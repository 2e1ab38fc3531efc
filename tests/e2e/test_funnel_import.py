"""Another programme over other real rows: a marketplace's funnel from two files, with services killed on the way.

Days in a zone with summer time, limits, tiers that are lost, slices, holds, points long expired, milestones: all equal
an independent oracle, to the cent.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.funnel.oracle import Expected, expected
from tests.support.data import require_data_folder
from tests.support.second_engine import WITHOUT
from tests.support.stack import UpStack

HERE = Path(__file__).parent / "funnel"
KILLED = ("rules", "rewards", "tracking", "rules", "rewards")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Path:
    return require_data_folder("olist-marketing-funnel")


@pytest.fixture(scope="module")
def oracle(folder: Path) -> Expected:
    return expected(folder)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[UpStack]:
    stack = UpStack(tmp_path_factory.mktemp("funnel") / "data")
    stack.start()
    stack.run("rules", "publish", str(HERE / "programme.yaml"), *WITHOUT)
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def imported(stack: UpStack, folder: Path, seed: int) -> dict[str, Any]:
    """What the import told that went on while services were killed; a second one has waited for the ledger."""
    done = threading.Event()
    rng = random.Random(seed)

    def kill() -> None:
        for name in KILLED:
            if done.wait(rng.uniform(0.5, 2)):
                return
            stack.kill(name)

    killing = threading.Thread(target=kill)
    killing.start()
    told: dict[str, Any] = _import(stack, folder)
    done.set()
    killing.join()
    stack.wait_ready()
    again = _import(stack, folder, "--wait")
    assert again["accepted"] == 0
    return told


def test_every_row_is_taken_and_those_without_a_channel_are_told(imported: dict[str, Any], oracle: Expected) -> None:
    assert (imported["rows"], imported["rejected_by"]) == (8_000, {})
    assert imported["accepted"] + imported["duplicates"] == oracle.events
    assert imported["flaws"] == {"no origin, so nobody referred it": oracle.nobody}


def test_balances_and_tiers_equal_the_oracle_to_the_cent(
    imported: dict[str, Any], stack: UpStack, oracle: Expected
) -> None:
    balances = stack.balances()
    available = {
        account.split(":")[1]: minor
        for (account, unit), minor in balances.items()
        if unit == "BRL" and account.endswith(":available") and minor
    }
    assert available == oracle.minor
    assert stack.tiers() == oracle.tiers
    assert not any(minor for (account, _), minor in balances.items() if account.endswith(":pending"))
    assert all(row["minor"] == 0 for row in stack.json("ledger", "trial-balance"))


def test_points_of_years_ago_were_granted_and_have_expired(
    imported: dict[str, Any], stack: UpStack, oracle: Expected
) -> None:
    told = dict(
        stack.query("SELECT stage, sum(amount_minor)::int FROM rewards.transfers WHERE unit = 'POINTS' GROUP BY 1")
    )
    assert told["granted"] == told["expired"] == oracle.points


def test_what_the_log_says_is_what_was_posted(imported: dict[str, Any], stack: UpStack) -> None:
    assert stack.run("ledger", "reconcile").returncode == 0
    assert stack.run("ledger", "verify").returncode == 0
    assert stack.json("rebuild", "rules", "--verify")["difference"] is None


def _import(stack: UpStack, folder: Path, *options: str) -> Any:
    rows = folder / "olist_marketing_qualified_leads_dataset.csv"
    return stack.json("events", "import", str(rows), "--mapping", str(HERE / "mapping.yaml"), *options)
