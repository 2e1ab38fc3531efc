"""Which revision of a programme is in force for an event: what entered the log before it, from its effective time on.

Revisions enter by `ruleset.activated` in the partition's own log. One that would reach back over time that this
partition has decided starts one millisecond after the newest decided event instead, so nothing is ever decided twice;
the first one may reach back over imported history (docs/rules.md#revisions).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.events import RulesetActivated
from services.rules.compile import CompiledRevision, compile_rule_set
from services.rules.language import RuleSetErrors, read_rule_set
from services.rules.state import ProgrammeState, RevisionRecord

_NEVER_MS: Final = 2**63
COMPILED_MAX: Final = 256
"""Compiled revisions kept in this process, over all partitions."""


class Revisions:
    """The revisions of one programme in one partition.

    Attributes:
        newest, newest_from_ms: The one that nearly every event is under, and from which event time on.
    """

    newest_from_ms: int
    newest: CompiledRevision | None

    def __init__(self, programme: str, state: ProgrammeState, newest_decided_ms: int | None) -> None:
        self.state = state
        self.newest_decided_ms = newest_decided_ms
        self._programme = programme
        self._in_force: list[tuple[int, CompiledRevision]] = []
        for record in state.revisions:
            self._in_force.append(self._compiled(record))
        self._note_newest()

    def at(self, time_ms: int) -> CompiledRevision | None:
        """The newest revision in force at that time; None before the first."""
        if time_ms >= self.newest_from_ms:
            return self.newest
        for effective_from_ms, compiled in reversed(self._in_force):
            if effective_from_ms <= time_ms:
                return compiled
        return None

    def needs_customers(self) -> bool:
        """Whether any revision remembers something per customer."""
        return any(compiled.needs_customers for _, compiled in self._in_force)

    def activate(self, activated: RulesetActivated) -> bool:
        """Let a revision enter; returns whether that is news.

        Raises:
            PermanentError: It cannot be read, is for another programme, or its number is taken by another content.
        """
        for record in self.state.revisions:
            if record.revision == activated.revision:
                if record.digest == activated.digest:
                    return False
                raise PermanentError(
                    Problem(
                        code="revision-conflict",
                        message=f"revision {activated.revision} of {self._programme} had other content",
                        where="ruleset.digest",
                    )
                )
        effective_from_ms = activated.effective_from_ms
        if self.newest_decided_ms is not None:
            effective_from_ms = max(effective_from_ms, self.newest_decided_ms + 1)
        record = RevisionRecord(activated.revision, activated.digest, effective_from_ms, activated.source_text)
        entry = self._compiled(record)
        self._in_force.append(entry)
        self._note_newest()
        self.state = ProgrammeState(revisions=(*self.state.revisions, record))
        return True

    def _note_newest(self) -> None:
        self.newest_from_ms, self.newest = self._in_force[-1] if self._in_force else (_NEVER_MS, None)

    def _compiled(self, record: RevisionRecord) -> tuple[int, CompiledRevision]:
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
        return record.effective_from_ms, compiled


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
