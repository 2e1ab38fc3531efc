"""A revision that the gate lets through enters into force: for everybody, or for some partners first."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.events import Canary
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.broadcast import Kind, finish_pending, record_activation
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.gate import Checked, GateRefused, check_text, gate, taking_effect_ms
from services.rules.lifecycle.record import Revision, fetch, fetch_active, fetch_one
from services.rules.lifecycle.run_checks import note_checks
from services.rules.lifecycle.states import Step, moved
from services.rules.lifecycle.units import refuse_other_decimals


class CanaryAsked(msgspec.Struct, frozen=True, kw_only=True):
    """For whom first: a share of the partners in millionths, or a group of them."""

    share_ppm: int | None = None
    group: str | None = None

    def over(self, active: Revision | None) -> Canary:
        return Canary(base=active.revision if active else 0, share_ppm=self.share_ppm, group=self.group)


async def activate(
    desk: Desk,
    programme: str,
    revision: int,
    *,
    who: str,
    note: str = "",
    canary: CanaryAsked | None = None,
    without_second_opinion: bool = False,
) -> Revision:
    """Activate a stored revision: a tested or approved one, or a canary for everybody or for another share.

    Raises:
        GateRefused: With all reasons.
        RuleSetErrors: This version no longer reads the text.
        PermanentError: `unknown-revision`, `not-now`, `unit-decimals-differ`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        found = await fetch_one(connection, programme, revision)
        step: Step = "activate" if canary is None else "try on some partners"
        moved(programme, revision, found.state, step)
        active = await fetch_active(connection, programme)
        wanted = None if canary is None else canary.over(active)
        checked = await check_text(desk, found.source_text, found.path)
        problems = await gate(desk, connection, found, checked, wanted, without_second_opinion=without_second_opinion)
        if found.state == "canary":
            problems = [problem for problem in problems if problem.code != "reaches-back"]
        if problems:
            raise GateRefused(problems, checked)
        return await enter(desk, connection, found, checked, who=who, note=note, canary=wanted)


async def gate_of(desk: Desk, programme: str, revision: int) -> list[Problem]:
    """Everything that keeps a stored revision from being activated for everybody now. Changes nothing.

    Raises:
        RuleSetErrors: This version no longer reads the text.
        PermanentError: `unknown-revision`, `not-now`.
    """
    async with desk.at_programme(programme) as connection:
        found = await fetch_one(connection, programme, revision)
        moved(programme, revision, "tested" if found.state == "draft" else found.state, "activate")
        return await gate(desk, connection, found, await check_text(desk, found.source_text, found.path))


async def promote(desk: Desk, programme: str, *, who: str, note: str = "") -> Revision:
    """Activate the programme's canary for everybody.

    Raises:
        PermanentError: `no-canary`, and as `activate`.
    """
    async with desk.at_programme(programme) as connection:
        running = await fetch(connection, programme, "canary")
    if not running:
        raise _no_canary(programme)
    return await activate(desk, programme, running[0].revision, who=who, note=note)


async def enter(
    desk: Desk,
    connection: Connection,
    revision: Revision,
    checked: Checked,
    *,
    who: str,
    note: str,
    canary: Canary | None = None,
    action: str | None = None,
) -> Revision:
    """Record the activation of a revision that passed the gate, and broadcast it. Under the programme's lock."""
    now_ms = desk.clock.now_ms()
    said_ms = taking_effect_ms(revision, checked.rule_set)
    # What runs as a canary has begun already; for the others it begins now.
    from_ms = now_ms if said_ms is None or (revision.state == "canary" and said_ms < now_ms) else said_ms
    details: dict[str, Any] = checked.as_json() | {"effective_from_ms": from_ms}
    if canary is not None:
        details["canary"] = msgspec.to_builtins(canary)
    async with connection.transaction():
        if checked.rule_set.units:
            # Against another programme that declares the same unit at this moment.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('rules/publish units', 0))")
            entered = [each for each in await fetch(connection, None) if each.published_at is not None]
            refuse_other_decimals(checked.rule_set, entered)
        if revision.state == "draft":
            revision = await note_checks(connection, revision, checked, who=who, now_ms=now_ms)
        kind: Kind = "all" if canary is None else "canary"
        await record_activation(
            connection, revision, kind, effective_from_ms=from_ms, now_ms=now_ms, who=who, canary=canary
        )
        if action is None:
            action = "activated for some partners" if canary else "activated"
            action = "promoted" if revision.state == "canary" and canary is None else action
        await note_in_audit(connection, action, at_ms=now_ms, who=who, revision=revision, note=note, details=details)
    await finish_pending(connection, revision.programme, desk.bus, desk.clock)
    return await fetch_one(connection, revision.programme, revision.revision)


def _no_canary(programme: str) -> PermanentError:
    return PermanentError(
        Problem(
            code="no-canary",
            message=f"no revision of {programme} is being tried on some partners",
            where=programme,
            help="`goodword rules list` shows what is in force",
        )
    )
