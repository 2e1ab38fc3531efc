"""Promises of the reader of rule files, on texts that nobody would write."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.money import CURRENCY_DECIMALS, Money, format_minor
from contracts.ruleset import RuleSet
from services.rules.language import RuleSetErrors, lint_text, read_rule_set, render_problems
from services.rules.language.paths import CATALOGUE
from services.rules.language.values import read_amount, read_percent_ppm

WHOLE = (Path(__file__).parents[1] / "unit" / "rules" / "language" / "whole_language.yaml").read_text(encoding="utf-8")
CRM = (Path(__file__).parents[2] / "examples" / "crm-pipeline" / "programme.yaml").read_text(encoding="utf-8")
KEYS = sorted({line.strip(" -").partition(":")[0] for line in WHOLE.splitlines() if ":" in line})
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        *KEYS,
        *CATALOGUE,
        "5 USD",
        "deal.won",
        "tier == gold",
        "in [a, b]",
        "not in",
        "deal.amount >= 5 USD",
        "12 months",
        "7.5",
        "20 per month",
        "1 ever",
        "sales_12m missing for 90 days",
        "commission.percent",
        "off",
        "any",
        "2026-03-01",
    ]
)
TREES = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)
SECTIONS = st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6)


def read_or_refuse(text: str) -> RuleSet | None:
    """The rule set, or None after everything that a refusal promises was checked; of the whole language."""
    problems = lint_text(text, "x.yaml")
    rendered = render_problems(problems, text, "x.yaml")
    assert all(line.isprintable() for line in rendered.split("\n"))
    errors = [each for each in problems if each.severity == "error"]
    breaks = sum(text.count(each) for each in "\n\r\x85\u2028\u2029")
    assert all(1 <= each.line <= breaks + 1 and each.column >= 1 and each.length >= 1 for each in problems)
    if not errors:
        return read_rule_set(text, path="x.yaml")
    with pytest.raises(RuleSetErrors) as refused:
        read_rule_set(text, path="x.yaml")
    assert refused.value.problems == errors
    return None


@given(st.text())
@settings(deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)


@given(SECTIONS, st.sampled_from([None, True, False]))
@settings(deadline=None)
def test_any_yaml_is_read_or_refused(tree: object, flow: bool | None) -> None:
    read_or_refuse(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_rule_file_with_a_slip_of_the_hand_is_read_or_refused(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([WHOLE, CRM]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    slip = data.draw(
        TEXTS | st.sampled_from([":", " ", "\n", "-", "[", "]", "{", "}", '"', "#", "&a", "*a", "!x", "\t"])
    )
    read_or_refuse(text[:start] + slip + text[end:])


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(sorted(CURRENCY_DECIMALS)))
def test_an_amount_is_read_as_it_is_written(minor: int, unit: str) -> None:
    assert read_amount(f"{format_minor(minor, CURRENCY_DECIMALS[unit])} {unit}", {}) == Money(minor, unit)


@given(st.integers(0, 1_000_000))
def test_a_percentage_is_read_exactly(percent_ppm: int) -> None:
    assert read_percent_ppm(f"{percent_ppm // 10_000}.{percent_ppm % 10_000:04d}") == percent_ppm
