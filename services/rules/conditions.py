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
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not
from services.rules.judge import Leaf

Judged = tuple[bool, str, tuple[TraceLine, ...]]
Judge = Callable[[list[Any]], Judged]
MakeLeaf = Callable[[Comparison], tuple[Leaf, int, bool]]
"""From a comparison to its leaf, the slot it reads, and whether that is a metric, which is read when first asked."""


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
    writer = _Writer(make_leaf, readers)
    verdict, reason = writer.condition(condition)
    source = "\n".join(
        [
            "def judge(x):",
            *(f" {line}" for line in writer.lines),
            f" if {verdict}: return True, '', ({writer.trace})",
            f" return False, {reason}, ({writer.trace})",
        ]
    )
    names = writer.names
    exec(compile(source, "<compiled rules>", "exec"), names)  # noqa: S102 - indexes and names of ours only
    judge: Judge = names["judge"]
    return judge


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

    def __init__(self, make_leaf: MakeLeaf, readers: dict[int, Callable[[list[Any]], Any]]) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"U": UNREAD}
        self._make_leaf = make_leaf
        self._readers = readers
        self._traced: list[str] = []
        self._count = 0

    @property
    def trace(self) -> str:
        return "".join(f"{name}," for name in self._traced)

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
        value = f"x[{slot}]"
        if is_metric:
            self.names[f"g{slot}"] = self._readers[slot]
            self.lines += [f"v = x[{slot}]", f"if v is U: v = x[{slot}] = g{slot}(x)"]
            value = "v"
        self.lines.append(f"r{number}, t{number}, q{number} = m{number}[{value}]")
        self._traced.append(f"t{number}")
        return f"r{number}", f"q{number}"

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
