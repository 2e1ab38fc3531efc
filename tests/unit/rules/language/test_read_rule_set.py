"""What a correct rule file becomes, and what surrounds it: digests, places, rendering, hostile files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from contracts import events
from contracts.money import Money
from contracts.ruleset import AllOf, AnyOf, Comparison, Duration, Lookup, Not, Number, PercentOf, RuleSet, Window
from services.rules.language import (
    RuleSetErrors,
    digest_of,
    lint_text,
    problems_as_json,
    read_rule_set,
    render_problems,
)
from services.rules.language.checks import all_pages, explain
from services.rules.language.paths import CATALOGUE, NOT_FOR_RULES, RESERVED_NAMES
from tests.unit.rules.language.lint_cases import HEAD

ROOT = Path(__file__).parents[4]
HEADINGS = ("## What it does", "## Why that is bad", "## Example", "## Instead")


@pytest.fixture(scope="module")
def crm() -> RuleSet:
    path = ROOT / "examples" / "crm-pipeline" / "programme.yaml"
    return read_rule_set(path.read_text(encoding="utf-8"), path=str(path))


def test_the_crm_example_has_no_problem_at_all() -> None:
    path = ROOT / "examples" / "crm-pipeline" / "programme.yaml"
    assert lint_text(path.read_text(encoding="utf-8"), str(path)) == []


def test_a_head_becomes_its_values(crm: RuleSet) -> None:
    assert (crm.programme, crm.currency, crm.timezone) == ("crm-sales", "USD", "UTC")
    assert crm.effective_from_ms == 1_451_606_400_000
    assert [(unit.id, unit.decimals) for unit in crm.units] == [("CREDIT", 2)]
    assert crm.crm_qualifies


def test_a_metric_knows_its_window_and_unit(crm: RuleSet) -> None:
    metrics = {metric.id: metric for metric in crm.metrics}
    assert metrics["sales_12m"].window == Window(duration=Duration(months=12))
    assert metrics["sales_12m"].unit == "USD"
    assert metrics["wins_quarter"].window == Window(this="quarter")
    assert (metrics["wins_quarter"].on, metrics["wins_quarter"].of) == (("deal.won",), None)
    assert metrics["bought"].per_customer
    assert metrics["customers"].unit is None


def test_a_lookup_by_tier_keeps_percentages_in_millionths(crm: RuleSet) -> None:
    commission = next(reward for reward in crm.rewards if reward.id == "commission")
    assert commission.give == Lookup(
        by="tier",
        values=(
            ("bronze", PercentOf(50_000, "deal.amount")),
            ("silver", PercentOf(75_000, "deal.amount")),
            ("gold", PercentOf(100_000, "deal.amount")),
        ),
    )
    assert commission.at_most == Money(150_000, "USD")


def test_a_comparison_knows_its_place_in_the_file() -> None:
    text = HEAD + "eligible:\n  partner:\n    - 'partner.status   ==   active'\n"
    condition = read_rule_set(text, path="x").eligible_partner
    assert condition == AllOf(
        (
            Comparison(
                path="partner.status",
                operator="==",
                literal="active",
                text="partner.status == active",
                line=7,
                column=8,
            ),
        )
    )


def test_groups_nest_as_written() -> None:
    text = (
        HEAD
        + "eligible:\n  partner:\n    any:\n      - not: customer.employees >= 7.5\n      - all: [deal.id exists]\n"
    )
    condition = read_rule_set(text, path="x").eligible_partner
    assert isinstance(condition, AnyOf)
    first, second = condition.conditions
    assert isinstance(first, Not)
    assert isinstance(first.condition, Comparison)
    assert first.condition.literal == Number(7_500_000)
    assert isinstance(second, AllOf)


def test_scalars_stay_the_text_that_was_written() -> None:
    text = HEAD + "eligible:\n  customer:\n    - customer.country in [US, NO, null, 010, 1e3]\n"
    condition = read_rule_set(text, path="x").eligible_customer
    assert isinstance(condition, AllOf)
    assert isinstance(condition.conditions[0], Comparison)
    assert condition.conditions[0].literal == ("US", "NO", "null", "010", "1e3")


def test_effective_times_are_local_to_the_timezone() -> None:
    text = HEAD.replace("UTC", "America/New_York") + "effective_from: 2026-07-01\n"
    assert read_rule_set(text, path="x").effective_from_ms == events.parse_time_ms("2026-07-01T04:00:00Z")


def test_the_digest_is_sha256_of_the_files_bytes() -> None:
    text = "schema: goodword/v1 # Grüße\r\n"
    assert digest_of(text) == hashlib.sha256(text.encode()).hexdigest()
    assert digest_of(text) != digest_of(text.replace("\r\n", "\n"))


def test_errors_carry_the_first_problem_in_the_shared_form() -> None:
    with pytest.raises(RuleSetErrors) as raised:
        read_rule_set(HEAD.replace("USD", "UDS"), path="a.yaml")
    assert raised.value.problem.code == "unknown-currency"
    assert raised.value.problem.where == "a.yaml:3:11"
    assert "did you mean USD?" in str(raised.value)


def test_problems_as_json_are_plain_values() -> None:
    found = problems_as_json(lint_text("schema: x\n", "a.yaml"))
    assert json.loads(json.dumps(found)) == found
    assert found[-1] == {
        "code": "wrong-schema",
        "severity": "error",
        "message": 'this version reads goodword/v1, not "x"',
        "path": "a.yaml",
        "line": 1,
        "column": 9,
        "length": 1,
        "help": "write schema: goodword/v1",
    }


def test_rendering_nothing_is_empty() -> None:
    assert render_problems([], HEAD, "x") == ""


def test_every_check_has_a_page_under_the_fixed_headings() -> None:
    for page in all_pages():
        assert page.sentence.endswith("."), page.code
        assert "\n" not in page.sentence, page.code
        places = [page.page.find(heading) for heading in HEADINGS]
        assert -1 not in places, page.code
        assert places == sorted(places), page.code
        assert explain(page.code) == f"# {page.code}\n\n{page.sentence}\n\n{page.page}"
    assert explain("no-such-check") is None


def test_the_catalogue_of_paths_covers_every_field_of_events_or_says_why_not() -> None:
    structs = (
        events.PartnerProfile,
        events.Customer,
        events.Lead,
        events.Deal,
        events.Survey,
        events.Activity,
        events.Link,
    )
    fields = {f"{struct.__name__}.{field}" for struct in structs for field in struct.__struct_fields__}
    origins = {path.origin for path in CATALOGUE.values()}
    assert fields == {origin for origin in origins if not origin.startswith(("Event", "the "))} | NOT_FOR_RULES
    assert not NOT_FOR_RULES & origins


def test_no_metric_can_take_the_name_of_a_path() -> None:
    assert {path.section for path in CATALOGUE.values()} <= RESERVED_NAMES
