"""The right side of a condition: a literal of the type that its path needs."""

from __future__ import annotations

import re
from typing import Final

from contracts.events import EVENT_TYPES
from contracts.money import Money, is_currency
from contracts.ruleset import Number, Scalar
from services.rules.language.checks import (
    broken_condition,
    broken_list,
    needs_quotes,
    unknown_event_type,
    unknown_tier,
    wrong_type,
    wrong_unit,
)
from services.rules.language.located import Fault
from services.rules.language.paths import TYPE_WORDS, PathType
from services.rules.language.scope import Scope
from services.rules.language.source import TextNode
from services.rules.language.values import read_amount, read_day_or_time, read_decimal, read_number

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ITEM: Final = re.compile(r'\s*("(?:[^"\\]|\\["\\])*"|[^,"\[\]]*)\s*(,|$)')
_NEEDS_QUOTES: Final = re.compile(r'[,\[\]{}"]|^[<>=!\']|\s(?:==|!=|<=|>=|<|>)\s|\s(?:not\s+)?in\s+\[')

Literal = Scalar | tuple[Scalar, ...] | None


class Literals:
    """Reads the literal of one condition; what is wrong is noted in the scope, at its characters."""

    def __init__(self, scope: Scope, node: TextNode, path: str, type: PathType) -> None:
        self._scope = scope
        self._node = node
        self._path = path
        self._type = type

    def read(self, operator: str, text: str, offset: int) -> Literal | Fault:
        """The literal that begins at `offset` of the node's text, or the fault that was noted."""
        if operator in ("exists", "missing"):
            if text:
                return self._wrong(offset, text, broken_condition.fault(f"{operator} takes no literal", "remove it"))
            return None
        if not text:
            return self._wrong(0, self._node.text, broken_condition.fault(f"there is nothing after {operator}"))
        if operator in ("in", "not in"):
            return self._read_list(text, offset)
        if text.startswith("[") and text.endswith("]"):
            return self._wrong(offset, text, broken_list.unneeded(operator))
        return self._read_one(text, offset, is_search=operator in ("contains", "starts_with"))

    def _read_list(self, text: str, offset: int) -> Literal | Fault:
        if not (text.startswith("[") and text.endswith("]") and len(text) > 1):
            return self._wrong(offset, text, broken_list.fault(text))
        inner, position, values = text[1:-1], 0, []
        fault: Fault | None = None
        while True:
            found = _ITEM.match(inner, position)
            if found is None:
                return self._wrong(offset + 1 + position, inner[position:], needs_quotes.fault(inner[position:]))
            item = found.group(1).strip()
            if not item:
                return self._wrong(offset, text, broken_list.empty_item())
            value = self._read_one(item, offset + 1 + found.start(1), is_search=False)
            if isinstance(value, Fault):
                fault = value
            else:
                values.append(value)
            position = found.end()
            if not found.group(2):
                return fault or tuple(values)

    def _read_one(self, text: str, offset: int, *, is_search: bool) -> Scalar | Fault:
        if self._type == "amount":
            return self._read_amount(text, offset)
        if self._type == "number":
            return self._read_number(text, offset)
        if self._type == "time":
            moment = read_day_or_time(text, self._scope.zone)
            return self._wrong(offset, text, moment) if isinstance(moment, Fault) else moment
        if self._type == "flag":
            if text in ("true", "false"):
                return text == "true"
            return self._wrong(offset, text, wrong_type.literal(text, self._path, TYPE_WORDS["flag"], "true or false"))
        if self._type == "attribute" and not is_search and not text.startswith('"'):
            if text in ("true", "false"):
                return text == "true"
            number = read_number(text) if read_decimal(text) else None
            if isinstance(number, Number):
                return number
        return self._read_text(text, offset, is_search=is_search)

    def _read_amount(self, text: str, offset: int) -> Scalar | Fault:
        if read_decimal(text) is not None:
            return self._wrong(offset, text, wrong_unit.missing(text, self._path, self._scope.currency))
        amount = read_amount(text, self._scope.decimals_of)
        if isinstance(amount, Fault):
            return self._wrong(offset, text, amount)
        if not is_currency(amount.unit):
            return self._wrong(offset, text, wrong_unit.not_comparable(amount.unit, self._path, self._scope.currency))
        return amount

    def _read_number(self, text: str, offset: int) -> Scalar | Fault:
        number = read_number(text)
        if isinstance(number, Number):
            return number
        first, _, rest = text.partition(" ")
        if rest and read_decimal(first) is not None:
            is_amount = isinstance(read_amount(text, self._scope.decimals_of), Money)
            if is_amount or rest.isalpha():
                return self._wrong(offset, text, wrong_unit.unneeded(text, self._path))
        if read_decimal(text) is None:
            return self._wrong(
                offset, text, wrong_type.literal(text, self._path, TYPE_WORDS["number"], "a number, such as 500")
            )
        return self._wrong(offset, text, number)

    def _read_text(self, text: str, offset: int, *, is_search: bool) -> Scalar | Fault:
        if text.startswith('"'):
            found = _QUOTED.fullmatch(text)
            if found is None:
                return self._wrong(offset, text, needs_quotes.broken_quotes())
            value = re.sub(r"\\(.)", r"\1", found.group(1))
        elif _NEEDS_QUOTES.search(text):
            return self._wrong(offset, text, needs_quotes.fault(text))
        else:
            value = text
        if self._path == "tier" and not is_search and not self._scope.may_be_tier(value):
            return self._wrong(offset, text, unknown_tier.fault(value, self._scope.tiers))
        if self._path == "event.type" and not is_search and value not in EVENT_TYPES:
            return self._wrong(offset, text, unknown_event_type.fault(value, EVENT_TYPES))
        return value

    def _wrong(self, offset: int, text: str, fault: Fault) -> Fault:
        self._scope.add(self._node.part(offset, len(text)), fault)
        return fault
