"""Three-valued conditions as pairs of two-valued ones: when it is met, and when it is not; unknown is neither.

durable-rules knows no third value: a missing field makes each comparison false, also `!=`. So every condition goes to
it twice, as what must hold for it to be met and as what must hold for it to be not met. Rules stay small, because
durable-rules takes every way through `or` as a rule of its own: a part with too many ways becomes a *step* that is
asked before, and its verdict a field (1 or 0, absent when unknown).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from contracts.money import Money
from contracts.ruleset import AllOf, Comparison, Condition, Day, Moment, Not, Number, Scalar
from services.rules.engines.views import SIZE_MAX, View, Views, encoded, member

WAYS_MAX: Final = 6
"""Ways through one rule; from about ten on, durable-rules refuses or reads wrong."""
TESTS_MAX: Final = 24
"""Comparisons in one rule."""
PATTERN_BYTES_MAX: Final = 48
"""Of a text that is looked for inside of another; patterns of more than a hundred characters are never found."""


class Outside(Exception):
    """The condition cannot be put to the second engine; the text says why."""


class Expression(NamedTuple):
    """What durable-rules is told.

    Attributes:
        ways: How many rules it makes of it.
        fields: Views and steps (by number) that it reads.
    """

    json: dict[str, Any]
    ways: int
    tests: int
    fields: frozenset[View | int]


class Rails(NamedTuple):
    """When a condition is met, and when it is not; `is_not` is None for a pattern: not, where it could be met."""

    met: Expression
    is_not: Expression


class Step(NamedTuple):
    """What is asked in one go.

    Attributes:
        depth: How many steps must have been asked one after the other before.
        not_met: None for a pattern: it is not met where its only field is there and the pattern is not found.
    """

    number: int
    depth: int
    met: Expression
    not_met: Expression | None


class Steps:
    """The steps of one rule set; the same part has one."""

    def __init__(self, views: Views) -> None:
        self.all: list[Step] = []
        self._views = views
        self._known: dict[Any, int] = {}
        self._fields: dict[View | int, str] = {}

    def field(self, of: View | int) -> str:
        """The name of a field; `f…` for what a view shows, `s…` for a step."""
        name = self._fields.get(of)
        if name is None:
            name = self._fields[of] = f"s{of}" if isinstance(of, int) else f"f{len(self._fields)}"
        return name

    def of(self, condition: Condition) -> int:
        """The number of the condition's step. Raises Outside."""
        return self._step(self._rails(condition), condition)

    def needed(self, number: int) -> set[int]:
        """The step and all that it needs."""
        found: set[int] = set()
        left = [number]
        while left:
            number = left.pop()
            if number not in found:
                found.add(number)
                left += (each for each in self._fields_of(self.all[number]) if isinstance(each, int))
        return found

    def _fields_of(self, step: Step) -> frozenset[View | int]:
        return step.met.fields | (step.not_met.fields if step.not_met is not None else frozenset())

    def _rails(self, condition: Condition) -> Rails:
        if isinstance(condition, Comparison):
            return self._comparison(condition)
        if isinstance(condition, Not):
            inner = self._rails(condition.condition)
            return Rails(inner.is_not, inner.met)
        parts = [self._rails(each) for each in condition.conditions]
        return self._all(parts) if isinstance(condition, AllOf) else self._any(parts)

    def _all(self, parts: Sequence[Rails]) -> Rails:
        """Met when all are; not met when one is not."""
        parts = self._small(parts)
        return Rails(_and([part.met for part in parts]), _or([part.is_not for part in parts]))

    def _any(self, parts: Sequence[Rails]) -> Rails:
        turned = self._all([Rails(part.is_not, part.met) for part in parts])
        return Rails(turned.is_not, turned.met)

    def _small(self, parts: Sequence[Rails]) -> list[Rails]:
        """As many parts, or as few groups of them, as one rule may have."""
        small = [part if _fits([part]) else self._as_field(part) for part in parts]
        while not _fits(small):
            if any(part.met.ways > 1 or part.is_not.ways > 1 for part in small):
                small = [self._as_field(part) if part.met.ways + part.is_not.ways > 2 else part for part in small]
                continue
            groups = [small[start : start + WAYS_MAX] for start in range(0, len(small), WAYS_MAX)]
            small = [
                self._as_field(Rails(_and([each.met for each in group]), _or([each.is_not for each in group])))
                for group in groups
            ]
        return small

    def _as_field(self, rails: Rails) -> Rails:
        number = self._step(rails, rails.met.json | {"not": rails.is_not.json})
        return self._field_rails(number)

    def _field_rails(self, number: int) -> Rails:
        return Rails(self._test("==", number, 1), self._test("==", number, 0))

    def _step(self, rails: Rails, key: Any) -> int:
        key = repr(key)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._add(rails.met, rails.is_not)
        return number

    def _add(self, met: Expression, not_met: Expression | None) -> int:
        fields = met.fields | (not_met.fields if not_met is not None else frozenset())
        depth = max((self.all[each].depth + 1 for each in fields if isinstance(each, int)), default=0)
        number = len(self.all)
        self.all.append(Step(number, depth, met, not_met))
        return number

    def _comparison(self, comparison: Comparison) -> Rails:
        path, operator, literal = comparison.path, comparison.operator, comparison.literal
        if operator in {"exists", "missing"}:
            there = View(path, "there")
            exists = Rails(self._test("$ex", there, 1), self._test("$nex", there, 1))
            return exists if operator == "exists" else Rails(exists.is_not, exists.met)
        if operator in {"in", "not in"}:
            literals = literal if isinstance(literal, tuple) else (literal,)
            among = self._any([self._equal(path, each) for each in literals if each is not None])
            return among if operator == "in" else Rails(among.is_not, among.met)
        if literal is None or isinstance(literal, tuple):
            raise Outside(f"{comparison.text}: {operator} takes one value")
        if operator == "contains":
            return self._contains(path, text_of(literal))
        if operator == "starts_with":
            text = text_of(literal)
            return self._same_text(View(path, "prefix", length=len(text)), text)
        if operator in {"==", "!="}:
            equal = self._equal(path, literal)
            return equal if operator == "==" else Rails(equal.is_not, equal.met)
        return self._order(path, operator, literal)

    def _equal(self, path: str, literal: Scalar) -> Rails:
        if isinstance(literal, str | bool):
            return self._same_text(View(path, "text"), text_of(literal))
        down, up, size = self._size(path, literal)
        if down == up:
            return Rails(self._test("==", down, size), self._test("$neq", down, size))
        return Rails(
            _and([self._test("==", down, size), self._test("==", up, size)]),
            _or([self._test("$neq", down, size), self._test("$neq", up, size)]),
        )

    def _order(self, path: str, operator: str, literal: Scalar) -> Rails:
        if isinstance(literal, str | bool):
            raise Outside(f"{path} {operator} {literal}: texts have no order")
        down, up, size = self._size(path, literal)
        is_below = Rails(self._test("$lt", down, size), self._test("$gte", down, size))
        is_above = Rails(self._test("$gt", up, size), self._test("$lte", up, size))
        rails = is_below if operator in {"<", ">="} else is_above
        return rails if operator in {"<", ">"} else Rails(rails.is_not, rails.met)

    def _size(self, path: str, literal: Money | Number | Day | Moment) -> tuple[View, View, int]:
        """The views rounded down and up (one and the same where all values are whole), and the literal's size."""
        match literal:
            case Money():
                size, view = literal.amount_minor, View(path, "amount", literal.unit)
            case Number():
                size, view = literal.millionths, View(path, "number")
            case Day():
                return View(path, "day"), View(path, "day"), literal.epoch_day
            case Moment():
                return View(path, "moment"), View(path, "moment"), literal.time_ms
        if abs(size) >= SIZE_MAX:
            raise Outside(f"{path}: the number compared with is too large")
        return view, view._replace(is_up=self._views.has_fractions(path)), size

    def _same_text(self, view: View, text: str) -> Rails:
        return Rails(self._test("==", view, encoded(text)), self._test("$neq", view, encoded(text)))

    def _contains(self, path: str, text: str) -> Rails:
        if len(text.encode(errors="surrogatepass")) > PATTERN_BYTES_MAX:
            raise Outside(f"{path} contains: a text of more than {PATTERN_BYTES_MAX} bytes cannot be looked for")
        is_list = self._views.type_of(path) == "texts"
        pattern = f".*Z{member(text)}.*" if is_list else f".*{encoded(text)}.*"
        found = self._test("$mt", View(path, "members" if is_list else "words"), pattern)
        key = repr(found.json)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._add(found, None)
        return self._field_rails(number)

    def _test(self, operator: str, of: View | int, literal: str | int) -> Expression:
        test = {self.field(of): literal}
        return Expression(test if operator == "==" else {operator: test}, 1, 1, frozenset((of,)))


