"""Differences for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from services.rules.comparing.change import Change
from services.rules.comparing.reach import Reach


def render_changes(changes: Iterable[Change]) -> str:
    """By section; each change with whom it can touch. Empty when nothing changed."""
    lines = []
    for section, found in groupby(changes, key=lambda change: change.section):
        lines.append(section)
        for change in found:
            lines += [f"  {change.sentence}", f"      touches: {change.touches}"]
    return "".join(f"{line}\n" for line in lines)


def changes_as_json(changes: Sequence[Change]) -> dict[str, Any]:
    return {"same_meaning": not changes, "changes": [_change(each) for each in changes]}


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "section": change.section,
        "id": change.id or None,
        "field": change.field,
        "old": change.old,
        "new": change.new,
        "sentence": change.sentence,
        "touches": {"text": str(change.touches), **_reach(change.touches)},
    }


def _reach(reach: Reach) -> dict[str, Any]:
    listed = {
        name: None if names is None else sorted(names)
        for name, names in (("tiers", reach.tiers), ("partners", reach.partners), ("groups", reach.groups))
    }
    return {"everyone": reach.is_everyone, **listed, "except_partners": sorted(reach.but_partners)}
