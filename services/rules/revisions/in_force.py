"""Which revision of a programme is in force for an event: what entered the log before it, from its effective time on.

Revisions enter by `ruleset.activated` in the partition's own log. One that would reach back over time that this
partition has decided starts one millisecond after the newest decided event instead, so nothing is ever decided twice;
the first one may reach back over imported history (docs/rules.md#revisions). One that entered as a canary is in force
for the partners it takes; all others stay under the newest one that entered for everybody.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.events import Canary, Event, RulesetActivated
from services.rules.compile import CompiledRevision, compile_pinned, compile_rule_set
from services.rules.language import RuleSetErrors, read_rule_set
from services.rules.revisions.canary import check_canary, takes
from services.rules.states.state import PartnerState, ProgrammeState, RevisionRecord
from services.rules.terms.locking import locked_by

_NEVER_MS: Final = 2**63
COMPILED_MAX: Final = 256
"""Compiled revisions kept in this process, over all partitions."""


class Revisions:
    """The revisions of one programme in one partition.

    Attributes:
        newest, newest_from_ms: The one that nearly every event is under, and from which event time on; while a canary
            runs, or where referrals are pinned, there is no such time, so that ordinary programmes pay nothing for it.
        has_locks: Whether a revision says `lock_terms`.
        closed_ms: The end of the last day that closed; None before the first.
    """

    newest_from_ms: int
    newest: CompiledRevision | None
    has_locks: bool

    def __init__(self, programme: str, state: ProgrammeState, newest_decided_ms: int | None) -> None:
        self.state = state
        self.closed_ms: int | None = None
        self.newest_decided_ms = newest_decided_ms
        self._programme = programme
        self._pinned: dict[tuple[int, int], CompiledRevision] = {}
        self._in_force: list[tuple[int, CompiledRevision, Canary | None]] = []
        for record in state.revisions:
            self._in_force.append(self._compiled(record))
        self._note_newest()

    def of(self, event: Event, state: PartnerState) -> CompiledRevision | None:
        """What decides the event: the revision in force, or the one that its referral is pinned to; None before both.

        A pinned one carries its old number (`services.rules.terms.locking`).
        """
        in_force = self.at(event.time_ms, state)
        if in_force is None or not self.has_locks:
            return in_force
        number = locked_by(state, event)
        old = None if number is None or number == in_force.revision else self.numbered(number)
        if old is None:
            return in_force
        key = old.revision, in_force.revision
        compiled = self._pinned.get(key)
        if compiled is None:
            compiled = self._pinned[key] = compile_pinned(old, in_force)
        return compiled

    def entered_of(self, event: Event, state: PartnerState) -> tuple[RevisionRecord, CompiledRevision] | None:
        """What decides the event, with how it entered the log."""
        place, compiled = self.place_at(event.time_ms, state), self.of(event, state)
        if place is None or compiled is None:
            return None
        # The one in force, or one that the referral is pinned to.
        records = (self.state.revisions[place], *reversed(self.state.revisions))
        return next(each for each in records if each.revision == compiled.revision), compiled

    @property
    def timezones(self) -> list[str]:
        """Those of all revisions, each once."""
        return list(dict.fromkeys(compiled.rule_set.timezone for _, compiled, _ in self._in_force))

    def numbered(self, revision: int) -> CompiledRevision | None:
        """The revision of that number, as it entered last."""
        return next((each for _, each, _ in reversed(self._in_force) if each.revision == revision), None)

    def at(self, time_ms: int, state: PartnerState) -> CompiledRevision | None:
        """The newest revision in force for this partner at that time; None before the first."""
        if time_ms >= self.newest_from_ms:
            return self.newest
        place = self.place_at(time_ms, state)
        return None if place is None else self._in_force[place][1]

    def place_at(self, time_ms: int, state: PartnerState) -> int | None:
        """Which of the activations, in their order, is in force for this partner then; None before the first."""
        is_newest = True
        for place in reversed(range(len(self._in_force))):
            effective_from_ms, compiled, canary = self._in_force[place]
            if effective_from_ms > time_ms:
                continue
            # An activation ends the canary before it: only the newest at that time may be one.
            if canary is None or (is_newest and takes(canary, compiled.revision, state)):
                return place
            is_newest = False
        return None

    def needs_customers(self) -> bool:
        """Whether any revision remembers something per customer."""
        return any(compiled.needs_customers for _, compiled, _ in self._in_force)

    @property
    def tells_silences(self) -> bool:
        """Whether any revision has something to tell when a day closes."""
        return any(compiled.rule_set.inactivity for _, compiled, _ in self._in_force)

    def day_at(self, time_ms: int) -> int | None:
        """The local day by the newest revision in force at that time; None before the first."""
        for effective_from_ms, compiled, _ in reversed(self._in_force):
            if effective_from_ms <= time_ms:
                return compiled.zone.day_of(time_ms)
        return None

    def close(self, closed_ms: int) -> bool:
        """Let the day that ended then be closed; returns whether it was not."""
        if self.closed_ms is not None and closed_ms <= self.closed_ms:
            return False
        self.closed_ms = closed_ms
        return True

    def note_decided(self, time_ms: int) -> bool:
        """Returns whether nothing so new was decided before."""
        if self.newest_decided_ms is not None and time_ms <= self.newest_decided_ms:
            return False
        self.newest_decided_ms = time_ms
        return True

    def activate(self, activated: RulesetActivated) -> bool:
        """Let a revision enter; returns whether that is news.

        Raises:
            PermanentError: It cannot be read, is for another programme, or its number is taken by another content.
        """
        number = activated.activation or activated.revision
        for record in self.state.revisions:
            if record.revision == activated.revision and record.digest != activated.digest:
                raise self._conflict(f"revision {activated.revision}", "ruleset.digest")
            if record.activation == number:
                if record.revision == activated.revision and record.canary == activated.canary:
                    return False
                raise self._conflict(f"activation {number}", "ruleset.activation")
        if activated.canary is not None:
            check_canary(activated.canary)
        effective_from_ms = activated.effective_from_ms
        if self.newest_decided_ms is not None:
            effective_from_ms = max(effective_from_ms, self.newest_decided_ms + 1)
        record = RevisionRecord(
            activated.revision, activated.digest, effective_from_ms, activated.source_text, number, activated.canary
        )
        entry = self._compiled(record)
        self._in_force.append(entry)
        self._pinned.clear()
        self._note_newest()
        self.state = ProgrammeState(revisions=(*self.state.revisions, record))
        return True

    def _note_newest(self) -> None:
        self.newest_from_ms, self.newest = _NEVER_MS, None
        self.has_locks = any(each.rule_set.lock_terms is not None for _, each, _ in self._in_force)
        if self._in_force and not self.has_locks and self._in_force[-1][2] is None:
            self.newest_from_ms, self.newest, _ = self._in_force[-1]

    def _conflict(self, what: str, where: str) -> PermanentError:
        return PermanentError(
            Problem(code="revision-conflict", message=f"{what} of {self._programme} had other content", where=where)
        )

    def _compiled(self, record: RevisionRecord) -> tuple[int, CompiledRevision, Canary | None]:
        raised = self._in_force[-1][1].raised if self._in_force else frozenset()
        compiled = compile_source(record.source_text, record.revision, record.digest, raised)
        if compiled.programme != self._programme:
            raise PermanentError(
                Problem(
                    code="wrong-programme",
                    message=f"the rule set is for {compiled.programme}, but was activated for {self._programme}",
                    where="ruleset.source_text",
                )
            )
        return record.effective_from_ms, compiled, record.canary


@lru_cache(maxsize=COMPILED_MAX)
def compile_source(
    source_text: str, revision: int, digest: str, raised: frozenset[str] = frozenset()
) -> CompiledRevision:
    """Read and compile a published file, once per process. `raised` as in `compile_rule_set`.

    Raises:
        PermanentError: The file has an error; the first one is the problem.
    """
    try:
        rule_set = read_rule_set(source_text, path="ruleset.activated")
    except RuleSetErrors as errors:
        raise PermanentError(errors.problems[0].problem) from errors
    return compile_rule_set(rule_set, revision=revision, digest=digest, raised=raised)
