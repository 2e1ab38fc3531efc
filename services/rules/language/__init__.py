"""Reading and checking rule files: from YAML text to `contracts.ruleset.RuleSet`, or to all faults at once.

Pure: no file is opened, nothing in a rule file is ever executed. docs/rules.md is the user's reference.
"""

from __future__ import annotations

from services.rules.language.located import LocatedProblem, RuleSetErrors
from services.rules.language.read import digest_of, lint_text, read_rule_set
from services.rules.language.report import problems_as_json, render_problems

__all__ = [
    "LocatedProblem",
    "RuleSetErrors",
    "digest_of",
    "lint_text",
    "problems_as_json",
    "read_rule_set",
    "render_problems",
]
