"""From what a user asked for to a plan: which rules stand on each side, which events, which days."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.ruleset import RuleSet
from contracts.topics import REFERRALS
from goodword.backtesting.plan import FileSource, LogSource, Part, Plan
from goodword.flow import open_target_bus
from goodword.target import Target
from services.rules.backtest.compare import Head, units_of
from services.rules.backtest.report import SideTold
from services.rules.backtest.sides import DRAFT_REVISION, HISTORY, Side
from services.rules.backtest.window import Window
from services.rules.clock.calendar import day_of_date
from services.rules.language import digest_of, read_rule_set
from services.rules.lifecycle import Revision, list_revisions

ACTIVE: Final = "active"
_READ_BYTES: Final = 1024 * 1024


class Against(msgspec.Struct, frozen=True):
    """What the draft is compared with.

    Attributes:
        side: How it decides.
        revision: What a reviewer would call it: the one that is active now, or the one named; None for a file.
        rules: Its rule set; None when it is history without any revision.
    """

    side: Side
    revision: int | None
    rules: RuleSet | None


def file_side(text: str, label: str) -> Side:
    """A rule set that was not published."""
    return Side(label=label, source_text=text, revision=DRAFT_REVISION, digest=digest_of(text))


def revision_side(revision: Revision) -> Side:
    return Side(
        label=f"revision {revision.revision}",
        source_text=revision.source_text,
        revision=revision.revision,
        digest=revision.digest,
    )


async def revisions_known(target: Target | None, programme: str) -> list[Revision]:
    """The programme's revisions, drafts included, oldest first; none where no stack is asked."""
    return [] if target is None else await list_revisions(target.postgres, programme)


def against(named: str, text: str | None, revisions: Sequence[Revision], programme: str) -> Against:
    """The side that `--against` names; `text` is that of the file, if it names one.

    Raises:
        PermanentError: `no-such-revision`, `wrong-programme`.
        RuleSetErrors: The file has errors.
    """
    newest = next((each for each in reversed(revisions) if each.state == "active"), None)
    if text is not None:
        rules = read_rule_set(text, path=named)
        if rules.programme != programme:
            raise _wrong_programme(named, rules.programme, programme)
        # Twice the same number would make both sides remember under one; each has a fold of its own.
        return Against(file_side(text, named), None, rules)
    if named == HISTORY:
        if newest is None:
            return Against(Side(label=HISTORY), None, None)
        return Against(Side(label=HISTORY), newest.revision, _rules_of(newest))
    wanted = newest if named == ACTIVE else next((each for each in revisions if str(each.revision) == named), None)
    if wanted is None:
        known = ", ".join(str(each.revision) for each in revisions) or "none"
        raise PermanentError(
            Problem(
                code="no-such-revision",
                message=f"{programme} has no {'active revision' if named == ACTIVE else f'revision {named}'}",
                where=named,
                help=f"its revisions: {known}; a FILE can be named as well",
            )
        )
    return Against(revision_side(wanted), wanted.revision, _rules_of(wanted))


async def rules_named(target: Target, programme: str, named: str, text: str | None) -> tuple[Side, RuleSet]:
    """The revision, or the file with that text, that the past is to be decided by.

    Raises:
        PermanentError: `no-such-revision`, `wrong-programme`.
        RuleSetErrors: The file has errors.
    """
    found = against(named, text, await revisions_known(target, programme), programme)
    assert found.rules is not None
    return found.side, found.rules


def days_between(first: date | None, last: date | None) -> tuple[int | None, int | None]:
    """The local days. Raises PermanentError(`empty-period`)."""
    if first is not None and last is not None and last < first:
        raise PermanentError(
            Problem(code="empty-period", message=f"{last} lies before {first}", where="--to", help="swap them")
        )
    return (None if first is None else day_of_date(first)), (None if last is None else day_of_date(last))


def in_place(side: Side, timezone: str, first_day: int | None, *, is_always: bool) -> Side:
    """The side with when it decides: from the first day on that is counted."""
    if not side.source_text:
        return side
    from_ms = Window(timezone, first_day).first_ms
    return msgspec.structs.replace(side, from_ms=from_ms, is_always=is_always)


def head_of(rules: RuleSet, plan: Plan, other: RuleSet | None, first: date | None, last: date | None) -> Head:
    """What the report says besides its sums."""
    return Head(
        programme=plan.programme,
        currency=rules.currency,
        timezone=plan.timezone,
        before=_told(plan.before),
        after=_told(plan.after),
        from_day=None if first is None else first.isoformat(),
        to_day=None if last is None else last.isoformat(),
        units=units_of(rules) if other is None else units_of(rules, other),
    )


def _told(side: Side) -> SideTold:
    return SideTold(
        label=side.label, revision=0 if side.revision == DRAFT_REVISION else side.revision, digest=side.digest
    )


async def log_source(target: Target) -> tuple[LogSource, tuple[Part, ...]]:
    """The log of a stack as it ends now."""
    async with open_target_bus(target) as bus:
        ends = await bus.end_offsets(REFERRALS.name)
    parts = tuple(Part(number, end) for number, end in sorted(ends.items()))
    return LogSource(kafka=target.kafka, postgres=target.postgres), parts


def file_source(paths: Sequence[Path], shares: int) -> tuple[FileSource, tuple[Part, ...], int | None]:
    """Event files, as so many shares of the partners; and how many lines they have, if that can be told cheaply.

    Raises PermanentError(`unreadable-file`).
    """
    digests: list[str] = []
    lines: int | None = 0
    for path in paths:
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while piece := file.read(_READ_BYTES):
                    digest.update(piece)
                    lines = None if lines is None else lines + piece.count(b"\n")
        except OSError as error:
            problem = Problem(code="unreadable-file", message=error.strerror or str(error), where=str(path))
            raise PermanentError(problem) from error
        if path.suffix == ".gz":
            lines = None
        digests.append(digest.hexdigest())
    source = FileSource(paths=tuple(str(path.resolve()) for path in paths), digests=tuple(digests))
    return source, tuple(Part(number, lines or 0) for number in range(shares)), lines


def _rules_of(revision: Revision) -> RuleSet:
    return read_rule_set(revision.source_text, path=revision.path)


def _wrong_programme(path: str, found: str, wanted: str) -> PermanentError:
    return PermanentError(
        Problem(code="wrong-programme", message=f"the rule set is for {found}, not for {wanted}", where=path)
    )
