"""What this version does not carry out is refused, where it stands; what it does carry out is not."""

from __future__ import annotations

import pytest

from services.rules.language import lint_text
from services.rules.language.later import LATER
from tests.unit.rules.language.lint_cases import HEAD

METRICS = "metrics:\n  sales: {sum: deal.amount, on: deal.won}\n"
REWARDS = (
    "rewards:\n  - {id: a, on: deal.won, give: {percent: 5, of: deal.amount}}\n  - {id: b, on: deal.won, give: 5 USD}\n"
)
BRACKETS = "{by: deal.amount, from: {0 USD: 5, 100 USD: 7}}"
SAMPLES = {
    "rows": "rewards:\n  - {id: c, on: deal.won, give: {by: [deal.product], rows: [[x, 5 USD]], otherwise: 1 USD}}\n",
    "brackets": f"rewards:\n  - {{id: c, on: deal.won, give: {{percent: {BRACKETS}, of: deal.amount}}}}\n",
    "marginal": "rewards:\n  - id: c\n    on: deal.won\n"
    "    give: {percent: {by: deal.amount, from: {0 USD: 5}, marginal: true}, of: deal.amount}\n",
    "milestones": METRICS + "milestones: [{id: m, metric: sales, at: 100 USD, give: 5 USD}]\n",
    "rates": METRICS + "tiers: [{id: bronze}, {id: gold, when: sales >= 100 EUR}]\n",
}


def test_every_part_has_a_sample() -> None:
    assert set(LATER) <= set(SAMPLES)


@pytest.mark.parametrize("part", SAMPLES)
def test_a_part_is_refused_until_it_is_carried_out(part: str) -> None:
    text = HEAD + SAMPLES[part]
    assert lint_text(text, "x.yaml", later=()) == []
    # A part can bring others along: terms from a day on are terms, marginal brackets are brackets.
    refused = lint_text(text, "x.yaml", later={part})
    assert {each.code for each in refused} == {"not-carried-out-yet"}
    assert bool(lint_text(text, "x.yaml", later=frozenset({part}) & set(LATER))) == (part in LATER)
