"""Conditions as lines of code (docs/rules.md#conditions): three-valued (Kleene) logic, with the whole trace.

Nothing is cut short, so that traces are complete. A comparison is judged once per function and part of the file,
however many conditions hold it. Locals: `r…` a verdict (True, False, None for unknown), `t…` a trace line, `q…` why it
is not met (empty when it is).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from contracts.decisions import TraceLine
from contracts.events import Amount
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not
from services.rules.deciding.judge import Inline, Leaf, words
from services.rules.generate.reads import Reads


class Judged(NamedTuple):
    """What the written lines leave behind.

    Attributes:
        reason: Expression for why the condition is not met; empty text when it is.
        trace: Names of the trace lines of all comparisons, in file order.
    """

    reason: str
    trace: list[str]


class _Part(NamedTuple):
    """A part of a condition; `reason` means something only where the verdict is not True."""

    verdict: str
    reason: str
    is_reason_exact: bool
    """Whether the reason is empty when the part is met."""


class Conditions:
    """Writes conditions of one part of the file (`when`, `eligible.partner`, …) into a function."""

    def __init__(self, reads: Reads, part: str, day: str = "day") -> None:
        self._reads = reads
        self._source = reads.source
        self._part = part
        self._day = day
        self._traced: list[str] | None = None

    def judged(self, condition: Condition) -> Judged:
        """Write what judges the condition, with reason and trace."""
        trace: list[str] = []
        self._traced = trace
        if isinstance(condition, AllOf):
            parts = [self._condition(each) for each in condition.conditions]
        else:
            parts = [self._condition(condition)]
        reasons = [
            part.reason if part.is_reason_exact else f"('' if {part.verdict} else {part.reason})" for part in parts
        ]
        reason = " or ".join(reasons) or "''"
        if self._reads.vocabulary.probe is not None:
            self._reads.vocabulary.probe.write_judged(self._reads, condition, reason)
        return Judged(reason, trace)

    def tested(self, condition: Condition) -> str:
        """Write what only tells whether the condition is met, for less; returns an expression, true when it is."""
        self._traced = None
        if isinstance(condition, AllOf):
            return " and ".join(self._condition(each).verdict for each in condition.conditions) or "True"
        return self._condition(condition).verdict

    def verdict(self, condition: Condition) -> str:
        """Write what only tells met, not met or unknown; returns the expression: True, False or None."""
        self._traced = None
        return self._condition(condition).verdict

    def _condition(self, condition: Condition) -> _Part:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Not():
                return self._not(condition)
            case AllOf():
                return self._all([self._condition(each) for each in condition.conditions])
            case AnyOf():
                return self._any([self._condition(each) for each in condition.conditions])

    def _not(self, condition: Not) -> _Part:
        inner = self._condition(condition.condition)
        verdict = self._source.fresh("r")
        self._source.add(f"{verdict} = None if {inner.verdict} is None else not {inner.verdict}")
        text = self._source.constant(f"not ({words(condition.condition)})")
        return _Part(verdict, f"({text} if {inner.verdict} else {inner.reason})", is_reason_exact=False)

    def _all(self, parts: list[_Part]) -> _Part:
        """False when one is false, else unknown when one is unknown; the reason is that of the first not met."""
        reason = "''"
        for each in reversed(parts):
            reason = f"({each.reason} if not {each.verdict} else {reason})"
        verdict = self._source.fresh("r")
        is_false = " or ".join(f"{each.verdict} is False" for each in parts) or "False"
        is_unknown = " or ".join(f"{each.verdict} is None" for each in parts) or "False"
        self._source.add(f"{verdict} = False if {is_false} else None if {is_unknown} else True")
        return _Part(verdict, reason, is_reason_exact=False)

    def _any(self, parts: list[_Part]) -> _Part:
        """True when one is true, else unknown when one is unknown; the reason is that of the first."""
        verdict = self._source.fresh("r")
        is_true = " or ".join(each.verdict for each in parts) or "False"
        is_unknown = " or ".join(f"{each.verdict} is None" for each in parts) or "False"
        self._source.add(f"{verdict} = True if {is_true} else None if {is_unknown} else False")
        return _Part(verdict, parts[0].reason if parts else "''", is_reason_exact=False)

    def _comparison(self, comparison: Comparison) -> _Part:
        leaf = self._reads.vocabulary.leaf(comparison, self._part)
        value = self._reads.value(comparison.path, self._day)
        if self._traced is None:
            write = lambda name: self._test(name, leaf, value)  # noqa: E731
            return _Part(self._source.once(("test", id(leaf), value), "r", write), "''", is_reason_exact=False)
        write = lambda name: self._judge(name, leaf, value)  # noqa: E731
        name = self._source.once(("judged", id(leaf), value), "", write)
        self._traced.append(f"t{name}")
        return _Part(f"r{name}", f"q{name}", is_reason_exact=True)

    def _judge(self, name: str, leaf: Leaf, value: str) -> None:
        """Ask the leaf, which remembers by value; amounts are compared right here, for they hardly ever come again."""
        source, constant = self._source, self._source.constant
        ask = f"r{name}, t{name}, q{name} = {self._asked(leaf, value)}"
        inline = leaf.inline
        if inline is None or not inline.has_many_values:
            source.add(ask)
            return
        saw = self._words(leaf, value)
        is_plain, compared = self._compared(inline, value)
        text, part = constant(leaf.comparison.text), constant(leaf.part)
        with source.block(f"if {is_plain}:"):
            line = constant(TraceLine)
            with source.block(f"if {compared}:"):
                source.add(f"r{name} = True; q{name} = ''; t{name} = {line}({text}, {saw}, 'met', {part})")
            with source.block("else:"):
                source.add(
                    f"r{name} = False; q{name} = {constant(leaf.reason_not_met)}; "
                    f"t{name} = {line}({text}, {saw}, 'not met', {part})"
                )
        with source.block("else:"):
            source.add(ask)

    def _test(self, name: str, leaf: Leaf, value: str) -> None:
        inline = leaf.inline
        ask = f"{self._asked(leaf, value)}[0]"
        if inline is None:
            self._source.add(f"{name} = {ask}")
            return
        is_plain, compared = self._compared(inline, value)
        self._source.add(f"{name} = {compared} if {is_plain} else {ask}")

    def _asked(self, leaf: Leaf, value: str) -> str:
        """The judgement of the leaf: of its memory, unless it has to look at the rates of the day."""
        if leaf.converts:
            return f"{self._source.constant(leaf)}.at({value}, {self._day}, state.rates)"
        return f"{self._source.constant(leaf)}[{value}]"

    def _compared(self, inline: Inline, value: str) -> tuple[str, str]:
        """Whether the value can be compared here, and the comparison."""
        literal = self._source.constant(inline.literal)
        if inline.currency is None:
            return f"{value} is not None", f"{value} {inline.operator} {literal}"
        amount, currency = self._source.constant(Amount), self._source.constant(inline.currency)
        is_plain = f"{value}.__class__ is {amount} and {value}.currency == {currency}"
        return is_plain, f"{value}.minor {inline.operator} {literal}"

    def _words(self, leaf: Leaf, value: str) -> str:
        """The local with the value in words, made once for all who show it."""
        describe: Any = self._source.constant(leaf.describer)

        def write(name: str) -> None:
            words = f"None if {value} is None else {describe}({value})"
            memo = self._reads.memo
            if memo is None:
                self._source.add(f"{name} = {words}")
                return
            key = self._source.constant(("words", leaf.comparison.path))
            self._source.add(f"{name} = {memo}.get({key})")
            with self._source.block(f"if {name} is None:"):
                self._source.add(f"{name} = {memo}[{key}] = {words}")

        return self._source.once(("words", value), "w", write)
