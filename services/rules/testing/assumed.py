"""In `eligible` and `qualified`, what a test does not mention counts as met: a test says only what it is about.

The rules themselves are rewritten for the test, not the way they are evaluated: a comparison on a fact that the test
does not mention becomes one that is always met (under a `not`: never), with the words of the file. Afterwards its trace
line says "assumed". Metrics, `tier` and `event.type` always have a value and are never assumed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from contracts.decisions import Decision, TraceLine
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, RuleSet, RuleTest
from services.rules.deciding.vocabulary import comparisons

ASSUMED: Final = "assumed"
_ALWAYS_THERE: Final = "partner.id"
_NEVER_ASSUMED: Final = frozenset({"tier", "event.type"})
_CONTEXT: Final = {"source": "event.source"}
GATES: Final = {
    "eligible_partner": "eligible.partner",
    "eligible_customer": "eligible.customer",
    "qualified_lead": "qualified.lead",
    "qualified_deal": "qualified.deal",
}
"""Field of a rule set to the part of the file, as traces name it."""


def unmentioned(rules: RuleSet, test: RuleTest) -> frozenset[str]:
    """The facts that `eligible` and `qualified` ask for and the test does not mention."""
    written = set(test.given).union(*test.events)
    mentioned = {_CONTEXT.get(path, path) for path in written}
    known = {*mentioned, *_NEVER_ASSUMED, *(metric.id for metric in rules.metrics)}
    asked = {each.path for field in GATES for each in _comparisons_of(rules, field)}
    return frozenset(asked - known)


class Assumptions:
    """A rule set in which conditions on some facts count as met.

    Attributes:
        rules: The rule set to evaluate by.
    """

    def __init__(self, rules: RuleSet, paths: frozenset[str]) -> None:
        changed: dict[str, Condition] = {}
        for field in GATES:
            condition: Condition | None = getattr(rules, field)
            if condition is not None:
                changed[field] = _assume(condition, paths, is_wanted=True)
        self.rules = msgspec.structs.replace(rules, **changed)
        self._lines = {
            (part, each.text)
            for field, part in GATES.items()
            for each in _comparisons_of(rules, field)
            if each.path in paths
        }

    def marked(self, decision: Decision) -> Decision:
        """The decision, with "assumed" in the trace lines of what was."""
        trace = tuple(self._marked(line) for line in decision.trace)
        return decision if trace == decision.trace else msgspec.structs.replace(decision, trace=trace)

    def _marked(self, line: TraceLine) -> TraceLine:
        if (line.part, line.condition) not in self._lines:
            return line
        return TraceLine(line.condition, ASSUMED, line.verdict, line.part)


def _comparisons_of(rules: RuleSet, field: str) -> list[Comparison]:
    condition: Condition | None = getattr(rules, field)
    return [] if condition is None else list(comparisons(condition))


def _assume(condition: Condition, assumed: frozenset[str], *, is_wanted: bool) -> Condition:
    match condition:
        case Comparison():
            if condition.path not in assumed:
                return condition
            operator = "exists" if is_wanted else "missing"
            return msgspec.structs.replace(condition, path=_ALWAYS_THERE, operator=operator, literal=None)
        case Not():
            return Not(_assume(condition.condition, assumed, is_wanted=not is_wanted))
        case AllOf():
            return AllOf(tuple(_assume(each, assumed, is_wanted=is_wanted) for each in condition.conditions))
        case AnyOf():
            return AnyOf(tuple(_assume(each, assumed, is_wanted=is_wanted) for each in condition.conditions))
