"""docs/rules.md says what the reader does: its examples load, its anchors exist, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from contracts.ruleset import Operator
from services.rules.language import lint_text
from services.rules.language.checks import all_pages
from services.rules.language.checks.unknown_operator import OPERATORS
from services.rules.language.paths import CATALOGUE
from services.rules.language.read import SECTIONS
from services.rules.testing import render_results, run_tests

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_of_the_page_is_a_rule_set_without_problems(example: str) -> None:
    assert lint_text(example, "docs/rules.md") == []


def test_the_tests_of_the_tutorial_pass_and_a_failure_looks_as_the_page_shows() -> None:
    (example,) = (each for each in EXAMPLES if "\ntests:" in each)
    assert run_tests(example, "programmes/saas.yaml").is_good
    failed = run_tests(example.replace("silver: 7.5", "silver: 5"), "programmes/saas.yaml")
    assert f"```text\n{render_results(failed)}```" in PAGE


def test_every_anchor_that_the_code_points_at_is_a_heading() -> None:
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    sources = [file for room in ("contracts", "services", "goodword") for file in (ROOT / room).rglob("*.py")]
    pointed_at = {anchor for file in sources for anchor in re.findall(r"docs/rules\.md#([a-z-]+)", file.read_text())}
    assert pointed_at | {"paths", "decisions", "conditions", "lint"} <= headings


def test_the_page_has_every_path_section_and_check() -> None:
    names = [*CATALOGUE, *(page.code for page in all_pages())]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert [name for name in SECTIONS if f"{name}" not in PAGE] == []


def test_the_operators_are_those_of_the_contract() -> None:
    assert set(OPERATORS) == set(get_args(Operator))
