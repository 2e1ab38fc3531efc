"""The cases of tests/cases/lint: a rule file's text, and how its problems must look on a terminal.

`head: true` puts a correct head of four lines before `rules`. After a deliberate change of a message, run with
GOODWORD_SNAPSHOTS=update and read the difference in review.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.rules.language import LocatedProblem, lint_text

FOLDER = Path(__file__).parents[3] / "cases" / "lint"
HEAD = "schema: goodword/v1\nprogramme: partners\ncurrency: USD\ntimezone: UTC\n"


@dataclass(frozen=True)
class LintCase:
    file: str
    note: str
    text: str
    want: str

    def lint(self, path: str) -> list[LocatedProblem]:
        return lint_text(self.text, path)


def load_cases() -> list[LintCase]:
    return [_case(path.name, entry) for path in sorted(FOLDER.glob("*.yaml")) for entry in _entries(path)]


def update_wants(wants: dict[tuple[str, str], str]) -> None:
    """Write the rendered problems back into the case files."""
    for path in sorted(FOLDER.glob("*.yaml")):
        entries = _entries(path)
        for entry in entries:
            entry["want"] = wants[path.name, entry["note"]]
        blocks = [
            yaml.dump([entry], Dumper=_LiteralDumper, sort_keys=False, width=1000, allow_unicode=True)
            for entry in entries
        ]
        path.write_text("\n".join(blocks), encoding="utf-8")


def _entries(path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries


def _case(file: str, entry: dict[str, Any]) -> LintCase:
    text = (HEAD if entry.get("head") else "") + entry["rules"]
    return LintCase(file, entry["note"], text, entry.get("want", ""))


class _LiteralDumper(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a case reads like a file and its report."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_LiteralDumper.add_representer(str, _represent_text)
