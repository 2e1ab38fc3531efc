"""The generated functions: nothing of the rule file is in their source, and rules of one shape share their code.

The rule set below names things as an attacker would. Its functions are made for every event type, with and without the
index of many rewards, and their source is taken apart: names and texts must be ours.
"""

from __future__ import annotations

import ast
import re

import pytest

from contracts.events import EVENT_TYPES
from services.rules.bounds.bounded import Bounds
from services.rules.compile import compile_rule_set
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.generate import source
from services.rules.generate.event import EventRule
from services.rules.generate.tiers import Tiers
from services.rules.language import read_rule_set

HOSTILE = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
units: {GLOBALS: {}}
eligible:
  partner:
    - partner.status == "__import__('os')"
  customer:
    - not: customer.country == "{data.programme}"
qualified:
  lead:
    - attributes.__class__ == "0; raise SystemExit"
  deal:
    - deal.amount >= 666 USD
metrics:
  exec: {sum: deal.amount, on: deal.won, minus: deal.refunded, over: 31 days}
  eval: {distinct: attributes.__globals__, on: [survey.answered, lead.qualified], per: customer}
tiers:
  - id: lambda
  - id: import
    when:
      - exec >= 4242 USD
rewards:
"""
REWARD = """\
  - id: breakpoint-{number}
    on: [deal.won, lead.qualified, survey.answered, partner.updated]
    to: {to}
    when:
      - attributes.__class__ == "'] + secret + ['"
      - any:
          - eval < 77{number}
          - deal.product contains "${{x}}"
          - exec >= 31337 USD
    give: {{by: attributes.x, values: {{"\\") or (\\"": 5 GLOBALS}}, otherwise: 7 GLOBALS}}
    limit: [4242 GLOBALS per month, 666 per customer]
    for: 31337 days
    hold: 666 days
"""
BOUNDS = """\
lock_terms: lead
groups:
  import: {rewards: [breakpoint-0, breakpoint-1], pick: highest}
budgets:
  - {id: exec, amount: 31337 GLOBALS, per: year, when_spent: deny}
terms:
  - {partner: lambda, set: {breakpoint-0.limit: 666 ever, breakpoint-2: off}}
  - {group: "__import__('os')", from: 2026-03-01, set: {breakpoint-1.give: 31337 GLOBALS}}
"""
OF_THE_FILE = re.compile(
    r"import|lambda|exec|eval|class__ ==|globals|SystemExit|secret|breakpoint|saas|USD|GLOBALS|666|4242|31337|\$"
)
OUR_TEXTS = {
    *("", "met", "not met", "customer is missing", "member is missing", "customer:", "member:", "no programme yet"),
    *("-", "-8", "status", "big"),
}


def _sources(rewards: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    compiled = source.Source.function

    def function(self: source.Source) -> object:
        texts.append(self.text)
        return compiled(self)

    monkeypatch.setattr(source.Source, "function", function)
    reward = [
        REWARD.format(number=number, to=("partner", "customer", "member")[number % 3]) for number in range(rewards)
    ]
    rules = read_rule_set(HOSTILE + "".join(reward) + BOUNDS, path="hostile.yaml")
    vocabulary = Vocabulary(rules)
    tiers, bounds = Tiers(rules, 1, vocabulary), Bounds(rules, 1, vocabulary)
    for event_type in EVENT_TYPES:
        rule = EventRule(rules, 1, vocabulary, tiers, bounds, event_type)
        rule.function()
        for considered in rule.rewards.rules:
            assert callable(considered.consider)
            assert callable(considered.as_of((0, 1)).consider)
    return texts


@pytest.mark.parametrize("rewards", [3, 20])
def test_nothing_of_the_rule_file_is_in_the_source(rewards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = _sources(rewards, monkeypatch)
    assert len(texts) > len(EVENT_TYPES)
    for text in texts:
        assert not OF_THE_FILE.search(text), text
        strings = {
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert strings <= OUR_TEXTS, strings - OUR_TEXTS
        assert not any(isinstance(node, ast.Import | ast.ImportFrom | ast.Global) for node in ast.walk(ast.parse(text)))


def test_rules_of_one_shape_share_their_code() -> None:
    functions = []
    for product, minimum in (("Pro", 5), ("Basic", 7)):
        text = HOSTILE + (
            f"  - id: {product}\n    on: deal.won\n    when:\n      - deal.product == {product}\n"
            f"      - deal.amount >= {minimum} USD\n    give: {minimum} USD\n"
        )
        revision = compile_rule_set(read_rule_set(text, path="shape.yaml"), revision=1)
        functions.append(revision.functions["deal.won"])
    assert functions[0].__code__ is functions[1].__code__
    assert functions[0].__globals__ is not functions[1].__globals__
