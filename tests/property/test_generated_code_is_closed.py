"""Generated functions reach nothing but their inputs, whatever a rule file or an event says.

Every text that is compiled is caught and parsed: it may hold names of ours only, no import, no underscore but
`__class__`, no builtin beyond a short list, and no text of the rule file, of which each hostile one has a mark.
"""

from __future__ import annotations

import ast
import builtins
import re
from typing import Final

import pytest

from contracts.decisions import encode_decision
from contracts.events import Amount, Customer, Deal, Event, Lead, PartnerProfile
from services.rules.compile import compile_rule_set
from services.rules.evaluate import evaluate
from services.rules.generate import source
from services.rules.language import read_rule_set
from services.rules.states.state import PartnerState
from tests.support.rules import START_MS, event, random_history, random_rule_set

MARK: Final = "QQMARKQQ"
HOSTILE: Final = (
    "__import__('os').system('touch QQMARKQQ')",
    "'); raise SystemExit('QQMARKQQ') #",
    '"""QQMARKQQ',
    "{state.__class__.__mro__}QQMARKQQ",
    "%(QQMARKQQ)s{0.__globals__}",
    "QQMARKQQ\\x00\\n\\",
    "c0QQMARKQQ",
    "lambda: QQMARKQQ",
    "QQMARKQQ żółć 🎈",
)
BUILTINS: Final = frozenset(
    {"str", "int", "min", "max", "len", "True", "False", "None", "bool", "tuple", "list", "dict", "set"}
)
FORBIDDEN: Final = (
    ast.Import,
    ast.ImportFrom,
    ast.Global,
    ast.Nonlocal,
    ast.Lambda,
    ast.ClassDef,
    ast.AsyncFunctionDef,
    ast.With,
    ast.Try,
    ast.Delete,
    ast.Await,
    ast.Yield,
)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that is compiled meanwhile."""
    caught: list[str] = []
    compiled = source._compiled

    def catch(text: str) -> object:
        caught.append(text)
        return compiled(text)

    monkeypatch.setattr(source, "_compiled", catch)
    return caught


def check(text: str) -> None:
    """Raises AssertionError with the line that is more than its inputs allow."""
    assert MARK not in text, text
    tree = ast.parse(text)
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    bound = {argument.arg for argument in function.args.args}
    bound |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    for node in ast.walk(tree):
        assert not isinstance(node, FORBIDDEN), ast.unparse(node)
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr == "__class__", ast.unparse(node)
            # What it is goes no further than to be compared.
            assert not (isinstance(node.value, ast.Attribute) and node.value.attr == "__class__"), ast.unparse(node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in bound:
            assert re.fullmatch(r"c\d+", node.id) or node.id in BUILTINS, f"{node.id} in {text}"
            assert node.id in BUILTINS or not hasattr(builtins, node.id)
        if isinstance(node, ast.Name):
            assert not node.id.startswith("__")


def rules(hostile: str) -> str:
    quoted = '"' + hostile.replace("\\", "\\\\").replace('"', '\\"') + '"'
    literal = quoted.replace("'", "''")
    return f"""
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
eligible:
  partner:
    - 'partner.name != {literal}'
  customer:
    - 'customer.name not in [{literal}, b]'
qualified:
  deal:
    - not: 'deal.stage == {literal}'
metrics:
  wins: {{count: deal.won}}
  per_c: {{count: deal.won, per: customer}}
tiers:
  - id: a__class__
  - id: b__init__
    when:
      - wins >= 2
rewards:
  - id: r__globals__
    on: [deal.won, lead.qualified]
    when:
      - any:
        - 'deal.product == {literal}'
        - 'deal.product contains {literal}'
        - 'deal.product starts_with {literal}'
        - 'attributes.__class__ == {literal}'
        - 'attributes.__globals__.x in [{literal}]'
        - per_c > 0
    give: {{by: deal.product, values: {{{quoted}: 5 USD}}, otherwise: 1 USD}}
    limit: 3 per month
"""


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_a_rule_file_becomes_code(hostile: str, texts: list[str]) -> None:
    read = read_rule_set(rules(hostile), path="hostile.yaml")
    revision = compile_rule_set(read, revision=1)
    state = PartnerState(programme="saas", partner="moses")
    for number, each in enumerate(_events(hostile)):
        state, decisions = evaluate(state, each, revision)
        for decision in decisions:
            assert encode_decision(decision), number
    assert texts
    for text_of_code in texts:
        check(text_of_code)


def _events(hostile: str) -> list[Event]:
    customer = Customer(id="c", name="n", country=hostile)
    profile = PartnerProfile(status="active", name=hostile + "!", groups=[hostile])
    amount = Amount(100, "USD")
    attributes = {"__class__": hostile, "__globals__.x": hostile, "{0.__class__}": hostile}
    return [
        event("partner.registered", "p", START_MS, profile=profile),
        *(
            event(
                "deal.won",
                f"d{number}",
                START_MS + number,
                deal=Deal(id=f"d{number}", product=hostile, stage="s", amount=amount),
                customer=customer,
                attributes=attributes,
            )
            for number in range(4)
        ),
        event("lead.registered", "l", START_MS + 9, lead=Lead(id="l", channel=hostile), customer=customer),
        event("lead.qualified", "q", START_MS + 10, lead=Lead(id="l"), customer=customer),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_generated_functions_of_random_programmes_are_closed(seed: int, texts: list[str]) -> None:
    revision = compile_rule_set(read_rule_set(random_rule_set(seed), path="seed.yaml"), revision=1)
    states: dict[str, PartnerState] = {}
    for each in random_history(seed, 80):
        partner = each.data.partner or ""
        state = states.setdefault(partner, PartnerState(programme="saas", partner=partner))
        evaluate(state, each, revision)
    assert texts
    for text_of_code in texts:
        check(text_of_code)


@pytest.mark.parametrize(
    "text",
    [
        "def generated(a):\n return a.__globals__",
        "def generated(a):\n return a.__class__.mro",
        "def generated(a):\n return open(a)",
        "def generated(a):\n import os",
        "def generated(a):\n return (lambda: a)()",
        "def generated(a):\n return eval('1')",
        "def generated(a):\n return 'QQMARKQQ'",
    ],
)
def test_the_check_finds_what_it_is_for(text: str) -> None:
    with pytest.raises(AssertionError):
        check(text)
