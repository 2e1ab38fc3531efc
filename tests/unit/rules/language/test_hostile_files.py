"""Files that nobody would write in good faith are refused, with few problems and nothing that harms a terminal."""

from __future__ import annotations

import pytest

from contracts.ruleset import Comparison
from services.rules.language import RuleSetErrors, lint_text, read_rule_set, render_problems
from services.rules.language.located import PROBLEMS_MAX
from services.rules.language.logic import EFFORT_MAX, Effort, Fact
from services.rules.language.source import FILE_BYTES_MAX
from tests.unit.rules.language.lint_cases import HEAD

PATH = "\x1b]0;x\x07.yaml"
REWARD = HEAD + "rewards:\n  - {id: a, on: deal.won, give: "
HOSTILE = {
    "ten megabytes": "a: b\n" * 2_000_000,
    "ten megabytes of one line": HEAD + "# " + "x" * 10_000_000,
    "a million open brackets": "[" * 900_000,
    "a hundred levels of blocks": "- " * 100 + "x",
    "a hundred levels of conditions": HEAD + "eligible: {partner: " + "[not: " * 100 + "x" + "]" * 100 + "}",
    "nine levels of conditions": HEAD + "eligible: {partner: " + "{not: " * 9 + "member == x" + "}" * 9 + "}",
    "an amount of 4,000 digits": REWARD + "9" * 4_000 + " USD}\n",
    "a percentage of 4,000 digits": REWARD + "{percent: " + "9" * 4_000 + ", of: deal.amount}}\n",
    "a limit of 4,000 digits": REWARD + "5 USD, limit: " + "9" * 4_000 + " per month}\n",
    "a hold of 4,000 digits": REWARD + "5 USD, hold: " + "9" * 4_000 + " days}\n",
    "a literal of 4,000 digits": REWARD + "5 USD, when: deal.amount > " + "9" * 4_000 + " USD}\n",
    "a minus that is not one": REWARD + "\u22125 USD}\n",
    "digits of another script": REWARD + "\u0665 USD}\n",
    "a name that looks like another": HEAD + "rewards:\n  - {id: c\u043emmission, on: deal.won, give: 5 USD}\n",
    "a name of a path of files": HEAD + "rewards:\n  - {id: ../../etc, on: deal.won, give: 5 USD}\n",
    "a name of Python": HEAD + "metrics: {__class__: {count: deal.won}}\n",
    "a name with a format": HEAD + "rewards:\n  - {id: '{0.__class__}', on: deal.won, give: 5 USD}\n",
    "a path of Python": HEAD + "eligible: {partner: partner.__class__.__mro__ exists}\n",
    "a NUL": HEAD + "tests: \0",
    "an escaped NUL": HEAD + 'rewards:\n  - {id: "\\0", on: deal.won, give: 5 USD}\n',
    "a turn of direction": HEAD + "tests: \u202e",
    "an escaped turn of direction": HEAD + 'rewards:\n  - {id: "\\u202e", on: deal.won, give: 5 USD}\n',
    "a space of no width": HEAD + "tests: \u200b",
    "too many terms": REWARD + "5 USD}\nterms: [" + "{partner: a, set: {}}, " * 3_000 + "]\n",
    "too many limits": REWARD + "5 USD, limit: [" + "1 ever, " * 3_000 + "]}\n",
    "too many rows": REWARD + "{by: [member], rows: [" + "[x, 1 USD], " * 3_000 + "], otherwise: 1 USD}}\n",
    "too many brackets": REWARD
    + "{by: deal.amount, from: {"
    + "".join(f"{each} USD: 1 USD, " for each in range(3_000))
    + "}}}\n",
    "too many groups": HEAD + "groups: {" + "".join(f"g{each}: {{}}, " for each in range(300)) + "}\n",
    "too many conditions": HEAD + "eligible:\n  partner:\n" + "    - customer.employees > 5\n" * 10_001,
    "too many prizes": HEAD
    + "contests: [{id: a, metric: {count: deal.won}, from: 2026-01-01, to: 2026-01-02, prizes: ["
    + "1 USD, " * 3_000
    + "]}]\n",
    "aliases of aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "one endless line": "a: " * 300_000,
    "too many values": "[" + "a," * 400_000 + "]",
    "a text without end": '"' + "x" * 900_000,
    "wrong all over": HEAD + "rewards:\n" + "  - {id: x y, on: deal.wno, giv: 1 USD}\n" * 500,
    "half a surrogate": "a: \ud800",
    "an escape sequence": "a: \x1b[2J",
    "objects": "!!python/object/apply:os.system ['true']",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_few_problems(name: str) -> None:
    text = HOSTILE[name]
    with pytest.raises(RuleSetErrors) as raised:
        read_rule_set(text, path=PATH)
    assert 1 <= len(raised.value.problems) <= PROBLEMS_MAX
    rendered = render_problems(raised.value.problems, text, PATH)
    assert all(line.isprintable() for line in rendered.split("\n"))
    assert max(map(len, rendered.split("\n"))) < 400


def test_a_file_of_the_largest_size_is_still_read() -> None:
    comment = "#" + "x" * 79 + "\n"
    text = HEAD + comment * ((FILE_BYTES_MAX - len(HEAD)) // len(comment))
    assert read_rule_set(text, path="x").programme == "partners"


COSTLY = {
    "comparisons of one path": "    - customer.employees >= {}\n",
    "lists of one path": "    - customer.name in [" + ",".join(map(str, range(300))) + ", {}]\n",
    "beginnings of one path": "    - customer.name starts_with a{}\n",
    "things ruled out": "    - customer.name not in [b{0}, c{0}]\n",
}


@pytest.mark.parametrize("name", COSTLY)
def test_comparing_conditions_with_each_other_has_an_end(name: str) -> None:
    """What is left over is not told; without the end this test would take minutes."""
    lines = "".join(COSTLY[name].format("" if "starts" in COSTLY[name] else index) for index in range(600))
    assert lint_text(HEAD + "eligible:\n  partner:\n" + lines, "x.yaml") == []


def test_effort_is_spent_by_what_is_compared() -> None:
    effort, facts = Effort(), [_fact(1)] * 100
    assert effort.allows(facts, facts)
    assert effort.allows([_fact(100)], [_fact(150)])
    assert not effort.allows(facts, [*facts, *facts])
    assert effort.allows([_fact(1)], [_fact(EFFORT_MAX - 25_000)])


def _fact(values: int) -> Fact:
    literal = tuple(map(str, range(values)))
    return Fact(Comparison(path="member", operator="in", literal=literal, text=""), "in")
