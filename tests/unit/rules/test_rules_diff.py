"""What `goodword rules diff` takes for a difference in meaning, and whom it says a difference can touch.

Above all that no difference is lost: every value of a rule set that has every part of the language is changed, one at a
time, and each change must be told. And that none is invented: what only looks different must be told as the same.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from contracts.ruleset import Metric, RuleSet
from goodword.cli import app
from services.rules.comparing import Change, differences
from services.rules.language import read_rule_set

WHOLE = Path(__file__).parent / "language/whole_language.yaml"
HEAD = "schema: goodword/v1\nprogramme: partners\ncurrency: USD\ntimezone: UTC\n"
# What says where or how a part was written, what follows from other values, and what decides nothing.
TELLS_NOTHING = {"line", "column", "text", "tests"}


def read(text: str) -> RuleSet:
    return read_rule_set(text, path="rules.yaml")


def between(old: str, new: str) -> tuple[Change, ...]:
    return differences(read(HEAD + old), read(HEAD + new))


def told(old: str, new: str) -> list[str]:
    return [change.sentence for change in between(old, new)]


def touched(old: str, new: str) -> list[str]:
    return [str(change.touches) for change in between(old, new)]


def edited(*edits: tuple[str, str]) -> tuple[Change, ...]:
    text = WHOLE.read_text(encoding="utf-8")
    new = text
    for old_part, new_part in edits:
        assert new.count(old_part) == 1, old_part
        new = new.replace(old_part, new_part)
    return differences(read(text), read(new))


def mutants(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The value with one value within it changed, for each of them, and where that is."""
    match value:
        case msgspec.Struct():
            for field in value.__struct_fields__:
                if field in TELLS_NOTHING or (isinstance(value, Metric) and field == "unit"):
                    continue
                for where, changed in mutants(getattr(value, field), f"{place}.{field}"):
                    yield where, msgspec.structs.replace(value, **{field: changed})
        case tuple():
            for index, each in enumerate(value):
                for where, changed in mutants(each, f"{place}[{index}]"):
                    yield where, (*value[:index], changed, *value[index + 1 :])
        case bool():
            yield place, not value
        case int():
            yield place, value + 1
        case str():
            yield place, "Asia/Tokyo" if place.endswith(".timezone") else f"{value}x"


@functools.cache
def there_and_back() -> dict[str, tuple[tuple[Change, ...], tuple[Change, ...]]]:
    """Where each mutant differs, and what is told from the rule set to it, and from it to the rule set."""
    whole = read(WHOLE.read_text(encoding="utf-8"))
    return {
        where: (differences(whole, mutant), differences(mutant, whole)) for where, mutant in mutants(whole, "rules")
    }


def test_every_value_of_a_rule_set_that_changes_is_told() -> None:
    assert len(there_and_back()) > 200
    lost = [where for where, found in there_and_back().items() if not all(found)]
    # A bronze partner gets by "otherwise" what its own line says; a contest's unit follows from what it counts.
    assert lost == ["rules.rewards[1].give.values[0][0]", "rules.contests[0].unit"]


def test_what_goes_one_way_comes_back_the_other() -> None:
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    for where, (there, back) in there_and_back().items():
        key = {(each.section, each.id, each.kind, each.old, each.new) for each in there}
        assert key == {(each.section, each.id, opposite[each.kind], each.new, each.old) for each in back}, where


