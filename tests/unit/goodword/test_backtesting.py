"""The shell of a back-test on real files and real processes: stopped anywhere, over any number of processes, the same.

An event file of the benches' kind is replayed undisturbed; then stopped after a random number of chunks, again and
again, with checkpoints after every few events and no memory between them; then over three processes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.errors import PermanentError
from goodword.backtesting import events as event_files
from goodword.backtesting.asked import file_side, file_source
from goodword.backtesting.checkpoints import Run
from goodword.backtesting.plan import Plan
from goodword.backtesting.run import Found, Limits, Stopped, run
from goodword.backtesting.work import work_on
from goodword.bench.crm_like import lines
from goodword.cli import app
from services.rules.backtest.comparison import Comparison

EVENTS = 1_500
BEFORE = """\
schema: goodword/v1
programme: crm-sales
currency: USD
timezone: America/New_York
eligible:
  partner:
    - partner.status == active
metrics:
  sales: {sum: deal.amount, on: deal.won}
  bought: {count: deal.won, per: customer}
tiers:
  - id: bronze
  - id: silver
    when:
      - sales >= 50 USD
rewards:
  - id: commission
    on: deal.won
    give: {percent: {by: tier, values: {bronze: 5, silver: 7}}, of: deal.amount, at_most: 15 USD}
  - id: first
    on: deal.won
    to: customer
    when:
      - bought == 0
    give: 3 USD
