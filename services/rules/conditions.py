"""From the conditions of a rule set to Python functions, compiled once per revision.

The generated source contains indexes and names of ours only, never a text of the rule file: paths, literals and trace
texts are handed over in tables, so no rule file can smuggle in code. A generated function takes the list of values that
one event shows (`slots`), and returns whether the condition is met, the reason when it is not, and the trace of every
comparison in file order. `all`, `any` and `not` follow Kleene's logic; nothing is cut short, so that traces are
complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from contracts.decisions import TraceLine
from contracts.events import Amount
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not
from services.rules.judge import Leaf

Judged = tuple[bool, str, tuple[TraceLine, ...]]
Judge = Callable[[list[Any]], Judged]
Test = Callable[[list[Any]], bool]
MakeLeaf = Callable[[Comparison], tuple[Leaf, int, bool]]
"""From a comparison to its leaf, the slot it reads, and whether that is a metric, which is read when first asked."""


REMEMBERED_MAX: Final = 256
"""Answers that one condition remembers, by the values it saw."""


class Unread:
    """The value of a metric's slot that nobody asked for yet."""


UNREAD: Final = Unread()


def compile_condition(
    condition: Condition, make_leaf: MakeLeaf, readers: dict[int, Callable[[list[Any]], Any]]
) -> Judge:
    """A function that judges the condition on an event's slots.

    Args:
        condition: The tree.
        make_leaf: See `MakeLeaf`.
        readers: Slot to what reads the metric behind it.
    """
    writer = _Writer(make_leaf, readers, is_traced=True)
    verdict, reason = writer.condition(condition)
    judge: Judge = writer.function(
        f"if {verdict}: return True, '', ({writer.trace})", f"return False, {reason}, ({writer.trace})"
    )
    return _remembering(condition, judge, make_leaf, readers)


class _Judgements(dict[tuple[Any, ...], Judged]):
    """What a whole condition made of the values its comparisons saw; fills itself."""

    def __init__(self, slots: list[int], judge: Judge) -> None:
        super().__init__()
        self._slots = slots
        self._judge = judge

    def __missing__(self, values: tuple[Any, ...]) -> Judged:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        x: list[Any] = [None] * (max(self._slots, default=0) + 1)
        for slot, value in zip(self._slots, values, strict=True):
            x[slot] = value
        judged = self[values] = self._judge(x)
        return judged


def _remembering(
    condition: Condition, judge: Judge, make_leaf: MakeLeaf, readers: dict[int, Callable[[list[Any]], Any]]
) -> Judge:
    """The same function, remembering its answers by the values seen, unless values hardly ever come again."""
    slots: dict[int, None] = {}
    for comparison in comparisons(condition):
        leaf, slot, _ = make_leaf(comparison)
        if leaf.has_many_values:
            return judge
        slots[slot] = None
    names: dict[str, Any] = {"U": UNREAD, "m": _Judgements(list(slots), judge)}
    lines = ["def remembering(x):"]
    for slot in slots:
        lines.append(f" v{slot} = x[{slot}]")
        if slot in readers:
            names[f"g{slot}"] = readers[slot]
            lines.append(f" if v{slot} is U: v{slot} = x[{slot}] = g{slot}(x)")
    lines.append(f" return m[{''.join(f'v{slot}, ' for slot in slots)}]" if slots else " return m[()]")
    exec(compile("\n".join(lines), "<compiled rules>", "exec"), names)  # noqa: S102 - indexes and names of ours only
    remembering: Judge = names["remembering"]
    return remembering


