"""Runs the tests of a rule file: each with a partner of its own, by the very `evaluate` that decides live events.

A test passes, or fails (something else was granted, or nothing was denied for the reason it names), or is an error:
it could not be run, so nobody knows. A file that uses parts of the language which this version does not carry out has
nothing but errors: what would be granted without them says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from contracts.decisions import Decision
from contracts.errors import PermanentError
from contracts.ruleset import RuleSet, RuleTest
from services.rules.compile import CompiledRevision, compile_rule_set
from services.rules.evaluate import evaluate
from services.rules.language import read_rule_set
from services.rules.testing.assumed import Assumptions, unmentioned
from services.rules.testing.expected import Difference, compare
from services.rules.testing.seed import learn, seeded_state
from services.rules.testing.shorthand import Shorthand, UnusableTest
from services.rules.testing.story import Story

Verdict = Literal["pass", "fail", "error"]
ASSUMPTIONS_MAX: Final = 200
"""Different sets of facts that the tests of a file may leave to be assumed: rules are compiled for each."""
_REVISION: Final = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test.

    Attributes:
        line: Of the file, from 1.
        difference: Expected and got; None for an error.
        decisions: All of them, in order, with "assumed" in the trace where that is so.
        error: Why the test could not be run.
    """

    name: str
    line: int
    verdict: Verdict
    difference: Difference | None = None
    decisions: tuple[Decision, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class FileResults:
    """What became of a file's tests, in file order. `path` is as it was given."""

    path: str
    rules: RuleSet
    results: list[Result] = field(default_factory=list)

    def count(self, verdict: Verdict) -> int:
        return sum(result.verdict == verdict for result in self.results)

    @property
    def is_good(self) -> bool:
        return all(result.verdict == "pass" for result in self.results)


def run_tests(text: str, path: str) -> FileResults:
    """Run all tests of a rule file.

    Raises:
        RuleSetErrors: The file has errors.
    """
    rules = read_rule_set(text, path=path)
    runner = _Runner(rules)
    return FileResults(path, rules, [runner.run(test) for test in rules.tests])


class _Runner:
    """Runs tests of one rule set; those that assume the same share what was compiled."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._shorthand = Shorthand(rules)
        self._compiled: dict[frozenset[str], tuple[Assumptions, CompiledRevision]] = {}

    def run(self, test: RuleTest) -> Result:
        try:
            decisions = self._decide(test)
        except PermanentError as error:
            return Result(test.name, test.line, "error", error=error.problem.message)
        difference = compare(test, decisions, self._rules)
        verdict: Verdict = "pass" if difference.is_none else "fail"
        return Result(test.name, test.line, verdict, difference, tuple(decisions))

    def _decide(self, test: RuleTest) -> list[Decision]:
        assumptions, revision = self._revision_for(unmentioned(self._rules, test))
        story = Story(self._rules, test, self._shorthand)
        happenings = story.happenings()
        state = seeded_state(self._rules, test, story.partner, happenings, self._shorthand)
        decisions: list[Decision] = []
        for happening in happenings:
            if happening.profile is not None:
                learn(state, happening.profile)
            state, made = evaluate(state, happening.event, revision)
            decisions += made
        return [assumptions.marked(decision) for decision in decisions]

    def _revision_for(self, assumed: frozenset[str]) -> tuple[Assumptions, CompiledRevision]:
        known = self._compiled.get(assumed)
        if known is None:
            if len(self._compiled) >= ASSUMPTIONS_MAX:
                raise UnusableTest(
                    f"the tests of this file mention more than {ASSUMPTIONS_MAX} different sets of the facts that "
                    "eligible and qualified ask for"
                )
            assumptions = Assumptions(self._rules, assumed)
            known = self._compiled[assumed] = assumptions, compile_rule_set(assumptions.rules, revision=_REVISION)
        return known
