"""Which branch of a lookup is taken: by one text, by several, or by a number (docs/rules.md#lookups).

The trace line names the branch by `branch_text`, so that people see the row that paid, and coverage can tell rows apart
that give the same. Without a branch nothing is given, and the reason says for what.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from contracts.decisions import TraceLine, Verdict
from contracts.money import PPM, Money, format_money
from contracts.ruleset import Bracket, Brackets, Given, Lookup, Number, Row, Rows
from services.rules.amounts.measures import Market, as_number, describe, in_currency, number_text
from services.rules.amounts.rates import Rates
from services.rules.deciding.vocabulary import Vocabulary

PART: Final = "amount"
CHOICES_MAX: Final = 4096
"""Combinations of texts that a lookup by rows remembers."""


class Chosen(NamedTuple):
    """What a lookup came to: `given` is None with a reason."""

    given: Given | None
    trace: tuple[TraceLine, ...]
    reason: str


class Chooser(Protocol):
    """A lookup, ready to be asked with the values at its paths, in their order."""

    def choose(self, values: Sequence[Any], day: int, rates: Rates) -> Chosen: ...


def chooser_of(lookup: Lookup | Rows | Brackets, vocabulary: Vocabulary) -> Chooser:
    if isinstance(lookup, Lookup):
        return _ByText(lookup)
    return _ByTexts(lookup) if isinstance(lookup, Rows) else _ByNumber(lookup, vocabulary)


def paths_of(lookup: Lookup | Rows | Brackets) -> tuple[str, ...]:
    """What the lookup looks at."""
    return lookup.by if isinstance(lookup, Rows) else (lookup.by,)


def branch_text(lookup: Lookup | Rows | Brackets, branch: Row | Bracket | None) -> str:
    """How a trace names the branch: `by [tier, deal.product]: [gold, any]`; None is `otherwise`, or of one text."""
    by = f"[{', '.join(lookup.by)}]" if isinstance(lookup, Rows) else lookup.by
    if branch is None:
        return f"by {by}"
    if isinstance(branch, Row):
        return f"by {by}: [{', '.join('any' if value is None else value for value in branch.values)}]"
    return f"by {by}: from {bound_text(branch)}"


def bound_text(bracket: Bracket) -> str:
    """The lower bound: `10000.00 USD`, `7.5`."""
    return format_money(bracket.at) if isinstance(bracket.at, Money) else number_text(bracket.at.millionths)


class _ByText:
    """A lookup by one text."""

    def __init__(self, lookup: Lookup) -> None:
        self._path = lookup.by
        self._text = branch_text(lookup, None)
        self._taken: dict[Any, Chosen] = {
            value: Chosen(given, (TraceLine(self._text, value, "met", PART),), "")
            for value, given in reversed(lookup.values)
        }
        self._otherwise = lookup.otherwise

    def choose(self, values: Sequence[Any], day: int, rates: Rates) -> Chosen:
        value = values[0]
        taken = self._taken.get(value if value.__class__ is str else _as_text(value))
        if taken is not None:
            return taken
        return _otherwise(self._otherwise, self._text, (self._path,), values)


class _ByTexts:
    """A lookup by several texts: the first row that matches, remembered by what was looked up."""

    def __init__(self, lookup: Rows) -> None:
        self._by = lookup.by
        self._text = branch_text(lookup, None)
        self._rows = [(row.values, row.given, branch_text(lookup, row)) for row in lookup.rows]
        self._otherwise = lookup.otherwise
        self._memo: dict[tuple[str | None, ...], Chosen] = {}

    def choose(self, values: Sequence[Any], day: int, rates: Rates) -> Chosen:
        texts = tuple(_as_text(value) for value in values)
        chosen = self._memo.get(texts)
        if chosen is None:
            if len(self._memo) >= CHOICES_MAX:
                self._memo.clear()
            chosen = self._memo[texts] = self._choose(texts)
        return chosen

    def _choose(self, texts: tuple[str | None, ...]) -> Chosen:
        for wanted, given, name in self._rows:
            if all(want is None or want == text for want, text in zip(wanted, texts, strict=True)):
                return Chosen(given, (TraceLine(name, _seen(self._by, texts), "met", PART),), "")
        return _otherwise(self._otherwise, self._text, self._by, texts)


class _ByNumber:
    """A lookup by brackets: the one with the largest bound at or below the number."""

    def __init__(self, lookup: Brackets, vocabulary: Vocabulary) -> None:
        self._path = lookup.by
        self._text = branch_text(lookup, None)
        self._kind = vocabulary.kind(lookup.by)
        self._decimals = vocabulary.decimals
        first = lookup.brackets[0].at
        self._currency = first.unit if isinstance(first, Money) else None
        self._bounds = [bound_of(bracket) for bracket in lookup.brackets]
        self._taken = [(bracket.given, branch_text(lookup, bracket)) for bracket in lookup.brackets]
        self._otherwise = lookup.otherwise

    def choose(self, values: Sequence[Any], day: int, rates: Rates) -> Chosen:
        value = values[0]
        if value is None:
            return _otherwise(None, self._text, (self._path,), values)
        saw = describe(value, self._kind, self._decimals)
        place, note = self._place(value, Market(day, rates))
        if place is None:
            reason = f"{self._text}: {saw}, {note}"
            return Chosen(None, (TraceLine(self._text, f"{saw}, {note}", "unknown", PART),), f"{PART}: {reason}")
        shown = f"{saw}, {note}" if note else saw
        if place < 0:
            return _otherwise(self._otherwise, self._text, (self._path,), (shown,))
        given, name = self._taken[place]
        return Chosen(given, (TraceLine(name, shown, "met", PART),), "")

    def _place(self, value: Any, market: Market) -> tuple[int | None, str]:
        """The place of the bracket, -1 below the lowest, None when it cannot be told; and what there is to say."""
        if self._currency is not None:
            measured = in_currency(value, self._kind, self._currency, market)
            if isinstance(measured, str):
                return None, measured
            return bisect_right(self._bounds, measured.minor) - 1, measured.note
        number = as_number(value, self._kind)
        return (None, "not a number") if number is None else (bisect_right(self._bounds, number * PPM) - 1, "")


def bound_of(bracket: Bracket) -> int:
    """The lower bound in minor units, or in millionths of a plain number."""
    return bracket.at.millionths if isinstance(bracket.at, Number) else bracket.at.amount_minor


def _otherwise(given: Given | None, text: str, paths: Sequence[str], values: Sequence[Any]) -> Chosen:
    """No branch matches."""
    saw = _seen(paths, values)
    if given is not None:
        return Chosen(given, (TraceLine(text, saw, "not met", PART),), "")
    verdict: Verdict = "unknown" if None in values else "not met"
    if len(paths) == 1 and values[0] is None:
        return Chosen(None, (TraceLine(text, saw, verdict, PART),), f"{PART}: {saw}")
    told = " and ".join(
        f"no {path}" if value is None else f"{path} {value}" for path, value in zip(paths, values, strict=True)
    )
    return Chosen(None, (TraceLine(text, saw, verdict, PART),), f"{PART}: nothing is given for {told}")


def _seen(paths: Sequence[str], values: Sequence[Any]) -> str:
    """`gold, GTX Pro`, or what of it is missing."""
    pairs = zip(paths, values, strict=True)
    return ", ".join(f"{path} is missing" if value is None else str(value) for path, value in pairs)


def _as_text(value: Any) -> str | None:
    """A number that a sender put into an attribute is looked up as text."""
    return None if value is None else str(value)
