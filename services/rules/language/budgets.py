"""The budgets section: ceilings for the whole programme, which decisions name and the ledger enforces."""

from __future__ import annotations

from typing import Final, Literal, cast

from contracts.money import Money, is_currency
from contracts.ruleset import Budget, Contest, Milestone
from services.rules.language.checks import duplicate_id, unknown_reward, unreadable_value, wrong_unit
from services.rules.language.fields import Fields, check_name, expect_list, expect_map, limited, texts_of
from services.rules.language.located import Fault
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode
from services.rules.language.units import MONEY, units_of
from services.rules.language.values import read_given_amount
from services.rules.language.words import did_you_mean, listed

BUDGETS_MAX: Final = 200
BUDGET_KEYS: Final = ("id", "amount", "per", "covers", "when_spent")
PERIODS: Final = ("month", "quarter", "year", "ever")
WHEN_SPENT: Final = ("hold", "deny")

Units = dict[str, list[str]]
"""Rule to the units of what it gives, in file order."""


def read_budgets(
    node: Node, milestones: tuple[Milestone, ...], contests: tuple[Contest, ...], scope: Scope
) -> tuple[Budget, ...]:
    units: Units = {id: units_of(reward.give) for id, reward in scope.rewards.items()}
    units |= {each.id: [each.give.unit] for each in milestones if each.give is not None}
    units |= {each.id: list(dict.fromkeys(prize.unit for prize in each.prizes)) for each in contests}
    items = expect_list(node, scope, '"budgets"', "write each after a dash: - id: yearly")
    budgets: dict[str, Budget] = {}
    for item in limited(items, scope, "budgets", BUDGETS_MAX):
        mapping = expect_map(item, scope, "a budget", "write it as: - id: yearly")
        if mapping is None:
            continue
        fields = Fields(mapping, scope, "a budget", BUDGET_KEYS)
        id = fields.require_text("id")
        budget = _read_budget(id, fields, units, scope)
        if id is None or not check_name(id, scope, "a budget"):
            continue
        if id.text in budgets:
            scope.add(id.span, duplicate_id.fault(id.text, "budget", budgets[id.text].line))
        elif budget is not None:
            budgets[id.text] = budget
    return tuple(budgets.values())


def _read_budget(id: TextNode | None, fields: Fields, units: Units, scope: Scope) -> Budget | None:
    amount_node = fields.require_text("amount", "add amount: 250_000 USD")
    amount = read_given_amount(amount_node.text, scope.decimals_of) if amount_node is not None else None
    if isinstance(amount, Fault) and amount_node is not None:
        scope.add(amount_node.span, amount)
    per = _one_of("per", PERIODS, "add per: year, or per: ever", fields, scope)
    when_spent = _one_of("when_spent", WHEN_SPENT, "add when_spent: hold, or when_spent: deny", fields, scope)
    covers = _read_covers(amount if isinstance(amount, Money) else None, fields, units, scope)
    if not isinstance(amount, Money) or per is None or when_spent is None:
        return None
    return Budget(
        id=id.text if id else "",
        amount=amount,
        per=cast("Literal['month', 'quarter', 'year', 'ever']", per),
        covers=covers,
        when_spent=cast("Literal['hold', 'deny']", when_spent),
        line=id.span.line if id else fields.node.span.line,
    )


def _one_of(key: str, words: tuple[str, ...], help: str, fields: Fields, scope: Scope) -> str | None:
    node = fields.require_text(key, help)
    if node is None or node.text in words:
        return node.text if node is not None else None
    advice = did_you_mean(node.text, words, f"it is {listed(words, 'or')}")
    scope.add(node.span, unreadable_value.fault(node.text, f'what "{key}" can be', advice))
    return None


def _read_covers(amount: Money | None, fields: Fields, units: Units, scope: Scope) -> tuple[str, ...]:
    node = fields.get("covers")
    if "covers" not in fields.keys:
        return tuple(id for id, given in units.items() if amount is not None and _misfit(amount.unit, given) is None)
    covered = set()
    for each in texts_of(node, scope, '"covers"') if node is not None else ():
        if each.text not in units and each.text in scope.unread.rules:
            continue
        if each.text not in units:
            scope.add(each.span, unknown_reward.fault(each.text, list(units)))
            continue
        misfit = _misfit(amount.unit, units[each.text]) if amount is not None else None
        if misfit is not None and amount is not None:
            scope.add(each.span, wrong_unit.ceiling("the budget", amount.unit, misfit))
        covered.add(each.text)
    return tuple(id for id in units if id in covered)


def _misfit(unit: str, given: list[str]) -> str | None:
    """The first unit given that a budget in `unit` cannot hold; currencies convert."""
    for each in given:
        is_money = each == MONEY or is_currency(each)
        if each != unit and not (is_money and is_currency(unit)):
            return each
    return None
