"""Units of what is given, compared: ceilings, limits, groups and budgets must be able to stand beside it."""

from __future__ import annotations

from typing import Final

from contracts.money import Money, is_currency
from contracts.ruleset import Give, PercentOf, givens_of
from services.rules.language.checks import wrong_unit
from services.rules.language.located import Span
from services.rules.language.scope import Scope

MONEY: Final = "money"
"""What a percentage gives: the currency of its base."""


def units_of(give: Give) -> list[str]:
    """The units of all that can be given, in file order, each once."""
    return list(dict.fromkeys(given.unit if isinstance(given, Money) else MONEY for given in givens_of(give)))


def gives_percentage(give: Give) -> bool:
    return any(isinstance(given, PercentOf) for given in givens_of(give))


def refuse_other_unit(what: str, unit: str, give: Give, span: Span, scope: Scope) -> None:
    """Note an amount in `unit` that bounds something given in another; a percentage is bounded in any currency."""
    for given in units_of(give):
        if given != unit and not (given == MONEY and is_currency(unit)):
            scope.add(span, wrong_unit.ceiling(what, unit, given))
            return