def compile_test(condition: Condition, make_leaf: MakeLeaf, readers: dict[int, Callable[[list[Any]], Any]]) -> Test:
    """A function that only says whether the condition is met: what `compile_condition` answers first, for less."""
    writer = _Writer(make_leaf, readers, is_traced=False)
    verdict, _ = writer.condition(condition)
    test: Test = writer.function(f"return {verdict} is True")
    return test


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison of the tree, in file order."""
    match condition:
        case Comparison():
            yield condition
        case Not():
            yield from comparisons(condition.condition)
        case AllOf() | AnyOf():
            for each in condition.conditions:
                yield from comparisons(each)


class _Writer:
    """Writes the lines of one judging function.

    Every condition leaves a variable with its verdict (True, False or None) and an expression for why it is not met.
    """

    def __init__(self, make_leaf: MakeLeaf, readers: dict[int, Callable[[list[Any]], Any]], *, is_traced: bool) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"U": UNREAD, "A": Amount, "T": TraceLine}
        self._is_traced = is_traced
        self._make_leaf = make_leaf
        self._readers = readers
        self._traced: list[str] = []
        self._count = 0

    @property
    def trace(self) -> str:
        return "".join(f"{name}," for name in self._traced)

    def function(self, *last: str) -> Any:
        """The function of the lines written so far and these last ones."""
        source = "\n".join(["def judge(x):", *(f" {line}" for line in (*self.lines, *last))])
        exec(compile(source, "<compiled rules>", "exec"), self.names)  # noqa: S102 - indexes and names of ours only
        return self.names["judge"]

    def condition(self, condition: Condition) -> tuple[str, str]:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Not():
                return self._not(condition)
            case AllOf():
                return self._all(condition)
            case AnyOf():
                return self._any(condition)

    def _comparison(self, comparison: Comparison) -> tuple[str, str]:
        number = self._next()
        leaf, slot, is_metric = self._make_leaf(comparison)
        self.names[f"m{number}"] = leaf
        self.lines.append(f"v = x[{slot}]")
        if is_metric:
            self.names[f"g{slot}"] = self._readers[slot]
            self.lines.append(f"if v is U: v = x[{slot}] = g{slot}(x)")
        if self._is_traced:
            self._judged(number, leaf, slot)
            self._traced.append(f"t{number}")
        else:
            self._tested(number, leaf)
        return f"r{number}", f"q{number}"

    def _judged(self, number: int, leaf: Leaf, slot: int) -> None:
        """Verdict, trace line and reason; amounts are compared right here, because they differ from event to event."""
        inline = leaf.inline
        ask = f"r{number}, t{number}, q{number} = m{number}[v]"
        if inline is None or not inline.has_many_values:
            self.lines.append(ask)
            return
        value, is_plain = ("v", "v is not None") if inline.currency is None else ("v.minor", "v.__class__ is A")
        if inline.currency is not None:
            self.names[f"c{number}"] = inline.currency
            is_plain += f" and v.currency == c{number}"
        self.names |= {
            f"l{number}": inline.literal,
            f"k{number}": leaf.comparison.text,
            f"p{number}": leaf.part,
            f"w{number}": leaf.reason_not_met,
            f"s{number}": leaf.describe,
        }
        self.lines += [
            f"if {is_plain}:",
            f" r{number} = {value} {inline.operator} l{number}",
            f" s = x[{slot + 1}]",
            f" if s is None: s = x[{slot + 1}] = s{number}(v)",
            f" if r{number}: t{number} = T(k{number}, s, 'met', p{number}); q{number} = ''",
            f" else: t{number} = T(k{number}, s, 'not met', p{number}); q{number} = w{number}",
            f"else: {ask}",
        ]

    def _tested(self, number: int, leaf: Leaf) -> None:
        """The verdict alone."""
        inline = leaf.inline
        if inline is None:
            self.lines.append(f"r{number} = m{number}[v][0]")
            return
        self.names[f"l{number}"] = inline.literal
        if inline.currency is not None:
            self.names[f"c{number}"] = inline.currency
            is_plain = f"v.__class__ is A and v.currency == c{number}"
            compared = f"v.minor {inline.operator} l{number}"
            self.lines.append(f"r{number} = ({compared}) if {is_plain} else m{number}[v][0]")
            return
        self.lines.append(f"r{number} = None if v is None else v {inline.operator} l{number}")

    def _not(self, condition: Not) -> tuple[str, str]:
        inner, inner_reason = self.condition(condition.condition)
        number = self._next()
        self.names[f"k{number}"] = f"not ({words(condition.condition)})"
        self.lines.append(f"r{number} = None if {inner} is None else not {inner}")
        return f"r{number}", f"(k{number} if {inner} else {inner_reason})"

    def _all(self, condition: AllOf) -> tuple[str, str]:
        parts = [self.condition(each) for each in condition.conditions]
        number = self._next()
        is_false = " or ".join(f"{verdict} is False" for verdict, _ in parts) or "False"
        is_unknown = " or ".join(f"{verdict} is None" for verdict, _ in parts) or "False"
        self.lines.append(f"r{number} = False if {is_false} else None if {is_unknown} else True")
        reason = "''"
        for verdict, each in reversed(parts):
            reason = f"({each} if not {verdict} else {reason})"
        return f"r{number}", reason

    def _any(self, condition: AnyOf) -> tuple[str, str]:
        parts = [self.condition(each) for each in condition.conditions]
        number = self._next()
        is_true = " or ".join(verdict for verdict, _ in parts) or "False"
        is_unknown = " or ".join(f"{verdict} is None" for verdict, _ in parts) or "False"
        self.lines.append(f"r{number} = True if {is_true} else None if {is_unknown} else False")
        return f"r{number}", parts[0][1] if parts else "''"

    def _next(self) -> int:
        self._count += 1
        return self._count


def words(condition: Condition) -> str:
    """The condition on one line, for reasons."""
    match condition:
        case Comparison():
            return condition.text
        case Not():
            return f"not ({words(condition.condition)})"
        case AllOf():
            return " and ".join(_bracketed(each) for each in condition.conditions)
        case AnyOf():
            return " or ".join(_bracketed(each) for each in condition.conditions)


def _bracketed(condition: Condition) -> str:
    return f"({words(condition)})" if isinstance(condition, AllOf | AnyOf) else words(condition)
