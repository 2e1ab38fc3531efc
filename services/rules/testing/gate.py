"""No rule set enters into force while one of its own tests does not pass: what to say of one whose tests do not."""

from __future__ import annotations

from contracts.errors import Problem
from services.rules.testing.run import FileResults


def failing_tests_problem(tested: FileResults) -> Problem | None:
    """The problem, at the place of the first test that does not pass; None when all do."""
    wrong = [result for result in tested.results if result.verdict != "pass"]
    if not wrong:
        return None
    first = wrong[0]
    return Problem(
        code="rule-tests-failed",
        message=f"{len(wrong)} of {len(tested.results)} tests do not pass, the first is {first.name!r}"
        + ("" if first.verdict == "fail" else f": {first.error}"),
        where=f"{tested.path}:{first.line}",
        help="mend the rules, or what the test expects; `goodword rules test` shows both",
    )
