"""The fold: from the events of one partition, in order, to decisions and states, with the states in memory.

Pure: it never reads or writes anything itself. The shell asks which states a batch needs (`missing_keys`), hands them
over (`load`), folds (`fold`), publishes the decisions, and writes what changed (`take_dirty`), in this order, for
one batch at a time. Whatever goes wrong in between, `discard` forgets everything, so that the next batch starts from
what is stored. The same events in the same order give the same decisions and the same bytes, however they
are cut into batches and whenever the process was restarted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from contracts.decisions import Decision
from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.events import Event
from services.rules.clock.alarms import DUE_MAX, Alarms
from services.rules.evaluate import functions_of
from services.rules.states.memory import ACTIVATED, BROADCASTS, DAY_CLOSED, Memory

_RATES: Final = "rates.published"


class FoldResult(msgspec.Struct, gc=False):
    """What a batch came to.

    Attributes:
        decisions: In the order of the events, and of the rules within an event.
        traceparents: Of the event of each decision, at the same index.
        rejected: Events that cannot be judged, by their index in the batch; they changed nothing and belong into the
            dead-letter queue.
    """

    decisions: list[Decision]
    traceparents: list[str]
    rejected: list[tuple[int, Problem]]


class Fold(Memory):
    """The fold of one partition: its memory, and what decides on it. Arguments as of `Memory`."""

    def fold(self, events: Sequence[Event]) -> FoldResult:
        """Decide the events in order. Every key that `missing_keys` named for them must have been loaded."""
        decisions: list[Decision] = []
        traceparents: list[str] = []
        rejected: list[tuple[int, Problem]] = []
        programme = None
        # The newest event decided of the programme in hand, until it is noted.
        newest_ms: int | None = None
        # As `evaluate` does it, but looked up for each change of revision only.
        functions_by, functions = None, functions_of(None)
        for index, event in enumerate(events):
            data = event.data
            if data.programme != programme:
                if programme is not None:
                    self._note_decided(programme, newest_ms)
                programme, newest_ms = data.programme, None
                revisions = self._revisions[programme]
                touched = self._touched.setdefault(programme, {})
            try:
                if event.type in BROADCASTS:
                    self._note_decided(programme, newest_ms)
                    newest_ms = None
                    made = self._take_broadcast(event)
                    decisions += made
                    traceparents += [event.traceparent] * len(made)
                    continue
                state = touched.get(data.partner) or self._touch(event)
                time_ms = event.time_ms
                revision = revisions.newest if time_ms >= revisions.newest_from_ms else revisions.of(event, state)
                if revision is not functions_by:
                    functions_by, functions = revision, functions_of(revision)
                made = functions[event.type](state, event)
            except PermanentError as error:
                rejected.append((index, error.problem))
                continue
            if revision is not None and (newest_ms is None or time_ms > newest_ms):
                newest_ms = time_ms
            if made:
                decisions += made
                traceparents += [event.traceparent] * len(made)
        if programme is not None:
            self._note_decided(programme, newest_ms)
        return FoldResult(decisions, traceparents, rejected)

    def fold_one(self, event: Event) -> list[Decision]:
        """Decide one event alone. Raises PermanentError for one that cannot be judged."""
        result = self.fold((event,))
        for _, problem in result.rejected:
            raise PermanentError(problem)
        return result.decisions

    def _note_decided(self, programme: str, newest_ms: int | None) -> None:
        if newest_ms is not None and self._revisions[programme].note_decided(newest_ms):
            self._decided.add(programme)

    def _take_broadcast(self, event: Event) -> list[Decision]:
        programme = event.data.programme
        if event.type == DAY_CLOSED:
            return self._close_day(event)
        if event.type == ACTIVATED:
            assert event.data.ruleset is not None
            revisions = self._revisions[programme]
            if revisions.activate(event.data.ruleset):
                self._activated.add(programme)
                if revisions.tells_silences:
                    # The first such revision finds nothing stored.
                    self._alarms.setdefault(programme, Alarms())
        elif event.type == _RATES:
            assert event.data.rates is not None
            if self._rates_of(programme).take(event.data.rates):
                self._rated.add(programme)
        return []

    def _close_day(self, event: Event) -> list[Decision]:
        """Tell the silences that are due when a day closes. A day closes once."""
        programme, time_ms = event.data.programme, event.time_ms
        revisions = self._revisions[programme]
        day = revisions.day_at(time_ms)
        if day is None or not revisions.close(time_ms):
            return []
        self._decided.add(programme)
        made: list[Decision] = []
        alarms = self._alarms.get(programme)
        if alarms is None:
            return made
        self._note_alarms(programme, alarms)
        for partner in alarms.due(day, DUE_MAX):
            state = self._held.pop((programme, partner), None)
            if state is None:
                raise InvariantBroken(f"the state of {partner} in {programme} was not loaded for the close of a day")
            self._touched[programme][partner] = self._hold((programme, partner), state)
            revision = revisions.at(time_ms, state)
            if revision is not None:
                made += revision.functions[DAY_CLOSED](state, event)
        if made:
            revisions.note_decided(time_ms)
        return made