def test_a_rule_set_means_the_same_as_itself_with_its_keys_turned_round() -> None:
    def turned(node: Any, *, is_ordered: bool = False) -> Any:
        if isinstance(node, dict):
            return {key: turned(value) for key, value in (node.items() if is_ordered else reversed(node.items()))}
        return [turned(each) for each in node] if isinstance(node, list) else node

    text = WHOLE.read_text(encoding="utf-8")
    loaded = yaml.load(text, Loader=yaml.BaseLoader)
    shuffled = turned(loaded)
    for reward, same in zip(shuffled["rewards"], loaded["rewards"], strict=True):
        reward["give"] = same["give"]  # Brackets ascend.
    plain = yaml.dump(shuffled, sort_keys=False, default_flow_style=False, allow_unicode=True)
    assert differences(read(text), read(plain)) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("deal.product in [A, B]", "deal.product in [B, A, B]"),
        ("deal.product in [A]", "deal.product == A"),
        ("{not: deal.product == A}", "deal.product != A"),
        ("{not: {not: deal.product == A}}", "deal.product == A"),
        ("{not: deal.amount < 5 USD}", "deal.amount >= 5.00 USD"),
        ("{any: [deal.product == A, deal.product == B]}", "{all: ['deal.product in [A, B]']}"),
        ("{all: [lead.channel exists, {all: [deal.product == A]}]}", "{all: [deal.product == A, lead.channel exists]}"),
        (
            "{not: {any: [deal.product == A, lead.channel exists]}}",
            "{all: [deal.product != A, lead.channel missing]}",
        ),
    ],
)
def test_conditions_that_mean_the_same_are_no_difference(one: str, other: str) -> None:
    rule = "rewards:\n  - {id: r, on: deal.won, give: 5 USD}\nqualified:\n  deal:\n    - %s\n"
    rules = [rule % (each if each.startswith("{") else json.dumps(each)[1:-1]) for each in (one, other)]
    assert told(*rules) == []


def test_attributes_are_not_turned_round_because_their_type_is_not_known() -> None:
    rule = "rewards:\n  - id: r\n    on: deal.won\n    give: 5 USD\n    when:\n      - %s\n"
    assert told(rule % "not: attributes.size < 5", rule % "attributes.size >= 5") == [
        "r, when: not (attributes.size < 5) → attributes.size >= 5"
    ]


def test_a_number_and_a_text_that_look_alike_are_told_apart() -> None:
    rule = "rewards:\n  - id: r\n    on: deal.won\n    give: 5 USD\n    when:\n      - attributes.size == %s\n"
    assert told(rule % "10", rule % '"10"') == ['r, when: attributes.size == 10 → attributes.size == "10"']
    assert told(rule % "true", rule % '"true"') == ['r, when: attributes.size == true → attributes.size == "true"']


def test_a_percentage_of_one_tier_touches_that_tier_but_not_those_with_terms_of_their_own() -> None:
    (change,) = edited(("gold: 10}, otherwise", "gold: 12}, otherwise"))
    assert change.sentence == "commission, give for tier gold: 10 % of deal.amount → 12 % of deal.amount"
    assert change.touches.tiers == {"gold"}
    assert change.touches.but_partners == {"acme-consulting"}
    assert str(change.touches) == "partners of tier gold, except acme-consulting, whose own terms say otherwise"


def test_a_flat_percentage_that_becomes_one_by_tier_touches_the_tiers_that_get_another() -> None:
    tiers = "tiers: [{id: a}, {id: b, by: hand}]\n"
    rule = tiers + "rewards:\n  - {id: r, on: deal.won, give: {percent: %s, of: deal.amount}}\n"
    old, new = rule % "5", rule % "{by: tier, values: {a: 5, b: 6}}"
    assert told(old, new) == ["r, give for tier b: 5 % of deal.amount → 6 % of deal.amount"]
    assert touched(old, new) == ["partners of tier b"]
    assert told(old, rule % "{by: tier, values: {a: 5, b: 5}}") == []
    assert told(old, rule % "6") == ["r, give: 5 % of deal.amount → 6 % of deal.amount"]


def test_a_row_that_names_a_tier_touches_that_tier() -> None:
    (change,) = edited(("[gold, GTX Pro, 2]", "[gold, GTX Pro, 3]"))
    assert str(change.touches) == "partners of tier gold"


def test_conditions_say_whom_a_reward_can_touch() -> None:
    rule = "tiers: [{id: a}, {id: b, by: hand}]\nrewards:\n  - id: r\n    on: deal.won\n    give: %s\n    when: {%s}\n"
    for condition, who in (
        ("all: [tier == b]", "partners of tier b"),
        ("any: [partner.id == x, partner.id == y]", "partner x or y"),
        ("all: [partner.groups contains pilots, tier == b]", "partners of group pilots, of these partners of tier b"),
        ("any: [tier == b, partner.id == x]", "all partners"),
        ("not: tier == b", "all partners"),
    ):
        assert touched(rule % ("5 USD", condition), rule % ("6 USD", condition)) == [who], condition


