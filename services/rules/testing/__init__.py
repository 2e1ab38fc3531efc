"""The tests inside a rule file, run by the one `evaluate` that also pays: what passes here is what happens.

Pure: text in, results out. Semantics: docs/rules.md#tests.
"""

from __future__ import annotations

from services.rules.testing.coverage import Unreached, unreached
from services.rules.testing.gate import failing_tests_problem
from services.rules.testing.junit import results_as_junit
from services.rules.testing.report import render_results, render_unreached, report_as_json
from services.rules.testing.run import FileResults, Result, run_tests

__all__ = [
    "FileResults",
    "Result",
    "Unreached",
    "failing_tests_problem",
    "render_results",
    "render_unreached",
    "report_as_json",
    "results_as_junit",
    "run_tests",
    "unreached",
]
