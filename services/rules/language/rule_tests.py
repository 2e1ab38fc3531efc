"""The tests section: tests that ship with the rules, checked for shape and names, kept as text. Nothing runs here."""

from __future__ import annotations

from typing import Final

from contracts.decisions import RULE_LEAD_QUALIFIED, RULE_TIER
from contracts.errors import PermanentError
from contracts.money import PPM, Money
from contracts.ruleset import RuleTest
from services.rules.amounts.rates import is_pair, read_rate
from services.rules.language.checks import (
    duplicate_id,
    missing_key,
    unknown_event_type,
    unknown_path,
    unknown_reward,
    unknown_tier,
    unreadable_value,
    wrong_shape,
)
from services.rules.language.event_types import TEST_EVENT_TYPES
from services.rules.language.fields import Fields, expect_list, expect_map, expect_text, limited, shape_of
from services.rules.language.literals import Literals
from services.rules.language.located import Fault
from services.rules.language.paths import known_path
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, MapNode, Node, TextNode
from services.rules.language.values import read_amount, read_number, read_start_ms
from services.rules.language.words import is_slip, nearest

TESTS_MAX: Final = 2_000
TEST_KEYS: Final = ("name", "given", "events", "expect", "because")
CONTEXT_KEYS: Final = ("type", "time", "source", "id", "contest", "rank")
"""What a test's event says besides paths."""
WITHOUT_AMOUNT: Final = (RULE_TIER, RULE_LEAD_QUALIFIED)
"""What can be expected besides rules of the file: `tier: gold`, `qualified.lead: granted`."""
GRANTED: Final = "granted"


def read_tests(node: Node, scope: Scope) -> tuple[RuleTest, ...]:
    items = expect_list(node, scope, '"tests"', "write each after a dash: - name: …")
    tests: dict[str, RuleTest] = {}
    for item in limited(items, scope, "tests", TESTS_MAX):
        mapping = expect_map(item, scope, "a test", "write it as: - name: …")
        if mapping is None:
            continue
        fields = Fields(mapping, scope, "a test", TEST_KEYS)
        name = fields.require_text("name")
        test = _read_test(name, fields, scope)
        if name is None:
            continue
        if name.text in tests:
            scope.add(name.span, duplicate_id.fault(name.text, "test", tests[name.text].line))
        tests.setdefault(name.text, test)
        scope.tests.setdefault(name.text, name.span)
        because = fields.text("because")
        if because is not None:
            scope.because.setdefault(name.text, because.span)
    return tuple(tests.values())


def _read_test(name: TextNode | None, fields: Fields, scope: Scope) -> RuleTest:
    given = fields.get("given")
    events = fields.require("events")
    expect = fields.require("expect", "add expect: [] if nothing is granted")
    because = fields.text("because")
    return RuleTest(
        name=name.text if name else "",
        given=read_given(given, scope) if given is not None else {},
        events=read_events(events, scope) if events is not None else (),
        expect=_read_expected(expect, scope) if expect is not None else (),
        because=because.text if because else None,
        line=name.span.line if name else fields.node.span.line,
    )


def read_given(node: Node, scope: Scope) -> dict[str, str]:
    """What holds before the first event."""
    return _read_facts(node, "given", (), scope, takes_rates=True)


def read_events(node: Node, scope: Scope) -> tuple[dict[str, str], ...]:
    """Events in the shorthand of tests: context and paths to what was written."""
    items = expect_list(node, scope, '"events"', "write each after a dash: - {type: deal.won}")
    events = []
    for item in items.items if items else ():
        facts = _read_facts(item, "an event", CONTEXT_KEYS, scope)
        if isinstance(item, MapNode) and "type" not in facts:
            scope.add(item.span, missing_key.fault("type", "an event"))
        events.append(facts)
    return tuple(events)


def _read_facts(
    node: Node, of: str, context_keys: tuple[str, ...], scope: Scope, *, takes_rates: bool = False
) -> dict[str, str]:
    """Paths and metrics with a value each, checked by type and kept as text; `EUR/USD` with its rate."""
    mapping = expect_map(node, scope, of, "write it as {tier: silver, deal.amount: 500 USD}")
    facts: dict[str, str] = {}
    for key, value in mapping.entries if mapping else ():
        name = _meant_context(key.text, context_keys, scope)
        text = _text_of(value, key.text, scope)
        facts[name] = text or ""
        if text is None:
            continue
        if name != key.text:
            scope.add(key.span, unknown_path.fault(key.text, context_keys))
        if name in context_keys:
            _check_context(name, value, scope)
            continue
        if takes_rates and is_pair(key.text):
            _check_rate(key, value, scope)
            continue
        if key.text in scope.unread.metrics and known_path(key.text) is None:
            continue
        type = scope.type_of(key.text)
        if type is None:
            offset, length, fault = scope.explain_unknown(key.text, besides=context_keys)
            scope.add(key.part(offset, length), fault)
        elif type != "texts" and isinstance(value, TextNode):
            _check_fact(key.text, value, scope)
    return facts


