"""What a revision compiled with a probe tells of each event: the facts its conditions saw, and what it found.

A probe writes lines of its own into the generated functions; a revision compiled without one, as for live events, has
none of them. The facts are all that any condition of the event's type may ask, also of rewards that the index passed
over, so that somebody else can judge all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from contracts.ruleset import Condition, RuleSet
from services.rules.deciding.vocabulary import comparisons
from services.rules.engines.port import questions_of
from services.rules.engines.selection import asked_of
from services.rules.generate.reads import Reads


class Seen(msgspec.Struct):
    """What one event was seen to do.

    Attributes:
        gate: What conditions saw before rewards were decided; None when the event did not come so far.
        day: Its local day.
        is_blocked: Whether `eligible` and `qualified.deal` let it earn nothing.
        met: Whether the condition of that name was met, of those that were judged.
        tiers: What the conditions of tiers saw; None when they were not reached.
        tier: The tier before that.
    """

    gate: dict[str, Any] | None = None
    day: int = 0
    is_blocked: bool = False
    met: dict[str, bool] = {}
    tiers: dict[str, Any] | None = None
    tier: str | None = None


class Probe:
    """Watches one compiled revision.

    Attributes:
        seen: Of the event since the last `begin`.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        questions = list(questions_of(rules))
        self._conditions = {each.name: each.condition for each in questions}
        self._names = {id(each.condition): each.name for each in questions}
        self.seen = Seen()

    def begin(self) -> None:
        self.seen = Seen()

    def write_gate(self, reads: Reads) -> None:
        """Write what tells of the gate; after it, and before any reward."""
        asked = [self._conditions[name] for name in asked_of(self._rules, reads.event_type)]
        values = _dict_of(reads, asked, "day")
        reads.source.add(f"{reads.source.constant(self._note_gate)}({values}, day, blocked)")

    def write_judged(self, reads: Reads, condition: Condition, reason: str) -> None:
        """Write what tells of one condition of the file; parts of one are passed over."""
        name = self._names.get(id(condition))
        if name is not None:
            source = reads.source
            source.add(f"{source.constant(self._note_met)}({source.constant(name)}, {reason})")

    def write_tiers(self, reads: Reads) -> None:
        """Write what tells of the tiers; before they are looked at."""
        values = _dict_of(reads, [tier.when for tier in self._rules.tiers if tier.when is not None], "clock")
        reads.source.add(f"{reads.source.constant(self._note_tiers)}({values}, tier)")

    def _note_gate(self, values: dict[str, Any], day: int, blocked: str | bool) -> None:
        self.seen.gate, self.seen.day, self.seen.is_blocked = values, day, bool(blocked)

    def _note_met(self, name: str, reason: str) -> None:
        self.seen.met[name] = not reason

    def _note_tiers(self, values: dict[str, Any], tier: str | None) -> None:
        self.seen.tiers, self.seen.tier = values, tier


def _dict_of(reads: Reads, conditions: Iterable[Condition], day: str) -> str:
    paths = sorted({each.path for condition in conditions for each in comparisons(condition)})
    return "{" + "".join(f"{reads.source.constant(path)}: {reads.value(path, day)}, " for path in paths) + "}"