"""
AFTER = (
    BEFORE.replace("bronze: 5", "bronze: 4").replace("50 USD", "40 USD").replace("at_most: 15 USD", "at_most: 1.50 USD")
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest")
    (folder / "events.ndjson").write_bytes(b"".join(lines(EVENTS, partners=40, customers=60)))
    (folder / "before.yaml").write_text(BEFORE)
    (folder / "after.yaml").write_text(AFTER)
    return folder


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "CHUNK_LINES_MAX", 50)


def plan_of(files: Path, shares: int) -> Plan:
    source, parts, _ = file_source([files / "events.ndjson"], shares)
    sides = [file_side((files / name).read_text(), name) for name in ("before.yaml", "after.yaml")]
    before, after = (type(side)(**{**_fields(side), "is_always": True}) for side in sides)
    return Plan(
        kind="sums",
        programme="crm-sales",
        timezone="America/New_York",
        before=before,
        after=after,
        first_day=None,
        last_day=None,
        source=source,
        parts=parts,
    )


def _fields(side: Any) -> dict[str, Any]:
    return {name: getattr(side, name) for name in side.__struct_fields__}


def undisturbed(plan: Plan, folder: Path, **limits: Any) -> Found:
    Run(folder, plan).begin(plan)
    return run(plan, folder, limits=Limits(**{"workers": 1, **limits}), on_progress=lambda *_: None)


@pytest.mark.usefixtures("small_chunks")
def test_a_run_that_was_stopped_anywhere_finds_the_same_bytes(files: Path, tmp_path: Path, seed: int) -> None:
    plan = plan_of(files, 2)
    whole = undisturbed(plan, tmp_path / "whole")
    draw = random.Random(seed)
    Run(tmp_path, plan).begin(plan)
    stops = 0
    for part in plan.parts:
        is_done = False
        while not is_done:
            left = draw.randrange(1, 6)
            reports: list[int] = []

            def is_stopping(left: int = left, reports: list[int] = reports) -> bool:
                reports.append(1)
                return len(reports) >= left

            is_done = work_on(
                plan,
                part,
                tmp_path,
                report=lambda *_: None,
                is_stopping=is_stopping,
                checkpoint_events=draw.randrange(1, 200),
                cache_bytes=draw.choice((0, 20_000, 2**28)),
            )
            stops += not is_done
    assert stops > 2
    resumed = run(plan, tmp_path, limits=Limits(workers=1), on_progress=lambda *_: None)
    assert resumed.kept.encode() == whole.kept.encode()
    assert (resumed.events, resumed.skipped) == (whole.events, whole.skipped)


def test_three_processes_find_what_one_finds(files: Path, tmp_path: Path) -> None:
    one = undisturbed(plan_of(files, 3), tmp_path / "one")
    three = undisturbed(plan_of(files, 3), tmp_path / "three", workers=3)
    assert three.kept.encode() == one.kept.encode()
    single = undisturbed(plan_of(files, 1), tmp_path / "single").kept
    assert isinstance(single, Comparison)
    assert isinstance(one.kept, Comparison)
    assert single.before.cells == one.kept.before.cells


def test_a_run_that_was_asked_to_stop_goes_on_from_there(files: Path, tmp_path: Path) -> None:
    # Many parts, so that there is something left when the first one tells that it has begun.
    plan = plan_of(files, 12)
    whole = undisturbed(plan, tmp_path / "whole")

    def stop(part: int, position: int, events: int) -> None:
        if signal.getsignal(signal.SIGINT) is not before:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    Run(tmp_path, plan).begin(plan)
    with pytest.raises(Stopped):
        run(plan, tmp_path, limits=Limits(workers=2), on_progress=stop)
    assert signal.getsignal(signal.SIGINT) is before
    resumed = run(plan, tmp_path, limits=Limits(workers=1), on_progress=lambda *_: None)
    assert resumed.kept.encode() == whole.kept.encode()


def test_a_process_that_dies_ends_the_run_and_costs_nothing(files: Path, tmp_path: Path) -> None:
    plan = plan_of(files, 3)
    whole = undisturbed(plan, tmp_path / "whole")
    killed: list[int] = []

    def kill(part: int, position: int, events: int) -> None:
        if not killed:
            child = multiprocessing.active_children()[0]
            killed.append(child.pid or 0)
            child.kill()
            child.join()

    Run(tmp_path, plan).begin(plan)
    with pytest.raises(PermanentError, match="backtest-process-died"):
        run(plan, tmp_path, limits=Limits(workers=2, checkpoint_events=100), on_progress=kill)
    resumed = run(plan, tmp_path, limits=Limits(workers=2), on_progress=lambda *_: None)
    assert resumed.kept.encode() == whole.kept.encode()


def test_a_checkpoint_that_cannot_be_read_costs_its_part_only(files: Path, tmp_path: Path) -> None:
    plan = plan_of(files, 2)
    whole = undisturbed(plan, tmp_path)
    broken = next(Run(tmp_path, plan).path.glob("part-0*"))
    broken.write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(broken).execute("SELECT * FROM progress")
    again = run(plan, tmp_path, limits=Limits(workers=1), on_progress=lambda *_: None)
    assert again.kept.encode() == whole.kept.encode()


@pytest.fixture
def command(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*more: str, draft: str = "after.yaml", against: str = "before.yaml") -> Result:
        arguments = ["rules", "backtest", str(files / draft), "--against", str(files / against)]
        arguments += ["--events", str(files / "events.ndjson"), "--workers", "1", *more]
        return CliRunner().invoke(app, arguments)

    return call


def test_json_tells_every_difference_and_they_add_up(command: Callable[..., Result]) -> None:
    report = json.loads(command("--json").stdout)
    assert report["schema"] == "goodword/backtest/v1"
    assert (report["events"], report["skipped"]) == (EVENTS + 40, 0)
    (total,) = report["totals"]
    for name in ("rules", "months", "tiers"):
        assert sum(row["difference_minor"] for row in report[name]) == total["difference_minor"] != 0
    clamped = next(rule for rule in report["rules"] if rule["rule"] == "commission")
    assert clamped["after_clamped"] > clamped["before_clamped"] > 0
    # Who reaches silver earlier is no move: both end there.
    assert all(move["before"] != move["after"] for move in report["moves"])
    gains = [row["difference_minor"] for row in report["partners"]]
    assert gains == sorted(gains, key=lambda minor: -abs(minor))


def test_the_same_rules_differ_in_nothing(command: Callable[..., Result]) -> None:
    result = command(draft="before.yaml")
    assert (result.exit_code, "nothing differs" in result.stdout) == (0, True)


def test_days_count_their_events_only(command: Callable[..., Result]) -> None:
    whole = json.loads(command("--json").stdout)
    of_month = json.loads(command("--json", "--from", "2016-01-08", "--to", "2016-01-20").stdout)
    months = [row["name"] for row in of_month["months"]]
    assert set(months) == {"2016-01"}
    assert of_month["from_day"] == "2016-01-08"
    assert 0 < of_month["totals"][0]["before_minor"] < whole["totals"][0]["before_minor"]
    assert of_month["events"] == whole["events"]


def test_csv_has_a_row_for_each_difference(command: Callable[..., Result]) -> None:
    rows = command("--csv").stdout.splitlines()
    assert rows[0] == "about,name,detail,unit,before,after,difference"
    assert any(row.startswith("partner,partner-") for row in rows)


def test_the_page_opens_offline(command: Callable[..., Result], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert command("--html", str(page)).exit_code == 0
    text = page.read_text()
    assert "<svg" in text
    for outside in ("http://", "https://", "<script", "<link", "@import", "url("):
        assert outside not in text


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--resume",), 1, "nothing-to-resume"),
        (("--from", "2016-03-01", "--to", "2016-02-01"), 1, "empty-period"),
        (("--json", "--csv"), 2, "print --json or --csv"),
    ],
)
def test_what_cannot_be_done_says_why(
    command: Callable[..., Result], more: tuple[str, ...], code: int, said: str
) -> None:
    result = command(*more)
    assert (result.exit_code, said in result.stderr) == (code, True)


def test_ctrl_c_keeps_what_was_done_for_resume(files: Path, tmp_path: Path) -> None:
    """A process of its own is stopped as soon as it has a checkpoint file, and its successor tells the same."""
    events = tmp_path / "many.ndjson"
    events.write_bytes(b"".join(lines(6_000, partners=40)))
    command = [sys.executable, "-m", "goodword", "rules", "backtest", str(files / "after.yaml"), "--json"]
    command += ["--against", str(files / "before.yaml"), "--events", str(events), "--workers", "1"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not list(tmp_path.rglob("part-0.sqlite")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, b"--resume" in said) == (130, True)
    resumed = subprocess.run([*command, "--resume"], env=environment, capture_output=True, timeout=60, check=True)
    assert json.loads(resumed.stdout)["events"] == 6_040
    whole = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    assert resumed.stdout == whole.stdout
    assert list(tmp_path.rglob("*.sqlite")) == []


def test_files_that_are_no_rule_sets_or_not_there_are_refused(
    command: Callable[..., Result], files: Path, tmp_path: Path
) -> None:
    broken = files / "broken.yaml"
    broken.write_text(BEFORE.replace("deal.amount", "deal.ammount"))
    assert command(draft="broken.yaml").exit_code == 2
    assert command(against="broken.yaml").exit_code == 2
    assert command(draft="gone.yaml").exit_code == 2
    assert command("--events", str(tmp_path / "gone.ndjson")).exit_code == 1
