"""Real rows in, cents out: the CRM import through all four services equals an independent oracle, to the cent."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import REFERRALS
from runtime.bus.open import open_bus
from tests.e2e.crm_oracle import Expected, expected
from tests.support.crm import FOLDER
from tests.support.data import require_data_folder
from tests.support.second_engine import WITHOUT
from tests.support.stack import UpStack

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "crm-pipeline"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def oracle() -> Expected:
    return expected(require_data_folder(FOLDER))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpStack]:
    require_data_folder(FOLDER)
    stack = UpStack(tmp_path_factory.mktemp("crm") / "data")
    stack.start()
    stack.run("rules", "publish", str(EXAMPLE / "programme.yaml"), *WITHOUT)
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def imported(stack: UpStack, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    rejects = tmp_path_factory.mktemp("rejects") / "rejects.ndjson"
    rows = require_data_folder(FOLDER) / "sales_pipeline.csv"
    mapping = EXAMPLE / "mapping.yaml"
    summary = stack.json("events", "import", str(rows), "--mapping", str(mapping), "--rejects", str(rejects), "--wait")
    return summary, rejects


def test_every_row_is_taken_or_rejected_by_name(imported: tuple[dict[str, Any], Path], oracle: Expected) -> None:
    summary, rejects = imported
    assert summary["rows"] == 8_800
    assert (summary["accepted"], summary["duplicates"]) == (oracle.events, 0)
    assert summary["rejected_by"] == {"missing engage_date": oracle.rows_without_date}
    assert summary["flaws"] == {"no account, so no customer": 1_088}
    assert set(summary["repairs"]) == {
        "product GTXPro written without its space",
        "sector technology misspelt",
        "country Philippines misspelt",
    }
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert len(lines) == oracle.rows_without_date
    assert all(line["field"] == "engage_date" and line["original"]["deal_stage"] == "Prospecting" for line in lines)


def test_balances_equal_the_oracle_to_the_cent(
    imported: tuple[dict[str, Any], Path], stack: UpStack, oracle: Expected
) -> None:
    assert stack.balances() == oracle.balances
    assert all(row["minor"] == 0 for row in stack.json("ledger", "trial-balance"))


def test_tiers_equal_the_oracle(imported: tuple[dict[str, Any], Path], stack: UpStack, oracle: Expected) -> None:
    assert stack.tiers() == oracle.tiers
    assert set(oracle.tiers.values()) == {"bronze", "silver", "gold"}


def test_the_ledger_knows_the_same_tiers_as_the_rules(
    imported: tuple[dict[str, Any], Path], stack: UpStack, oracle: Expected
) -> None:
    # Who was never moved is in the first tier, and the ledger has not heard of them.
    known = dict(stack.query("SELECT partner, tier FROM rewards.standings"))
    assert {partner: known.get(partner, "bronze") for partner in oracle.tiers} == oracle.tiers
    assert known.keys() <= oracle.tiers.keys()


def test_a_second_import_changes_nothing(
    imported: tuple[dict[str, Any], Path], stack: UpStack, oracle: Expected
) -> None:
    rows = require_data_folder(FOLDER) / "sales_pipeline.csv"
    mapping = EXAMPLE / "mapping.yaml"
    before = stack.query("SELECT count(*), max(posted_at) FROM rewards.transfers")
    summary = stack.json("events", "import", str(rows), "--mapping", str(mapping), "--wait")
    assert (summary["accepted"], summary["duplicates"]) == (0, oracle.events)
    assert stack.balances() == oracle.balances
    assert stack.query("SELECT count(*), max(posted_at) FROM rewards.transfers") == before


def test_every_cent_is_explained_and_so_is_a_zero(imported: tuple[dict[str, Any], Path], stack: UpStack) -> None:
    found = stack.json("ledger", "explain", "opp-1C1I7A6R-won")
    granted = {decision["rule"]: decision["amount_minor"] for decision in found["decisions"] if decision["granted"]}
    assert sum(transfer["minor"] for transfer in found["transfers"]) == sum(granted.values()) > 0
    assert all(decision["trace"] for decision in found["decisions"])
    # GTX Plus Basic from the central office, by an agent who has not yet won fifty deals this quarter.
    denied = {decision["rule"]: decision["reason"] for decision in found["decisions"] if not decision["granted"]}
    assert "wins_quarter >= 50" in denied["busy-quarter"]
    assert "wins_quarter >= 50" in stack.run("ledger", "explain", "crm/acme/opp-1C1I7A6R-won").stdout
    assert stack.run("ledger", "explain", "opp-nobody-won", check=False).returncode == 1


def test_importing_history_mails_nobody(imported: tuple[dict[str, Any], Path], stack: UpStack) -> None:
    counts = dict(stack.query("SELECT state, count(*) FROM notify.mails GROUP BY state"))
    assert set(counts) <= {"too-old", "pending"}


def test_rebuilt_states_are_the_same_byte_for_byte(imported: tuple[dict[str, Any], Path], stack: UpStack) -> None:
    assert stack.json("rebuild", "rules", "--verify")["difference"] is None


def test_a_back_test_of_what_was_in_force_pays_the_same_and_is_recorded(
    imported: tuple[dict[str, Any], Path], stack: UpStack, oracle: Expected
) -> None:
    report = stack.json("rules", "backtest", str(EXAMPLE / "programme.yaml"))
    paid: Counter[str] = Counter()
    for (account, unit), minor in oracle.balances.items():
        paid[unit] += minor * account.startswith(("partner:", "customer:", "member:"))
    assert {total["unit"]: total["after_minor"] for total in report["totals"]} == +paid
    assert not any(row["difference_minor"] for row in (*report["partners"], *report["rules"], *report["months"]))
    assert (report["moves"], report["denials"], report["skipped"]) == ([], [], 0)
    seen = stack.query("SELECT against_revision, summary->>'winners' FROM rules.backtests ORDER BY number DESC LIMIT 1")
    assert seen == [(1, "0")]


def test_a_back_test_of_an_event_file_equals_that_of_the_log(
    imported: tuple[dict[str, Any], Path], stack: UpStack, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text((EXAMPLE / "programme.yaml").read_text().replace("bronze: 5", "bronze: 6"))
    events = tmp_path / "events.ndjson"
    events.write_bytes(b"".join(asyncio.run(_events_of_the_log(stack))))
    of_log = stack.json("rules", "backtest", str(draft), "--against", "active", "--workers", "2")
    of_file = stack.json("rules", "backtest", str(draft), "--against", "1", "--events", str(events), "--workers", "3")
    assert of_log["totals"] != []
    assert any(total["difference_minor"] for total in of_log["totals"])
    assert of_file == of_log


def test_the_past_is_corrected_in_the_ledger_and_corrected_back(
    imported: tuple[dict[str, Any], Path], stack: UpStack, oracle: Expected, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text((EXAMPLE / "programme.yaml").read_text().replace("bronze: 5", "bronze: 4"))
    days = ("--from", "2017-03-01", "--to", "2017-06-30")
    backtest = stack.json("rules", "backtest", str(other), *days)
    corrected = stack.json("rules", "restate", "crm-sales", "--revision", str(other), *days, "--as", "ana")
    # Days before are as they were; both sides of the back-test agree on them.
    taken = {change["name"]: change["difference_minor"] for change in backtest["partners"] if change["unit"] == "USD"}
    assert {row["partner"]: row["amount_minor"] for row in corrected["beneficiaries"]} == {
        partner: minor for partner, minor in taken.items() if minor
    }
    assert stack.balances() == oracle.balances
    refused = stack.run("rules", "restatement", "approve", "crm-sales", "1", "--as", "ana", check=False)
    assert (refused.returncode, "own-restatement" in refused.stderr) == (1, True)

    stack.run("rules", "restatement", "approve", "crm-sales", "1", "--as", "bob")
    _until(lambda: _difference(stack, oracle) == sum(taken.values()) != 0)
    assert all(row["minor"] == 0 for row in stack.json("ledger", "trial-balance"))

    stack.json("rules", "restate", "crm-sales", "--revision", "1", "--from", "2017-01-01", "--as", "ana")
    stack.run("rules", "restatement", "approve", "crm-sales", "2", "--as", "bob")
    _until(lambda: stack.balances() == oracle.balances)
    assert stack.json("rules", "restate", "crm-sales", "--revision", "1", "--from", "2016-01-01", "--as", "ana") is None


def _difference(stack: UpStack, oracle: Expected) -> int:
    """USD of all partners, compared with the oracle."""
    return sum(
        minor - oracle.balances.get((account, unit), 0)
        for (account, unit), minor in stack.balances().items()
        if account.startswith("partner:") and unit == "USD"
    )


def _until(claim: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


async def _events_of_the_log(stack: UpStack) -> list[bytes]:
    """What was sent to the front door, as NDJSON: the log without what the system itself wrote."""
    lines = []
    bus = open_bus(kafka=None, postgres=stack.state.postgres, client="test")
    await bus.start()
    try:
        for partition, end in (await bus.end_offsets(REFERRALS.name)).items():
            async for records in bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=5_000):
                for record in records:
                    context = {name[3:]: value.decode() for name, value in record.headers if name.startswith("ce_")}
                    if context["source"].startswith("goodword/"):
                        continue
                    kept = {name: context[name] for name in ("specversion", "type", "source", "id", "time")}
                    data = json.loads(record.value)
                    # How the partner was found is for the door to say.
                    del data["attribution"]
                    lines.append(json.dumps(kept | {"data": data}).encode() + b"\n")
    finally:
        await bus.close()
    return lines


def test_a_dry_run_needs_no_stack_and_counts_the_same(oracle: Expected, tmp_path: Path) -> None:
    nowhere = UpStack(tmp_path / "never-started")
    rows, mapping = require_data_folder(FOLDER) / "sales_pipeline.csv", EXAMPLE / "mapping.yaml"
    summary = nowhere.json("events", "import", str(rows), "--mapping", str(mapping), "--dry-run")
    assert (summary["accepted"], summary["rejected"]) == (oracle.events, oracle.rows_without_date)
