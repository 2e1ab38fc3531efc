"""Limits: how often, or how much, one rule gives one partner: `20 per month`, `3_000 USD per year`, `1 ever`."""

from __future__ import annotations

from typing import Final, cast

from contracts.money import Money
from contracts.ruleset import Give, Limit, LimitPer
from services.rules.language.checks import idle_limit, unreadable_value
from services.rules.language.fields import limited, texts_of
from services.rules.language.located import Fault
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, Node, TextNode
from services.rules.language.units import refuse_other_unit
from services.rules.language.values import read_decimal, read_given_amount
from services.rules.language.words import did_you_mean

LIMITS_MAX: Final = 10
COUNT_MAX: Final = 1_000_000_000
PERIODS: Final = ("month", "quarter", "year", "customer")
_HELP: Final = "write it like 20 per month, 3_000 USD per year, 1 per customer or 1 ever"


def read_limits(node: Node, give: Give | None, scope: Scope) -> tuple[Limit, ...]:
    """One limit or a list of them; `give` is what they bound, for the unit."""
    if isinstance(node, ListNode):
        limited(node, scope, "limits of one reward", LIMITS_MAX)
    limits: list[Limit] = []
    for text in texts_of(node, scope, '"limit"')[:LIMITS_MAX]:
        limit = _read_limit(text, scope)
        if limit is None:
            continue
        if limit.amount is not None and give is not None:
            refuse_other_unit("limit", limit.amount.unit, give, text.span, scope)
        _warn_of_idle(limit, text, limits, scope)
        limits.append(limit)
    return tuple(limits)


def _read_limit(node: TextNode, scope: Scope) -> Limit | None:
    words = node.text.split()
    per: str | None = None
    if len(words) >= 2 and words[-1] == "ever":
        per, words = "ever", words[:-1]
    elif len(words) >= 3 and words[-2] == "per":
        per, words = words[-1], words[:-2]
        if per not in PERIODS:
            offset = node.text.rindex(per)
            fault = unreadable_value.fault(per, "what a limit can be per", did_you_mean(per, PERIODS, _HELP))
            scope.add(node.part(offset, len(per)), fault)
            return None
    if per is None or len(words) not in (1, 2):
        scope.add(node.span, unreadable_value.fault(node.text, "a limit", _HELP))
        return None
    text = " ".join(node.text.split())
    much = _read_amount(" ".join(words), node, scope) if len(words) == 2 else _read_count(words[0], node, scope)
    if much is None:
        return None
    return Limit(
        per=cast("LimitPer", per),
        count=much if isinstance(much, int) else None,
        amount=much if isinstance(much, Money) else None,
        text=text,
        line=node.span.line,
        column=node.start,
    )


def _read_amount(text: str, node: TextNode, scope: Scope) -> Money | None:
    amount = read_given_amount(text, scope.decimals_of)
    if isinstance(amount, Fault):
        scope.add(node.part(0, len(text)), amount)
        return None
    return amount


def _read_count(text: str, node: TextNode, scope: Scope) -> int | None:
    decimal = read_decimal(text)
    if decimal is None or decimal[1] or not 0 < decimal[0] <= COUNT_MAX:
        help = f"a limit without a unit counts decisions, from 1 to {COUNT_MAX:,}; an amount has its unit: 500 USD"
        scope.add(node.part(0, len(text)), unreadable_value.fault(text, "a number of decisions", help))
        return None
    return decimal[0]


def _warn_of_idle(limit: Limit, node: TextNode, earlier: list[Limit], scope: Scope) -> None:
    for other in earlier:
        if other.per != limit.per or (other.count is None) != (limit.count is None):
            continue
        if limit.amount is not None and other.amount is not None and limit.amount.unit != other.amount.unit:
            continue
        idle, binding = (other, limit) if _size(limit) < _size(other) else (limit, other)
        scope.add(node.span, idle_limit.fault(idle.text, binding.text))
        return


def _size(limit: Limit) -> int:
    return limit.amount.amount_minor if limit.amount is not None else limit.count or 0
