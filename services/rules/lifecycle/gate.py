"""What stands between a text and the money: tests, both engines, units, time, a back-test, a second person, a canary.

All reasons are found, not only the first. Some of them a later step can still meet (somebody approves, a back-test is
run): these are kept apart as `waits_for`, and a draft may be stored meanwhile. Any other means that nothing is stored.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, get_args

from contracts.errors import PermanentError, Problem
from contracts.events import Canary, format_time
from contracts.ruleset import RuleSet
from contracts.topics import REFERRALS
from runtime.database import Connection
from services.rules.engines import Opinion
from services.rules.language import read_rule_set
from services.rules.lifecycle.backtests import backtest_of
from services.rules.lifecycle.desk import Desk
from services.rules.lifecycle.record import Revision, fetch, fetch_active
from services.rules.lifecycle.second_opinion import newest_events, opinion_on, opinion_problem, verdict_of
from services.rules.lifecycle.units import refuse_other_decimals
from services.rules.revisions.canary import check_canary
from services.rules.standing import newest_decided_ms
from services.rules.testing import FileResults, failing_tests_problem, run_tests
from services.rules.testing.run import Verdict

WAITS: Final = frozenset({"approval-missing", "backtest-missing"})
"""Codes of reasons that a later step of somebody may meet."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the text comes to: the rule set, its tests, and what the second engine says."""

    rule_set: RuleSet
    tested: FileResults
    opinion: Opinion

    def as_json(self) -> dict[str, Any]:
        """For the audit log."""
        return {
            "tests": {verdict: self.tested.count(verdict) for verdict in get_args(Verdict)},
            "second_opinion": {
                "verdict": self.second_opinion,
                "tests": self.opinion.tests,
                "events": self.opinion.events,
                "not_asked": self.opinion.not_asked,
            },
        }

    @property
    def second_opinion(self) -> str:
        """`agrees`, `differs` or `missing`."""
        return verdict_of(self.opinion)


class GateRefused(PermanentError):
    """The gate says no. `problems` are all reasons; `tested` has the results of the file's tests."""

    def __init__(self, problems: list[Problem], checked: Checked) -> None:
        super().__init__(problems[0])
        self.problems = problems
        self.tested = checked.tested


async def check_text(desk: Desk, text: str, path: str) -> Checked:
    """Run its tests, and let the second engine judge these and the newest events. Raises RuleSetErrors."""
    rule_set = read_rule_set(text, path=path)
    events = await newest_events(desk.bus, rule_set.programme)
    # In threads: the service that this runs in goes on deciding meanwhile.
    tested = await asyncio.to_thread(run_tests, text, path)
    opinion = await asyncio.to_thread(lambda: opinion_on(text, path, events, desk.second_engine))
    return Checked(rule_set, tested, opinion)


def problems_of(checked: Checked) -> list[Problem]:
    """Why the text itself may not enter into force."""
    problems = []
    if failing := failing_tests_problem(checked.tested):
        problems.append(failing)
    if checked.second_opinion == "differs" and (differing := opinion_problem(checked.opinion, checked.tested.path)):
        problems.append(differing)
    return problems


async def gate(
    desk: Desk,
    connection: Connection,
    revision: Revision,
    checked: Checked,
    canary: Canary | None = None,
    *,
    without_second_opinion: bool = False,
) -> list[Problem]:
    """Every reason why this revision may not be activated now; it need not be stored yet.

    `without_second_opinion` goes on where there is none; where there is one that differs, nothing helps. A rollback
    goes on as well, and so does a canary, of which this was asked when it began.
    """
    problems = problems_of(checked)
    has_begun = revision.state == "canary" or revision.restores_revision is not None
    if checked.opinion.missing and not (without_second_opinion or has_begun):
        missing = opinion_problem(checked.opinion, checked.tested.path)
        problems += [missing] if missing else []
    active = await fetch_active(connection, revision.programme)
    active_number = None if active is None else active.revision
    asked = await desk.asked(connection)
    problems += await _unit_problems(connection, checked.rule_set)
    if (from_ms := taking_effect_ms(revision, checked.rule_set)) is not None:
        problems += await _time_problems(desk, revision.programme, from_ms)
    if revision.base_revision != active_number:
        problems.append(stale_problem(revision, active_number))
    problems += await _canary_problems(connection, revision, canary, active_number)
    # What was in force before was seen and approved then; in an emergency there is no time for it again.
    if revision.restores_revision is None:
        # The first revision has nothing to be compared with.
        if (
            asked.require_backtest
            and active_number is not None
            and not await backtest_of(connection, revision.programme, revision.digest, active_number)
        ):
            problems.append(
                Problem(
                    code="backtest-missing",
                    message=f"this text was not back-tested against revision {active_number}, which is active",
                    where=revision.path,
                    help=f"goodword rules backtest {revision.path}",
                )
            )
        if asked.require_approval and revision.approved_by is None:
            problems.append(
                Problem(
                    code="approval-missing",
                    message=f"somebody other than {revision.author} is to approve it",
                    where=revision.path,
                    help="`goodword rules approve PROGRAMME REVISION`, by the other person",
                )
            )
    return problems


def taking_effect_ms(revision: Revision, rule_set: RuleSet) -> int | None:
    """When the text says that it takes effect; None: from its activation on, as a rollback does."""
    return None if revision.restores_revision is not None else rule_set.effective_from_ms


def stale_problem(revision: Revision, active: int | None) -> Problem:
    return Problem(
        code="stale-draft",
        message=f"it was submitted over revision {revision.base_revision or 'none'}, and revision {active} has been "
        "activated since: nobody has compared the two",
        where=revision.path,
        help="publish the file again; that makes a revision over the active one",
    )


async def _unit_problems(connection: Connection, rule_set: RuleSet) -> list[Problem]:
    if not rule_set.units:
        return []
    entered = [each for each in await fetch(connection, None) if each.published_at is not None]
    try:
        refuse_other_decimals(rule_set, entered)
    except PermanentError as error:
        return [error.problem]
    return []


async def _time_problems(desk: Desk, programme: str, from_ms: int) -> list[Problem]:
    partitions = await desk.bus.partition_count(REFERRALS.name)
    newest_ms = await newest_decided_ms(desk.store, programme, partitions)
    if newest_ms is None or from_ms > newest_ms:
        return []
    return [
        Problem(
            code="reaches-back",
            message=f"{programme} is decided until {format_time(newest_ms)}, and this revision would take effect "
            f"on {format_time(from_ms)}",
            where="effective_from",
            help="let it take effect later, or leave effective_from out: then it does from its publishing on",
        )
    ]


async def _canary_problems(
    connection: Connection, revision: Revision, canary: Canary | None, active: int | None
) -> list[Problem]:
    problems = []
    if revision.restores_revision is None:
        problems += [
            Problem(
                code="canary-running",
                message=f"revision {running.revision} is being tried on some partners",
                where=f"{running.programme}/{running.revision}",
                help=f"first `goodword rules promote {running.programme}`, or "
                f"`goodword rules withdraw {running.programme} {running.revision}`",
            )
            for running in await fetch(connection, revision.programme, "canary")
            if running.revision != revision.revision
        ]
    if canary is None:
        return problems
    try:
        check_canary(canary)
    except PermanentError as error:
        problems.append(error.problem)
    if active is None:
        problems.append(
            Problem(
                code="canary-without-base",
                message="nothing is in force that the other partners could stay under",
                where="canary",
                help="publish the first revision for everybody",
            )
        )
    return problems
