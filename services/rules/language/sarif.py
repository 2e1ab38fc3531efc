"""Problems as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change.

One run, one result a problem, one rule a check with its whole page. Columns count characters, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from services.rules.language.checks import CheckPage, all_pages
from services.rules.language.located import LocatedProblem

SARIF_VERSION: Final = "2.1.0"
SARIF_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def problems_as_sarif(problems: Sequence[LocatedProblem], version: str) -> dict[str, Any]:
    """The whole log; `version` is the program's own."""
    pages = all_pages()
    index_of = {page.code: index for index, page in enumerate(pages)}
    driver = {"name": "goodword rules lint", "version": version, "rules": [_rule(page) for page in pages]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, index_of[problem.code]) for problem in problems],
    }
    return {"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [run]}


def _rule(page: CheckPage) -> dict[str, Any]:
    return {
        "id": page.code,
        "shortDescription": {"text": page.sentence},
        "help": {"text": page.page, "markdown": page.page},
    }


def _result(problem: LocatedProblem, rule_index: int) -> dict[str, Any]:
    region = {
        "startLine": problem.line,
        "startColumn": problem.column,
        "endColumn": problem.column + problem.length,
    }
    text = f"{problem.message}: {problem.help}" if problem.help else problem.message
    return {
        "ruleId": problem.code,
        "ruleIndex": rule_index,
        "level": problem.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(problem.path)}, "region": region}}],
    }


def _uri(path: str) -> str:
    """A path as a URI reference (RFC 3986); a colon would make a scheme of what stands before it."""
    named = PurePath(path)
    return named.as_uri() if named.is_absolute() else quote(named.as_posix())
