"""The command line's shape: the names the contract fixes, exit codes, and JSON that programs can read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goodword.amounts import Amounts
from goodword.cli import app

RUN = CliRunner()
RULES = Path(__file__).resolve().parents[3] / "examples" / "crm-pipeline" / "programme.yaml"


@pytest.fixture(autouse=True)
def _no_stack_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GOODWORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "status",
        "serve",
        "doctor",
        "bench",
        "events import",
        "rules lint",
        "rules publish",
        "rules list",
        "rules schema",
        "rules approve",
        "rules reject",
        "rules promote",
        "rules withdraw",
        "rules rollback",
        "rules history",
        "rates publish",
        "rates list",
        "partners list",
        "ledger balances",
        "ledger trial-balance",
        "ledger statement",
        "ledger explain",
        "keys create",
        "keys list",
        "keys revoke",
        "dlq list",
        "dlq show",
        "rebuild rules",
        "mails list",
    ],
)
def test_every_command_of_the_contract_is_there(command: str) -> None:
    assert RUN.invoke(app, [*command.split(), "--help"]).exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "rules list",
        "rules history",
        "rules approve saas 1",
        "rules rollback saas",
        "rules withdraw saas 1",
        "rules promote saas",
        "rules reject saas 1",
        "rates list",
        "rates publish --rate EUR/USD=1.08 --date 2026-03-01",
        "partners list",
        "ledger balances --json",
        "ledger statement partner:a:available",
        "ledger explain x",
        "keys list",
        "dlq list",
        "mails list",
        "rebuild rules",
        f"rules publish {RULES}",
    ],
)
def test_without_a_stack_a_command_says_how_to_name_one(command: str) -> None:
    result = RUN.invoke(app, command.split())
    assert result.exit_code == 1
    assert not result.stdout


@pytest.mark.parametrize(
    "command",
    [
        "nonsense",
        "serve nonsense",
        "events import x.csv",
        "events import x --dry-run --wait",
        "events import x --join a",
        "rules lint /nowhere.yaml",
        "mails list --outcome nonsense",
        "keys create ana",
        "rates publish",
        "rates publish --rate EUR/USD=1.08",
        "rates publish --date 2026-03-01",
        "keys create ana --role editor --source crm/a",
        "keys create ana --role editor --type deal.won",
        "keys create --for ledger ana --source crm/a",
        "keys create ana --role viewer --for mars",
        "rules approve saas",
        "rules approve saas 0",
        f"rules publish {RULES} --canary 0",
        f"rules publish {RULES} --canary 0.00001",
        f"rules publish {RULES} --canary x",
        f"rules publish {RULES} --canary 100",
        f"rules publish {RULES} --canary 5 --canary-group a",
        "ledger statement",
        "up --port 80",
    ],
)
def test_a_command_that_makes_no_sense_exits_with_2(command: str) -> None:
    assert RUN.invoke(app, command.split()).exit_code == 2


def test_lint_exits_with_1_and_points_at_the_characters(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(RULES.read_text().replace("deal.amount >= 100 USD", "deal.ammount >= 100 USD"))
    result = RUN.invoke(app, ["rules", "lint", str(bad)])
    assert result.exit_code == 1
    assert "error[unknown-path]" in result.stdout
    assert "^^^^^^^" in result.stdout
    found = json.loads(RUN.invoke(app, ["rules", "lint", str(bad), "--json"]).stdout)
    assert "unknown-path" in {problem["code"] for problem in found}


def test_lint_of_a_good_file_exits_with_0() -> None:
    assert RUN.invoke(app, ["rules", "lint", str(RULES)]).exit_code == 0
    assert json.loads(RUN.invoke(app, ["rules", "lint", str(RULES), "--json"]).stdout) == []


def test_a_file_of_events_that_is_not_there_is_named() -> None:
    assert RUN.invoke(app, ["events", "import", "nowhere.ndjson", "--dry-run"]).exit_code == 1


LINES = [
    (
        '{"specversion":"1.0","type":"deal.won","source":"crm/a","id":"1","time":"2024-01-01T00:00:00Z",'
        '"data":{"programme":"p","partner":"x","deal":{"id":"d","amount":{"minor":100,"currency":"USD"}}}}'
    ),
    "not json",
    (
        '{"specversion":"1.0","type":"deal.won","source":"crm/a","id":"2","time":"2024-01-01T00:00:00",'
        '"data":{"programme":"p","partner":"x","deal":{"id":"d","amount":{"minor":100,"currency":"USD"}}}}'
    ),
]


def test_a_dry_run_rejects_by_line_and_reason_and_strict_makes_it_fail(tmp_path: Path) -> None:
    events, rejects = tmp_path / "e.ndjson", tmp_path / "r.ndjson"
    events.write_text("\n".join(LINES))
    command = ["events", "import", str(events), "--dry-run", "--rejects", str(rejects), "--json"]
    result = RUN.invoke(app, command)
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert (summary["events"], summary["accepted"], summary["rejected"]) == (3, 1, 2)
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(line["line"], line["field"]) for line in lines][1] == (3, "time")
    assert lines[0]["line"] == 2
    assert lines[0]["original"] == "not json"
    assert [(one["line"], one["field"]) for one in summary["first_rejected"]] == [(2, None), (3, "time")]
    assert RUN.invoke(app, [*command, "--strict"]).exit_code == 1
    told = RUN.invoke(app, ["events", "import", str(events), "--dry-run"], env={"COLUMNS": "300"}).stdout
    assert f"{events}:3: " in told
    assert "(time)" in told
    events.write_text(LINES[2])
    assert RUN.invoke(app, command).exit_code == 1


def test_doctor_tells_a_taken_port_and_who_has_it(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = RUN.invoke(app, ["doctor", "--json", "--data", str(tmp_path / "d"), "--port", str(port)])
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 1
    assert not found["ports"]["ok"]
    assert f"process {os.getpid()}" in found["ports"]["found"]


@pytest.mark.parametrize(
    ("minor", "unit", "shown"),
    [
        (105400, "USD", "1,054.00 USD"),
        (-5, "USD", "-0.05 USD"),
        (1234567, "JPY", "1,234,567 JPY"),
        (10000, "CREDIT", "100.00 CREDIT"),
        (10, "POINTS", "10 POINTS"),
    ],
)
def test_amounts_are_shown_with_the_decimals_of_their_unit(minor: int, unit: str, shown: str) -> None:
    assert Amounts({"CREDIT": 2}).show(minor, unit) == shown
