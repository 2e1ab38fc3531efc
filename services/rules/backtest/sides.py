"""Who decides on one side of a back-test: the log's own revisions, or one rule set in place of them.

A rule set in place decides every event from `from_ms` on for which the programme had a revision in force; what came
before that stays "no programme yet", so that the difference is that of the rules and not of their dates. When it is in
force `is_always`, because no revision was ever published or the events lie in a file, it decides every event. Its own
`effective_from` is not asked: a draft's lies in the future (docs/rules.md#back-test).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from services.rules.compile import CompiledRevision
from services.rules.revisions.in_force import Revisions, compile_source
from services.rules.states.state import PartnerState, ProgrammeState

DRAFT_REVISION: Final = 2**31 - 1
"""In place of the number of a rule set that was not published; no revision is called so."""
HISTORY: Final = "history"
_NEVER_MS: Final = 2**63


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a comparison.

    Attributes:
        label: For people: `history`, `revision 3`, or a file's name.
        source_text: Of the rule set in place of the log's revisions; empty: history as it was.
        revision, digest: Of that rule set.
        from_ms, to_ms: Events from here up to, not including, there are decided by it; the others by the log's.
        is_always: It is in force for every event, whatever the log says of the programme's revisions.
    """

    label: str
    source_text: str = ""
    revision: int = 0
    digest: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    is_always: bool = False


MakeRevisions = Callable[[str, ProgrammeState, int | None], Revisions]


def revisions_of(side: Side) -> MakeRevisions:
    """What a fold of this side knows its revisions by."""
    return partial(InPlace, side=side) if side.source_text else Revisions


class InPlace(Revisions):
    """The log's revisions, with one rule set in place of whatever is in force."""

    def __init__(self, programme: str, state: ProgrammeState, newest_decided_ms: int | None, *, side: Side) -> None:
        self._side = side
        super().__init__(programme, state, newest_decided_ms)

    def at(self, time_ms: int, state: PartnerState) -> CompiledRevision | None:
        is_replaced = self._is_replaced(time_ms)
        if is_replaced and self._side.is_always:
            return self._stand_in
        place = self.place_at(time_ms, state)
        if place is None:
            return None
        return self._stand_in if is_replaced else self._in_force[place][1]

    def day_at(self, time_ms: int) -> int | None:
        day = super().day_at(time_ms)
        is_in_force = day is not None or self._side.is_always
        return self._stand_in.zone.day_of(time_ms) if is_in_force and self._is_replaced(time_ms) else day

    def _is_replaced(self, time_ms: int) -> bool:
        side = self._side
        return (side.from_ms is None or time_ms >= side.from_ms) and (side.to_ms is None or time_ms < side.to_ms)

    @property
    def tells_silences(self) -> bool:
        return bool(self._stand_in.rule_set.inactivity) or super().tells_silences

    def needs_customers(self) -> bool:
        return self._stand_in.needs_customers or super().needs_customers()

    def _note_newest(self) -> None:
        """What the fold asks without a call: from here on it is the stand-in for certain."""
        super()._note_newest()
        side = self._side
        # What earlier revisions have raised stays raised, as it would under the next one.
        raised = self._in_force[-1][1].raised if self._in_force else frozenset()
        self._stand_in = compile_source(side.source_text, side.revision, side.digest, raised)
        if side.to_ms is not None:
            self.newest_from_ms = _NEVER_MS
        elif side.is_always:
            self.newest_from_ms = -_NEVER_MS if side.from_ms is None else side.from_ms
        elif side.from_ms is not None:
            self.newest_from_ms = max(self.newest_from_ms, side.from_ms)
        self.newest = self._stand_in
        self.has_locks = self.has_locks or self._stand_in.rule_set.lock_terms is not None
        if self.has_locks:
            self.newest_from_ms = _NEVER_MS

    def numbered(self, revision: int) -> CompiledRevision | None:
        return self._stand_in if revision == self._side.revision else super().numbered(revision)
