"""Writes the generated parts of the docs: `python -m goodword.generate`, or `--check` to prove them fresh.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the page is prose.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from fastapi import FastAPI

from contracts.decisions import Decision
from contracts.events import BROADCAST_TYPES, EVENT_TYPES, REQUIRED_FIELDS, SYSTEM_TYPES, StrictData
from contracts.facts import RewardNotice, TransferPosted
from contracts.rates import RatePublished
from contracts.topics import TOPICS
from goodword.settings_table import HEAD, rows
from runtime.metrics import CATALOGUE
from runtime.settings import Settings
from services.notify.settings import NotifySettings
from services.rewards import api as rewards_api
from services.rewards.settings import RewardsSettings
from services.rules import api as rules_api
from services.rules.language.docs import checks_table, operators_table, paths_table
from services.rules.language.schema import rule_file_schema
from services.rules.settings import RulesSettings
from services.tracking.settings import TrackingSettings

_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def metrics() -> str:
    rows = []
    for metric in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows += [
            (f"`goodword_{service}_{metric.what}`", metric.kind, labels, metric.help, metric.action)
            for service in metric.services
        ]
    return _table(("metric", "kind", "labels", "what it says", "what to do"), rows)


def topics() -> str:
    rows = [
        (f"`{t.name}`", t.key, ", ".join(t.written_by), ", ".join(t.read_by) or "(yours)", f"`{t.dlq}`") for t in TOPICS
    ]
    return _table(("topic", "key", "written by", "read by", "dead letters"), rows)


def event_types() -> str:
    rows = [(f"`{name}`", ", ".join(f"`{field}`" for field in REQUIRED_FIELDS[name])) for name in EVENT_TYPES]
    rows += [(f"`{name}`", "written by the system to every partition; refused at the door") for name in BROADCAST_TYPES]
    rows += [
        (f"`{name}`", "written by the system to a partner's partition; refused at the door") for name in SYSTEM_TYPES
    ]
    return _table(("type", "needs, besides `programme`"), rows)


def _schema(kind: type) -> str:
    return "```json\n" + json.dumps(msgspec.json.schema(kind), indent=1, sort_keys=True) + "\n```\n"


def _openapi(api: FastAPI) -> str:
    return json.dumps(api.openapi(), indent=1, ensure_ascii=False) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "metrics": metrics,
    "settings-shared": lambda: _table(HEAD, rows(Settings)),
    "settings-tracking": lambda: _table(HEAD, rows(TrackingSettings)),
    "settings-rules": lambda: _table(HEAD, rows(RulesSettings)),
    "settings-rewards": lambda: _table(HEAD, rows(RewardsSettings)),
    "settings-notify": lambda: _table(HEAD, rows(NotifySettings)),
    "topics": topics,
    "event-types": event_types,
    "event-data-schema": lambda: _schema(StrictData),
    "decision-schema": lambda: _schema(Decision),
    "transfer-schema": lambda: _schema(TransferPosted),
    "rate-schema": lambda: _schema(RatePublished),
    "notice-schema": lambda: _schema(RewardNotice),
    "rule-paths": paths_table,
    "rule-operators": operators_table,
    "rule-checks": checks_table,
}


FILES: dict[str, Callable[[], str]] = {
    "rules.schema.json": lambda: json.dumps(rule_file_schema(), indent=1, ensure_ascii=False) + "\n",
    "rules-api.json": lambda: _openapi(rules_api.build_api(None)),
    "rewards-api.json": lambda: _openapi(rewards_api.build_api(None)),
}
"""Files that are generated as a whole."""


def fill(text: str) -> str:
    """The page with every generated part written anew."""
    return _PART.sub(lambda found: found[1] + PARTS[found[2]]() + found[3], text)


def main(folder: Path, *, check: bool) -> int:
    """Write all that is generated in a folder; with `check` only say what is stale. Returns the exit code."""
    stale: list[Path] = []
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text()
        filled = fill(text)
        if filled != text:
            stale.append(page)
            if not check:
                page.write_text(filled)
    for name, made in FILES.items():
        file, text = folder / name, made()
        if not file.exists() or file.read_text() != text:
            stale.append(file)
            if not check:
                file.write_text(text)
    for page in stale:
        print(f"{page}: {'stale: run `make generate`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(Path("docs"), check="--check" in sys.argv))