def _meant_context(key: str, context_keys: tuple[str, ...], scope: Scope) -> str:
    """The key, or what of an event's context was meant by it: a misspelt `type` is told once, and is not missing."""
    if "." in key or key in context_keys or scope.type_of(key) is not None:
        return key
    guess = nearest(key, (*context_keys, *scope.path_names()))
    return guess if guess in context_keys and is_slip(key, guess) else key


def _check_rate(key: TextNode, node: Node, scope: Scope) -> None:
    rate = expect_text(node, scope, key.text)
    if rate is None:
        return
    try:
        read_rate(key.text, rate.text)
    except PermanentError as error:
        help = error.problem.help or ""
        scope.add(rate.span, unreadable_value.fault(rate.text, f"the rate of {key.text}", help))


def _text_of(node: Node, key: str, scope: Scope) -> str | None:
    if isinstance(node, ListNode) and scope.type_of(key) == "texts":
        items = [expect_text(item, scope, key) for item in node.items]
        return f"[{', '.join(item.text for item in items if item is not None)}]"
    text = expect_text(node, scope, key)
    return text.text if text is not None else None


def _check_context(key: str, node: Node, scope: Scope) -> None:
    if not isinstance(node, TextNode):
        return
    if key == "type" and node.text not in TEST_EVENT_TYPES:
        scope.add(node.span, unknown_event_type.fault(node.text, TEST_EVENT_TYPES))
    elif key == "rank":
        rank = read_number(node.text)
        if isinstance(rank, Fault) or rank.millionths < PPM or rank.millionths % PPM:
            scope.add(node.span, unreadable_value.fault(node.text, "a rank", "write it as a number from 1 on"))
    elif key == "time":
        time_ms = read_start_ms(node.text, scope.zone)
        if isinstance(time_ms, Fault):
            scope.add(node.span, time_ms)


def _check_fact(path: str, node: TextNode, scope: Scope) -> None:
    type = scope.type_of(path)
    if path == "tier":
        if not scope.may_be_tier(node.text):
            scope.add(node.span, unknown_tier.fault(node.text, scope.tiers))
    elif type in ("amount", "number", "time", "flag"):
        Literals(scope, node, path, type).read("==", node.text, 0)


def _read_expected(node: Node, scope: Scope) -> tuple[tuple[str, Money | str], ...]:
    items = expect_list(node, scope, '"expect"', "write each after a dash: - commission: 75.00 USD")
    expected = []
    for item in items.items if items else ():
        if not isinstance(item, MapNode) or len(item.entries) != 1:
            help = "write each after a dash: - commission: 75.00 USD"
            scope.add(
                item.span, wrong_shape.fault("what is expected", "one reward and its amount", shape_of(item), help)
            )
            continue
        key, value = item.entries[0]
        is_known = key.text in scope.rules or key.text in WITHOUT_AMOUNT
        if not is_known and key.text not in scope.unread.rules:
            scope.add(key.span, unknown_reward.fault(key.text, list(scope.rules), besides=WITHOUT_AMOUNT))
        text = expect_text(value, scope, "an amount")
        # What a rule gives that nobody knows, an amount or a tier, is nobody's to say.
        outcome = _read_outcome(key.text, text, scope) if text is not None and is_known else None
        if outcome is not None:
            expected.append((key.text, outcome))
    return tuple(expected)


def _read_outcome(rule: str, node: TextNode, scope: Scope) -> Money | str | None:
    """What a rule is expected to give: an amount, a tier, or that it grants what has no amount."""
    if rule == RULE_TIER:
        if not scope.may_be_tier(node.text):
            scope.add(node.span, unknown_tier.fault(node.text, scope.tiers))
        return node.text
    if node.text == GRANTED:
        return GRANTED
    amount = read_amount(node.text, scope.decimals_of)
    if isinstance(amount, Fault):
        scope.add(node.span, amount)
        return None
    return amount
