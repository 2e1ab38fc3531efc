"""The schema for editors takes what the reader takes, offers every path, and knows no key that the reader lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from services.rules.language import lint_text
from services.rules.language.budgets import BUDGET_KEYS
from services.rules.language.contests import CONTEST_KEYS
from services.rules.language.lookups import LOOKUP_KEYS
from services.rules.language.metrics import METRIC_KEYS
from services.rules.language.milestones import MILESTONE_KEYS
from services.rules.language.paths import CATALOGUE
from services.rules.language.programme import UNIT_KEYS
from services.rules.language.read import SECTIONS
from services.rules.language.rewards import REWARD_KEYS
from services.rules.language.rule_tests import TEST_KEYS
from services.rules.language.schema import rule_file_schema
from services.rules.language.tiers import TIER_KEYS
from tests.unit.rules.language.lint_cases import HEAD, LintCase, load_cases

ROOT = Path(__file__).parents[4]
SCHEMA = rule_file_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
PROGRAMMES = [
    *sorted((ROOT / "examples").rglob("programme.yaml")),
    ROOT / "goodword/demo/programme.yaml",
    Path(__file__).parent / "whole_language.yaml",
]
CLEAN = [case for case in load_cases() if not any(each.severity == "error" for each in case.lint("x.yaml"))]


class CoreLoader(yaml.SafeLoader):
    """Types scalars as an editor's YAML 1.2 reader does: numbers and booleans, no dates, no `NO`."""


CoreLoader.yaml_implicit_resolvers = {}
for kind, pattern, first in (
    ("bool", r"^(true|false)$", "tf"),
    ("int", r"^-?[0-9]+$", "-0123456789"),
    ("float", r"^-?[0-9]+\.[0-9]+$", "-0123456789"),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), list(first))


def loaded(text: str, loader: type[Any]) -> Any:
    """The file as an editor sees it; JSON has no keys but texts."""
    return _with_text_keys(yaml.load(text, Loader=loader))


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(each) for key, each in value.items()}
    return [_with_text_keys(each) for each in value] if isinstance(value, list) else value


def faults(text: str, loader: type[Any] = yaml.BaseLoader) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(loaded(text, loader))]


def test_the_schema_is_one_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("loader", [yaml.BaseLoader, CoreLoader])
@pytest.mark.parametrize("path", PROGRAMMES, ids=lambda path: path.name)
def test_a_programme_validates(path: Path, loader: type[Any]) -> None:
    assert faults(path.read_text(encoding="utf-8"), loader) == []


@pytest.mark.parametrize("loader", [yaml.BaseLoader, CoreLoader])
@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.note)
def test_what_the_reader_takes_the_schema_takes(case: LintCase, loader: type[Any]) -> None:
    assert faults(case.text, loader) == []


@pytest.mark.parametrize(
    "text",
    [
        "rewards: [{id: a, on: deal.wonn, give: 5 USD}]",
        "rewards: [{id: a, on: deal.won, giev: 5 USD}]",
        "rewards: [{id: a, on: deal.won}]",
        "rewards: [{id: a, on: deal.won, give: 5}]",
        "rewards: [{id: a, on: deal.won, give: 5 USD, limit: 20}]",
        "rewards: [{id: a, on: deal.won, give: 5 USD, hold: 2 weeks}]",
        "rewards: [{id: a, on: deal.won, give: 5 USD, when: deal.ammount >= 5 USD}]",
        "rewards: [{id: a, on: deal.won, give: 5 USD, when: deal.amount starts_with 5}]",
        "rewards: [{id: a, on: deal.won, give: 5 USD, when: {either: [tier == a]}}]",
        "rewards: [{id: a, on: deal.won, give: {percent: 101, of: deal.amount}}]",
        "rewards: [{id: a, on: deal.won, give: {percent: 5, of: deal.product}}]",
        "rewards: [{id: a, on: deal.won, give: {by: deal.prodct, values: {x: 5 USD}}}]",
        "metrics: {sales: {sum: deal.amount, count: deal.won}}",
        "metrics: {Sales: {count: deal.won}}",
        "milestones: [{id: a, metric: sales, at: 5, every: 5, give: 5 USD}]",
        "inactivity: [{id: a, when: sales missing}]",
        "budgets: [{id: a, amount: 5 USD, per: week, when_spent: hold}]",
        "terms: [{partner: a, group: b, set: {}}]",
        "terms: [{partner: a, set: {commission.procent: 5}}]",
        "tier_review: weekly",
        "reward: []",
    ],
)
def test_a_slip_is_marked_by_the_schema_and_told_by_lint(text: str) -> None:
    assert faults(HEAD + text, CoreLoader) != []
    assert any(each.severity == "error" for each in lint_text(HEAD + text, "x.yaml"))


def test_every_path_is_offered_with_a_condition_that_reads() -> None:
    comparison = SCHEMA["$defs"]["comparison"]
    assert [each["label"] for each in comparison["defaultSnippets"]] == list(CATALOGUE)
    tiers = "metrics: {wins: {count: deal.won}}\ntiers: [{id: bronze}, {id: gold, when: wins >= 3}]\n"
    for condition in comparison["examples"]:
        assert lint_text(f"{HEAD}{tiers}eligible: {{partner: {condition}}}\n", "x.yaml") == [], condition


def _keys_of(schema: Any) -> Iterator[frozenset[str]]:
    """The keys of every mapping that the schema describes."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("additionalProperties") is False:
            yield frozenset(schema["properties"])
        for each in schema.values():
            yield from _keys_of(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _keys_of(each)


def test_the_schema_has_the_reader_s_keys() -> None:
    parts = SCHEMA["$defs"]
    assert set(SCHEMA["properties"]) == set(SECTIONS)
    assert set(SCHEMA["properties"]["units"]["additionalProperties"]["properties"]) == set(UNIT_KEYS)
    for name, keys in {
        "metric": METRIC_KEYS,
        "tier": TIER_KEYS,
        "reward": REWARD_KEYS,
        "milestone": MILESTONE_KEYS,
        "contest": CONTEST_KEYS,
        "budget": BUDGET_KEYS,
        "test": TEST_KEYS,
    }.items():
        assert set(parts[name]["properties"]) == set(keys), name
    lookups = [keys for keys in _keys_of(parts["percentOrLookup"]) if "by" in keys]
    assert set().union(*lookups) == set(LOOKUP_KEYS)
