"""The terms section: what was negotiated with a partner or holds for a group; with days it is a pilot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, cast

from contracts.ids import is_id
from contracts.ruleset import Override, PercentOf, Reward, Terms, givens_of
from services.rules.language.checks import (
    bad_name,
    raise_on_fixed_amount,
    shadowed_terms,
    unknown_reward,
    wrong_terms,
)
from services.rules.language.durations import read_days
from services.rules.language.fields import Fields, expect_list, expect_map, expect_text, limited
from services.rules.language.gives import read_at_most, read_give, read_percent
from services.rules.language.limits import read_limits
from services.rules.language.located import Fault, Span
from services.rules.language.rewards import NOTHING_READ
from services.rules.language.scope import Scope
from services.rules.language.source import MapNode, Node, TextNode
from services.rules.language.units import gives_percentage
from services.rules.language.values import read_duration

TERMS_MAX: Final = 2_000
PARTS: Final = ("give", "percent", "at_most", "limit", "hold", "for", "clawback")
OFF: Final = "off"
NONE: Final = "none"

_Seen = dict[tuple[object, ...], tuple[Span, int]]


def read_terms(node: Node, scope: Scope) -> tuple[Terms, ...]:
    """The terms in the order in which they apply: groups in file order, then partners in file order."""
    items = expect_list(node, scope, '"terms"', "write each after a dash: - partner: acme-consulting")
    terms = []
    seen: _Seen = {}
    for item in limited(items, scope, "terms", TERMS_MAX):
        mapping = expect_map(item, scope, "an entry of terms", "write them as: - partner: acme-consulting")
        if mapping is None:
            continue
        fields = Fields(mapping, scope, "an entry of terms", ("partner", "group", "from", "to", "set"))
        read = _read_one(fields, scope)
        terms.append(read)
        _warn_of_shadowed(read, fields, seen, scope)
    return tuple(sorted(terms, key=lambda each: each.partner is not None))


def _read_one(fields: Fields, scope: Scope) -> Terms:
    partner, group = fields.text("partner"), fields.text("group")
    named = [key for key in ("partner", "group") if key in fields.keys]
    if len(named) != 1:
        scope.add(fields.keys["group"].span if named else fields.node.span, wrong_terms.whom(len(named)))
    if partner is not None and not is_id(partner.text):
        help = "1 to 128 of A–Z a–z 0–9 . _ ~ / @ + -, and no colon"
        scope.add(partner.span, bad_name.fault(partner.text, "a partner", help))
    first, last = read_days(fields, scope)
    node = fields.require("set", "say what changes: set: {commission.percent: 12}")
    mapping = expect_map(node, scope, '"set"', "write it as {commission.percent: 12}") if node is not None else None
    overrides = tuple(
        override for key, value in (mapping.entries if mapping else ()) for override in _read_set(key, value, scope)
    )
    return Terms(
        overrides=overrides,
        partner=partner.text if partner else None,
        group=group.text if group else None,
        from_day=first,
        to_day=last,
        line=fields.node.span.line,
    )


def _read_set(key: TextNode, value: Node, scope: Scope) -> Iterator[Override]:
    """What one line under `set` replaces; `give` may say a ceiling too."""
    rule, dot, part = key.text.partition(".")
    reward = scope.rewards.get(rule)
    if reward is None and rule in scope.unread.rules:
        return
    if reward is None:
        scope.add(key.part(0, len(rule)), unknown_reward.fault(rule, list(scope.rewards)))
        return
    if dot and part not in PARTS:
        scope.add(key.part(len(rule) + 1, max(len(part), 1)), wrong_terms.part(part, PARTS))
        return
    line = key.span.line
    text = value.text if isinstance(value, TextNode) else ""
    if not dot:
        if text == OFF:
            yield Override(rule=rule, part="off", line=line)
        else:
            scope.add(key.span, wrong_terms.alone(rule, text))
    elif part in ("give", "percent"):
        yield from _read_give(part, key, value, reward, scope)
    elif part == "limit":
        limits = () if text == NONE else read_limits(value, reward.give, scope)
        yield Override(rule=rule, part="limit", limits=limits, line=line)
    elif part == "at_most":
        node = expect_text(value, scope, f'"{key.text}"')
        at_most = read_at_most(node, reward.give, scope) if node is not None and text != NONE else None
        yield Override(rule=rule, part="at_most", at_most=at_most, line=line)
    else:
        yield from _read_duration(part, key, value, scope)


def _read_give(part: str, key: TextNode, value: Node, reward: Reward, scope: Scope) -> Iterator[Override]:
    line = key.span.line
    if part == "give":
        giving = read_give(value, reward.on, scope)
        if giving.give is not None:
            yield Override(rule=reward.id, part="give", give=giving.give, line=line)
        if giving.at_most is not None:
            yield Override(rule=reward.id, part="at_most", at_most=giving.at_most, line=line)
        return
    if not gives_percentage(reward.give):
        if reward.give != NOTHING_READ:
            scope.add(key.span, raise_on_fixed_amount.negotiated(reward.id))
        return
    base = next(each.of for each in givens_of(reward.give) if isinstance(each, PercentOf))
    give = read_percent(value, base, reward.on, scope)
    if give is not None:
        yield Override(rule=reward.id, part="give", give=give, line=line)


def _read_duration(part: str, key: TextNode, value: Node, scope: Scope) -> Iterator[Override]:
    node = expect_text(value, scope, f'"{key.text}"')
    if node is None:
        return
    duration = None if node.text == NONE else read_duration(node.text)
    if isinstance(duration, Fault):
        scope.add(node.span, duration)
        return
    named = cast("Literal['for', 'hold', 'clawback']", part)
    yield Override(rule=key.text.partition(".")[0], part=named, duration=duration, line=key.span.line)


def _warn_of_shadowed(terms: Terms, fields: Fields, seen: _Seen, scope: Scope) -> None:
    node = fields.get("set")
    for key, _ in node.entries if isinstance(node, MapNode) else ():
        what = (terms.partner, terms.group, terms.from_day, terms.to_day, key.text)
        if what in seen:
            span, _line = seen[what]
            scope.add(span, shadowed_terms.fault(key.text, key.span.line))
        seen[what] = (key.span, key.span.line)
