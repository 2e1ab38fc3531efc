"""A file goes as far as it may in one go: checked, tested, stored, and activated if nothing is missing.

Promises:
- A file with an error, or with a test of its own that does not pass, is never stored. A revision never reaches back
  over time that was decided already.
- A revision's text, number and digest never change. Publishing the active text again changes nothing and says so.
- Where something is required that only a later step can bring (somebody's approval, a back-test), the revision is
  stored as `tested`; publishing the same file again takes it on from there.
"""

from __future__ import annotations

import msgspec

from contracts.errors import Problem
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.language import digest_of, read_rule_set
from services.rules.lifecycle.activate import CanaryAsked, enter
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.gate import WAITS, GateRefused, check_text, gate
from services.rules.lifecycle.record import Revision, fetch, fetch_active
from services.rules.lifecycle.run_checks import note_checks
from services.rules.lifecycle.states import State
from services.rules.lifecycle.submit import draft_of, store_draft


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish led to.

    Attributes:
        effective_from_ms: None while it is not in force.
        is_new: False when the active revision has this very text.
        waits_for: What is still required; then `state` tells how far it is.
        second_opinion: What the second engine says: `agrees`, or `missing` where that was allowed.
    """

    programme: str
    revision: int
    digest: str
    state: State
    effective_from_ms: int | None
    is_new: bool
    waits_for: list[Problem] = []
    second_opinion: str = ""


async def publish_rule_set(
    desk: Desk,
    text: str,
    path: str,
    *,
    who: str,
    note: str = "",
    canary: CanaryAsked | None = None,
    without_second_opinion: bool = False,
) -> Published:
    """Take a rule file as far as it may go; `path` is its name, for messages and for the record.

    Raises:
        RuleSetErrors: The file has errors; all of them.
        GateRefused: With all reasons; nothing was stored.
        PermanentError: A name, a note or a text that cannot be stored.
        TransientError: A server is away; publish again, it goes on where it stopped.
    """
    programme = read_rule_set(text, path=path).programme
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        active = await fetch_active(connection, programme)
        if active is not None and active.digest == digest_of(text):
            return _published(active, is_new=False)
        wanted = None if canary is None else canary.over(active)
        checked = await check_text(desk, text, path)
        revision = await _running(connection, programme, digest_of(text)) or await draft_of(
            connection, programme, text, path, who=who, note=note, now_ms=desk.clock.now_ms()
        )
        problems = await gate(
            desk, connection, revision, checked, wanted, without_second_opinion=without_second_opinion
        )
        if revision.state == "canary":
            problems = [problem for problem in problems if problem.code != "reaches-back"]
        if any(problem.code not in WAITS for problem in problems):
            raise GateRefused(problems, checked)
        if problems or not revision.revision:
            async with connection.transaction():
                if not revision.revision:
                    revision = await store_draft(connection, revision)
                if revision.state == "draft":
                    now_ms = desk.clock.now_ms()
                    revision = await note_checks(connection, revision, checked, who=who, now_ms=now_ms)
        if not problems:
            revision = await enter(desk, connection, revision, checked, who=who, note=note, canary=wanted)
        return _published(revision, is_new=True, waits_for=problems, second_opinion=checked.second_opinion)


async def _running(connection: Connection, programme: str, digest: str) -> Revision | None:
    """The canary with this text: publishing it again promotes it, or gives it another share."""
    for revision in await fetch(connection, programme, "canary"):
        if revision.digest == digest:
            return revision
    return None


def _published(
    revision: Revision, *, is_new: bool, waits_for: list[Problem] | None = None, second_opinion: str = ""
) -> Published:
    return Published(
        programme=revision.programme,
        revision=revision.revision,
        digest=revision.digest,
        state=revision.state,
        effective_from_ms=revision.effective_from_ms,
        is_new=is_new,
        waits_for=waits_for or [],
        second_opinion=second_opinion,
    )