def text_of(literal: Scalar) -> str:
    """A literal as the text that it is compared with."""
    if isinstance(literal, bool):
        return "true" if literal else "false"
    if isinstance(literal, Number):
        whole, part = divmod(abs(literal.millionths), 1_000_000)
        digits = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
        return f"-{digits}" if literal.millionths < 0 else digits
    if isinstance(literal, str):
        return literal
    raise Outside(f"{literal} is not a text")


def _fits(parts: Sequence[Rails]) -> bool:
    """Whether all of them, and one of them not, are two rules small enough."""
    ways = 1
    for part in parts:
        ways *= part.met.ways
    not_ways = sum(part.is_not.ways for part in parts)
    tests = sum(max(part.met.tests, part.is_not.tests) for part in parts)
    return ways <= WAYS_MAX and not_ways <= WAYS_MAX and tests <= TESTS_MAX


def _and(parts: Sequence[Expression]) -> Expression:
    ways = 1
    for part in parts:
        ways *= part.ways
    return _group("$and", parts, ways)


def _or(parts: Sequence[Expression]) -> Expression:
    return _group("$or", parts, sum(part.ways for part in parts))


def _group(operator: str, parts: Sequence[Expression], ways: int) -> Expression:
    if len(parts) == 1:
        return parts[0]
    fields = frozenset(field for part in parts for field in part.fields)
    return Expression({operator: [part.json for part in parts]}, ways, sum(part.tests for part in parts), fields)
