"""No rule set enters into force while one of its own tests does not pass."""

from __future__ import annotations

from contracts.errors import PermanentError, Problem
from services.rules.testing.run import FileResults, run_tests


class RuleTestsFailed(PermanentError):
    """A rule set whose tests do not all pass; it has the results, and its problem is that of the first such test."""

    def __init__(self, tested: FileResults) -> None:
        wrong = [result for result in tested.results if result.verdict != "pass"]
        first = wrong[0]
        is_failure = first.verdict == "fail"
        super().__init__(
            Problem(
                code="rule-tests-failed",
                message=f"{len(wrong)} of {len(tested.results)} tests do not pass, the first is {first.name!r}"
                + ("" if is_failure else f": {first.error}"),
                where=f"{tested.path}:{first.line}",
                help="mend the rules, or what the test expects; `goodword rules test` shows both",
            )
        )
        self.tested = tested


def refuse_failing_tests(text: str, path: str) -> None:
    """Raises RuleTestsFailed unless every test of the file passes, RuleSetErrors when it cannot be read."""
    tested = run_tests(text, path)
    if not tested.is_good:
        raise RuleTestsFailed(tested)
