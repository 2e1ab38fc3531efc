"""Every case of tests/cases/lint reports exactly what its snapshot says; every check has a case."""

from __future__ import annotations

import os

import pytest

from services.rules.language import RuleSetErrors, read_rule_set, render_problems
from services.rules.language.checks import all_pages
from tests.unit.rules.language.lint_cases import LintCase, load_cases, update_wants

PATH = "programmes/case.yaml"
CASES = load_cases()


def _render(case: LintCase) -> str:
    return render_problems(case.lint(PATH), case.text, PATH)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.file}: {case.note}" for case in CASES])
def test_a_rule_file_reports_what_its_snapshot_says(case: LintCase) -> None:
    if os.environ.get("GOODWORD_SNAPSHOTS") == "update":
        pytest.skip("snapshots are being written")
    assert _render(case) == case.want


def test_every_check_has_a_case_that_triggers_it() -> None:
    triggered = {problem.code for case in CASES for problem in case.lint(PATH)}
    assert {page.code for page in all_pages()} == triggered


def test_the_snapshots_are_written_on_request() -> None:
    if os.environ.get("GOODWORD_SNAPSHOTS") != "update":
        pytest.skip("set GOODWORD_SNAPSHOTS=update to write them")
    update_wants({(case.file, case.note): _render(case) for case in CASES})


@pytest.mark.parametrize("case", CASES, ids=[f"{case.file}: {case.note}" for case in CASES])
def test_errors_stop_a_rule_set_and_warnings_do_not(case: LintCase) -> None:
    errors = [each for each in case.lint(PATH) if each.severity == "error"]
    if errors:
        with pytest.raises(RuleSetErrors) as raised:
            read_rule_set(case.text, path=PATH)
        assert raised.value.problems == errors
    else:
        assert read_rule_set(case.text, path=PATH).programme == "partners"


def test_problems_come_in_file_order_and_never_twice() -> None:
    for case in CASES:
        places = [(each.line, each.column, each.code, each.message) for each in case.lint(PATH)]
        assert places == sorted(set(places)), case.note