def test_terms_touch_whom_they_are_for() -> None:
    found = edited(("commission.percent: 12", "commission.percent: 13"), ("percent: 15", "percent: 16"))
    assert [(each.id, str(each.touches)) for each in found] == [
        ("group pilots from 2026-06-01 to 2026-08-31", "partners of group pilots"),
        ("partner acme-consulting", "partner acme-consulting"),
    ]


def test_the_order_of_terms_is_a_difference_where_they_say_the_same_part() -> None:
    rule = "rewards:\n  - {id: r, on: deal.won, give: 5 USD}\nterms:\n"
    one, other = "  - {group: a, set: {r.give: 6 USD}}\n", "  - {group: b, set: {%s}}\n"
    assert told(rule + one + other % "r.give: 7 USD", rule + other % "r.give: 7 USD" + one) == [
        "order of r.give: group a, then group b → group b, then group a"
    ]
    assert told(rule + one + other % "r.limit: 1 ever", rule + other % "r.limit: 1 ever" + one) == []


def test_a_metric_that_nothing_uses_touches_nobody() -> None:
    metrics = "metrics: {wins: {count: deal.won, over: %s}}\n"
    assert touched(metrics % "30 days", metrics % "60 days") == ["nobody"]
    used = metrics + "tiers: [{id: a}, {id: b, when: wins >= 3}]\n"
    assert touched(used % "30 days", used % "60 days") == ["all partners"]


def test_added_and_removed_rewards_are_told_with_what_they_say() -> None:
    rule = "rewards:\n  - {id: r, on: deal.won, give: 5 USD}\n"
    more = rule + "  - {id: s, on: survey.answered, to: member, give: 1_000 USD, limit: 2 per month}\n"
    new = "on survey.answered; to member; give 1_000 USD; limit 2 per month"
    assert told(rule, more) == [f"s: new: {new}"]
    assert told(more, rule) == [f"s: gone; it was: {new}"]


def test_terms_that_take_a_bound_away_say_so() -> None:
    rule = "rewards:\n  - {id: r, on: deal.won, give: 5 USD, limit: 1 ever}\n"
    assert told(rule, rule + "terms: [{partner: p, set: {r.limit: none}}]\n") == ["partner p: new: r.limit none"]


def test_the_command_answers_like_diff(tmp_path: Path) -> None:
    run = CliRunner()
    old, new, broken = (tmp_path / name for name in ("old.yaml", "new.yaml", "broken.yaml"))
    old.write_text(HEAD + "rewards:\n  - {id: r, on: deal.won, give: 5 USD}\n")
    new.write_text(HEAD + "rewards:\n  - {id: r, on: deal.won, give: 6 USD}\n")
    broken.write_text(HEAD + "rewards:\n  - {id: r, on: deal.wonn, give: 6 USD}\n")
    same = run.invoke(app, ["rules", "diff", str(old), str(old)])
    assert (same.exit_code, same.stdout) == (0, "")
    differs = run.invoke(app, ["rules", "diff", str(old), str(new)])
    assert differs.exit_code == 1
    assert differs.stdout == "rewards\n  r, give: 5 USD → 6 USD\n      touches: all partners\n"
    as_json = run.invoke(app, ["rules", "diff", str(old), str(new), "--json"])
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["changes"][0]["touches"]["everyone"] is True
    for pair in ((old, broken), (broken, old), (old, tmp_path / "none.yaml")):
        unusable = run.invoke(app, ["rules", "diff", *map(str, pair)])
        assert (unusable.exit_code, unusable.stdout) == (2, "")


def test_the_page_command_shows_and_refuses(tmp_path: Path) -> None:
    run = CliRunner()
    shown = run.invoke(app, ["rules", "show", str(WHOLE), "--lang", "id", "--format", "html"])
    assert shown.exit_code == 0
    assert '<html lang="id">' in shown.stdout
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"\xff")
    assert run.invoke(app, ["rules", "show", str(broken)]).exit_code == 2
    assert run.invoke(app, ["rules", "show", str(WHOLE), "--lang", "tlh"]).exit_code == 2
