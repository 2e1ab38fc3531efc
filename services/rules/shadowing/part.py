"""One partition, decided on both sides by the fold that decides live, from the states that the partners truly have.

Pure. Up to where the log ended when the shadow began there is one fold: the past, decided as it was, so that whatever
the partners have won, sold and reached by then is there. From that record on there are two, with the same states: what
is in force goes on deciding on one side, and on the other the draft decides every event, as if it had entered into
force for everybody at that record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from contracts.events import EVENT_TYPES, Event
from services.rules.backtest.sides import HISTORY, Side, revisions_of
from services.rules.clock.calendar import Zone
from services.rules.fold import Fold
from services.rules.revisions.in_force import compile_source
from services.rules.shadowing.differences import Differences

FEED_EVENTS_MAX: Final = 50
"""Events decided at once: a few milliseconds, after which the live loop may go on."""
_HISTORY: Final = Side(label=HISTORY)


def ready_draft(source_text: str, revision: int, digest: str) -> tuple[Side, Zone]:
    """The draft as a side, and its zone; with all functions made, which takes a large rule set a second.

    Raises PermanentError when it cannot be read any more.
    """
    compiled = compile_source(source_text, revision, digest)
    for type in EVENT_TYPES:
        compiled.functions[type]
    label = f"revision {revision}"
    return Side(label=label, source_text=source_text, revision=revision, digest=digest), compiled.zone


class Part:
    """The folds of one partition.

    Args:
        draft: What stands in for the revision in force; None as long as only the past is learnt.
        cache_bytes: How much decoded state each side may keep in memory between two batches.
    """

    def __init__(self, partition: int, draft: Side | None, *, cache_bytes: int) -> None:
        sides = (_HISTORY,) if draft is None else (_HISTORY, draft)
        self.is_learning = draft is None
        self._folds = tuple(Fold(partition, cache_bytes=cache_bytes, revisions=revisions_of(side)) for side in sides)

    def missing_keys(self, events: Sequence[Event]) -> list[list[bytes]]:
        """Of each side: the states that feeding these events needs and that are not in memory."""
        return [fold.missing_keys(events) for fold in self._folds]

    def load(self, values: Sequence[Mapping[bytes, bytes | None]]) -> list[list[bytes]]:
        """Take in what is stored under the missing keys of each side; returns the keys needed besides."""
        return [fold.load(found) for fold, found in zip(self._folds, values, strict=True)]

    def enters_from(self, programme: str, effective_from_ms: int) -> None:
        """Let the activation that is fed next be in force from when it was in force live.

        That depends on what all partners of the partition had decided by then, and here are only some of them.
        """
        for fold in self._folds:
            fold.revisions(programme).newest_decided_ms = effective_from_ms - 1

    def feed(self, events: Sequence[Event], differences: Differences) -> None:
        """Decide the events on both sides; of the past, nothing is compared."""
        before, *others = (fold.fold(events) for fold in self._folds)
        for after in others:
            differences.take(before.decisions, after.decisions)
            differences.rejected_before += len(before.rejected)
            differences.rejected_after += len(after.rejected)

    def take_dirty(self) -> list[dict[bytes, bytes | None]]:
        """Of each side: the states that changed since the last call, encoded."""
        return [fold.take_dirty() for fold in self._folds]
