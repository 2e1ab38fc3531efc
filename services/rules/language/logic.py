"""What can be said for certain about comparisons: which can never hold together, and which follow from others.

A condition is first written without `not` (three-valued logic allows it: where a value is missing, a comparison and its
opposite are both unknown), then the comparisons of one path are put side by side. Amounts in different currencies are
left alone, because their order depends on the day's rate. Whatever is not certain counts as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.money import Money
from contracts.ruleset import AllOf, Comparison, Condition, Day, Moment, Not, Number, Operator

OPPOSITE: Final[Mapping[Operator, Operator]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
    "exists": "missing",
    "missing": "exists",
}
"""What an operator becomes under `not`, where the language has a word for it."""
_OPPOSITE: Final[Mapping[str, str]] = {
    **{str(operator): str(opposite) for operator, opposite in OPPOSITE.items()},
    "contains": "not contains",
    "starts_with": "not starts_with",
}
_ORDER: Final = frozenset({"==", "<", "<=", ">", ">="})
_MILLION: Final = 1_000_000


EFFORT_MAX: Final = 30_000
"""Comparisons of one value with another, for a whole file: a thousand rewards need about a third."""


class Effort:
    """How much may still be compared, so that a hostile file costs no square; what is left over is not told."""

    def __init__(self) -> None:
        self._left = EFFORT_MAX

    def allows(self, facts: Sequence[Fact], others: Sequence[Fact]) -> bool:
        """Whether each of these may be compared with each of those; if so, it is spent."""
        cost = sum(fact.weight for fact in facts) * sum(other.weight for other in others)
        if cost > self._left:
            return False
        self._left -= cost
        return True


@dataclass(frozen=True, slots=True)
class Fact:
    """One comparison that must hold, or must not: then its operator is the opposite one.

    Attributes:
        whole: Whether only whole numbers from 0 on are possible, as of a count.
    """

    comparison: Comparison
    operator: str
    whole: bool = False

    @property
    def path(self) -> str:
        return self.comparison.path

    @property
    def weight(self) -> int:
        """How many values it is about."""
        return len(self.comparison.literal) or 1 if isinstance(self.comparison.literal, tuple) else 1

    @property
    def text(self) -> str:
        is_turned = self.operator != self.comparison.operator
        return f"not: {self.comparison.text}" if is_turned else self.comparison.text


@dataclass(frozen=True, slots=True)
class Every:
    parts: tuple[Fact | Every | Some, ...]


@dataclass(frozen=True, slots=True)
class Some:
    parts: tuple[Fact | Every | Some, ...]


Tree = Fact | Every | Some


def without_not(condition: Condition, counts: Container[str] = (), *, turned: bool = False) -> Tree:
    """The condition as facts under `Every` and `Some`; `counts` are the metrics that count."""
    if isinstance(condition, Comparison):
        operator = _OPPOSITE[condition.operator] if turned else condition.operator
        return Fact(condition, operator, condition.path in counts)
    if isinstance(condition, Not):
        return without_not(condition.condition, counts, turned=not turned)
    parts = tuple(without_not(each, counts, turned=turned) for each in condition.conditions)
    return Every(parts) if isinstance(condition, AllOf) != turned else Some(parts)


def needed(tree: Tree) -> Iterator[Fact]:
    """The facts that must hold for the whole to hold."""
    if isinstance(tree, Fact):
        yield tree
    elif isinstance(tree, Every) or len(tree.parts) == 1:
        for part in tree.parts:
            yield from needed(part)


def choices(tree: Tree) -> Iterator[Some]:
    """The groups of which one part must hold for the whole to hold."""
    if isinstance(tree, Some) and len(tree.parts) > 1:
        yield tree
    elif not isinstance(tree, Fact):
        for part in tree.parts:
            yield from choices(part)


def is_plain(tree: Tree) -> bool:
    """Whether it is nothing but facts that must all hold."""
    return isinstance(tree, Fact) or (bool(tree.parts) and next(choices(tree), None) is None)


def can_hold(facts: Sequence[Fact]) -> bool:
    """Whether facts of one path can hold together."""
    operators = {fact.operator for fact in facts}
    if "missing" in operators:
        return operators == {"missing"}
    return _sizes_meet(facts) and _values_are_left(facts) and _texts_fit(facts)


def follows(fact: Fact, other: Fact) -> bool:
    """Whether `other` holds whenever `fact` does."""
    if fact.path != other.path:
        return False
    if "missing" in (fact.operator, other.operator):
        return fact.operator == other.operator
    opposite = next((key for key, value in _OPPOSITE.items() if value == other.operator), _OPPOSITE.get(other.operator))
    return opposite is not None and not can_hold((fact, Fact(other.comparison, opposite, other.whole)))


def all_follow(facts: Sequence[Fact], others: Sequence[Fact]) -> bool:
    return all(any(follows(fact, other) for fact in facts) for other in others)


def _sizes_meet(facts: Sequence[Fact]) -> bool:
    """Whether some size lies within all bounds; each kind and currency for itself."""
    bounds: dict[str, tuple[int | None, int | None]] = {}
    for fact in facts:
        size = _size(fact.comparison.literal)
        if size is None or fact.operator not in _ORDER:
            continue
        kind, value = size
        # Sizes are whole numbers of millionths or minor units: `> 5` is `>= 5 + 1`, and a count steps by a million.
        step = _MILLION if fact.whole else 1
        low, high = bounds.get(kind, (0 if fact.whole else None, None))
        if fact.operator in (">=", ">", "=="):
            least = value if fact.operator != ">" else (value // step + 1) * step
            least = -(-least // step) * step
            low = least if low is None else max(low, least)
        if fact.operator in ("<=", "<", "=="):
            most = value if fact.operator != "<" else (-(-value // step) - 1) * step
            most = most // step * step
            high = most if high is None else min(high, most)
        if low is not None and high is not None and low > high:
            return False
        bounds[kind] = low, high
    return True


def _size(literal: Any) -> tuple[str, int] | None:
    if isinstance(literal, Money):
        return literal.unit, literal.amount_minor
    if isinstance(literal, Number):
        return "number", literal.millionths
    if isinstance(literal, Day):
        return "day", literal.epoch_day
    return ("moment", literal.time_ms) if isinstance(literal, Moment) else None


def _values_are_left(facts: Sequence[Fact]) -> bool:
    """Whether some value is left between those allowed by `==` and `in` and those ruled out by `!=` and `not in`."""
    allowed: list[Any] | None = None
    for fact in facts:
        if fact.operator in ("==", "in"):
            literal = fact.comparison.literal
            these = list(literal) if isinstance(literal, tuple) else [literal]
            allowed = these if allowed is None else [value for value in allowed if _may_equal(value, these)]
    if allowed is None:
        ruled_out = {
            f.comparison.literal for f in facts if f.operator == "!=" and isinstance(f.comparison.literal, bool)
        }
        return ruled_out != {True, False}
    for fact in facts:
        literal = fact.comparison.literal
        if fact.operator in ("!=", "not in"):
            against = literal if isinstance(literal, tuple) else (literal,)
            allowed = [value for value in allowed if value not in against]
        elif fact.operator in _OF_TEXTS and isinstance(literal, str):
            fits = _OF_TEXTS[fact.operator]
            allowed = [value for value in allowed if not isinstance(value, str) or fits(value, literal)]
        elif fact.operator in _ORDER and fact.operator != "==":
            allowed = [value for value in allowed if _sizes_meet((fact, _equal_to(value, fact)))]
    return bool(allowed)


_OF_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "starts_with": lambda value, part: value.startswith(part),
    "not starts_with": lambda value, part: not value.startswith(part),
    "contains": lambda value, part: part in value,
    "not contains": lambda value, part: part not in value,
}


def _may_equal(value: Any, these: list[Any]) -> bool:
    """Whether a value can equal one of these; one of another kind, or an amount in another currency, can."""
    for each in these:
        if value == each or type(value) is not type(each):
            return True
        if isinstance(value, Money) and value.unit != each.unit:
            return True
    return False


def _equal_to(value: Any, fact: Fact) -> Fact:
    return Fact(Comparison(path=fact.path, operator="==", literal=value, text=""), "==", fact.whole)


def _texts_fit(facts: Sequence[Fact]) -> bool:
    """Whether beginnings and parts of a text can stand together."""
    starts = [
        f.comparison.literal for f in facts if f.operator == "starts_with" and isinstance(f.comparison.literal, str)
    ]
    for index, one in enumerate(starts):
        if not all(one.startswith(other) or other.startswith(one) for other in starts[:index]):
            return False
    parts = _texts("contains", facts)
    for fact in facts:
        literal = fact.comparison.literal
        if not isinstance(literal, str):
            continue
        if fact.operator == "not starts_with" and any(one.startswith(literal) for one in starts):
            return False
        # Of a list of texts only the very same item is certain; of a text, whatever contains it.
        if fact.operator == "not contains" and literal in parts:
            return False
    return True


def _texts(operator: str, facts: Sequence[Fact]) -> list[str]:
    found = [fact.comparison.literal for fact in facts if fact.operator == operator]
    return [each for each in found if isinstance(each, str)]
