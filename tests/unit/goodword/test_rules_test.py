"""`goodword rules test`: exit codes, what a failure shows, and answers for programs and build servers."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from goodword.cli import app

ROOT = Path(__file__).resolve().parents[3]
RUN = CliRunner()
HEAD = """\
schema: goodword/v1
programme: partners
currency: USD
timezone: UTC
eligible:
  partner:
    - partner.status == active
rewards:
  - {id: commission, on: deal.won, give: {percent: 5, of: deal.amount}}
  - {id: large, on: deal.won, when: deal.amount >= 500 USD, give: 5 USD}
"""
PASSES = """\
tests:
  - name: a small deal
    events:
      - {type: deal.won, deal.amount: 100 USD}
    expect:
      - commission: 5 USD
"""
FAILS = PASSES.replace("5 USD", "6 USD")
UNUSABLE = PASSES.replace("deal.amount: 100 USD", "survey.score: 3")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "partners.yaml"


def run(file: Path, text: str | bytes, *options: str) -> Result:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return RUN.invoke(app, ["rules", "test", str(file), *options])


def test_pass_fail_and_error_are_told_apart(file: Path) -> None:
    passed, failed, error = (run(file, HEAD + tests) for tests in (PASSES, FAILS, UNUSABLE))
    assert (passed.exit_code, failed.exit_code, error.exit_code) == (0, 1, 1)
    assert passed.stdout == f"{file}: 1 passed, 0 failed, 0 could not be run\n"
    assert failed.stdout.endswith(f"{file}: 0 passed, 1 failed, 0 could not be run\n")
    assert error.stdout.endswith(f"{file}: 0 passed, 0 failed, 1 could not be run\n")
    assert "survey.score cannot be in deal.won" in error.stdout


@pytest.mark.parametrize("text", [b"\xff\xfe", HEAD.replace("USD\n", "XXD\n"), "nothing"])
def test_a_file_that_cannot_be_used_ends_with_2(file: Path, text: str | bytes) -> None:
    assert run(file, text).exit_code == 2
    assert RUN.invoke(app, ["rules", "test", str(file.with_name("none.yaml"))]).exit_code == 2


def test_a_failure_shows_its_place_both_sides_and_the_trace(file: Path) -> None:
    assert run(file, HEAD + FAILS).stdout.splitlines()[:10] == [
        f"{file}:12: fail: a small deal",
        "  expected: commission: 6.00 USD",
        "  got:      commission: 5.00 USD",
        "  deal.won (event-1): commission granted",
        "    met     eligible.partner: partner.status == active (saw assumed)",
        "  deal.won (event-1): large denied: deal.amount >= 500 USD",
        "    met     eligible.partner: partner.status == active (saw assumed)",
        "    not met when: deal.amount >= 500 USD (saw 100.00 USD)",
        "",
        f"{file}: 0 passed, 1 failed, 0 could not be run",
    ]


def test_programs_get_the_same_as_json(file: Path) -> None:
    (told,) = json.loads(run(file, HEAD + FAILS, "--json", "--coverage").stdout)
    assert (told["passed"], told["failed"], told["errors"]) == (0, 1, 0)
    (test,) = told["tests"]
    assert (test["line"], test["verdict"], test["missing"]) == (12, "fail", ["commission: 6.00 USD"])
    assert test["denials"][0]["reason"] == "deal.amount >= 500 USD"
    assert {each["rule"] for each in told["unreached"]} == {"eligible.partner", "large"}


def test_build_servers_get_junit(file: Path, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    for tests, failures, errors, child in (
        (PASSES, "0", "0", None),
        (FAILS, "1", "0", "failure"),
        (UNUSABLE, "0", "1", "error"),
    ):
        run(file, HEAD + tests, "--junit", str(junit))
        (suite,) = ET.parse(junit).getroot()
        assert suite.attrib == {"name": str(file), "tests": "1", "failures": failures, "errors": errors}
        (case,) = suite
        assert (case.attrib["classname"], case.attrib["name"], case.attrib["line"]) == (
            "partners",
            "a small deal",
            "12",
        )
        assert [each.tag for each in case] == ([] if child is None else [child])


def test_a_report_that_cannot_be_written_is_told(file: Path, tmp_path: Path) -> None:
    result = run(file, HEAD + PASSES, "--junit", str(tmp_path / "none" / "junit.xml"))
    assert result.exit_code == 2
    assert "unwritable-file" in result.stderr


def test_what_no_test_reached_is_named_on_demand(file: Path) -> None:
    shown = run(file, HEAD + PASSES, "--coverage").stdout
    assert f"{file}:10: rule large: never granted" in shown
    assert f"{file}: 3 not reached" in shown


def test_a_name_cannot_write_to_the_terminal(file: Path) -> None:
    result = run(file, HEAD + FAILS.replace("a small deal", '"[red]\\u0007[/] & <b>"'), "--junit", str(file) + ".xml")
    assert "\a" not in result.stdout


@pytest.mark.parametrize("shipped", ["goodword/demo/programme.yaml", "examples/crm-pipeline/programme.yaml"])
def test_the_tests_of_what_we_ship_pass_and_reach_everything(shipped: str) -> None:
    result = RUN.invoke(app, ["rules", "test", "--coverage", str(ROOT / shipped)])
    assert result.exit_code == 0, result.stdout
    assert result.stdout.endswith("the tests reach every rule and every branch\n")
