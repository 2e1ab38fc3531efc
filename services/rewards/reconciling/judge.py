"""What should have become of a decision, against what did. Pure.

A decision is judged by itself: by its transfers (their ids are derived from it, so each is expected under its own id)
and by what the ledger knows of it where its posting depends on more than itself. What is held, waiting, denied or
refused is a bucket, no finding; whatever else is not as decided is named once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from contracts.facts import LEDGER_SOURCE
from services.rewards.budgets.claims import budgets_of
from services.rewards.decode import DecisionHead
from services.rewards.faults import fault, is_sound
from services.rewards.legs import (
    STAGE_ADJUSTED,
    STAGE_CLAIMED,
    STAGE_CLAWED_BACK,
    STAGE_EXPIRED,
    STAGE_GRANTED,
    STAGE_RELEASED,
    STAGE_VOIDED,
    leg_id,
)
from services.rewards.reconciling.row import Bucket, Difference, Finding, Kind, Known, Row

RELEASE_GRACE_MS: Final = 300_000
"""How long after its end a hold may wait for the clock before its release is missing."""
_AS_DECIDED: Final = (
    *("programme", "rule", "revision", "partner", "event_source", "event_id", "time_ms", "unit"),
    *("customer", "deal", "lead", "available_at_ms", "expires_at_ms", "takes_back"),
)
"""Fields of a decision that each of its transfers has."""
_decided: Final = attrgetter(*_AS_DECIDED)


@dataclass(slots=True)
class Judged:
    """The verdict on one decision.

    Attributes:
        decided_minor, posted_minor: Signed: below zero is taken back. What a programme gives by it.
        bucket: Where the rest of the amount is.
        pending_minor: What of it is still on hold.
    """

    decided_minor: int = 0
    posted_minor: int = 0
    bucket: Bucket = "posted"
    pending_minor: int = 0
    findings: list[Finding] = field(default_factory=list)


def is_own(row: Row) -> bool:
    """Whether the ledger booked it of its own accord or for a person: no decision of the log is behind it."""
    return row.event_source == LEDGER_SOURCE


def moved_minor(row: Row) -> int:
    """What a programme gave by a transfer; below zero what it took back, 0 of what moves elsewhere."""
    if row.stage in (STAGE_GRANTED, STAGE_ADJUSTED, STAGE_VOIDED, STAGE_CLAWED_BACK):
        if row.debit.endswith(":cost"):
            return row.amount_minor
        return -row.amount_minor if row.credit.endswith(":cost") else 0
    return 0


def found(kind: Kind, row: Row, why: str, differences: Iterable[Difference] = ()) -> Finding:
    """A finding about a transfer that is there."""
    return Finding(
        kind=kind,
        decision=row.decision,
        transfer=row.id,
        stage=row.stage,
        programme=row.programme,
        partner=row.partner,
        minor=row.amount_minor,
        unit=row.unit,
        differences=tuple(differences),
        why=why,
    )


def judge(
    head: DecisionHead,
    rows: Sequence[Row],
    known: Known | None,
    *,
    is_refused: bool = False,
    is_read: bool = True,
    at_ms: int,
) -> Judged:
    """What became of a decision that the log has.

    Args:
        head: The decision, as it first came.
        rows: All transfers that say they are of it.
        known: What the ledger knows of it, if anything.
        is_refused: Whether a refusal of it is stored.
        is_read: Whether the ledger has read the log so far.
        at_ms: The moment of the ledger that is looked at.
    """
    done = Judged()
    if not head.granted or head.amount_minor is None:
        why = "the decision grants no amount" if head.granted else "the decision was denied"
        done.findings = [found("extra", row, why) for row in rows]
        return done
    done.decided_minor = head.amount_minor
    stays_out = _why_not_posted(head, known, has_rows=bool(rows), is_refused=is_refused)
    if stays_out is not None:
        done.bucket, why = stays_out
        done.findings = [found("extra", row, why) for row in rows]
        return done
    rest = {row.id: row for row in rows}
    if head.takes_back is not None:
        _judge_clawback(head, rest, known, done)
    else:
        _judge_grant(head, rest, known, done, at_ms)
    done.findings += [found("extra", row, "the decision makes no such transfer") for row in rest.values()]
    # What a person voided later was posted nevertheless.
    moving = [row for row in rows if row.unit == head.unit and (row.stage != STAGE_VOIDED or head.takes_back)]
    done.posted_minor = sum(map(moved_minor, moving))
    if done.posted_minor != done.decided_minor and done.bucket == "posted":
        done.bucket = "unexplained"
    if not is_read and not rows and known is None:
        done.bucket, done.findings = "unread", []
    return done


def _why_not_posted(
    head: DecisionHead, known: Known | None, *, has_rows: bool, is_refused: bool
) -> tuple[Bucket, str] | None:
    """Why a granted decision rightly has no transfer; None when it should have some."""
    # What was posted is nearly always sound, and the quick look says so.
    problem = None if has_rows and is_sound(head, abs(head.amount_minor or 0)) else fault(head)
    if problem is not None:
        return "refused", f"the ledger cannot take such a decision: {problem.code}"
    if is_refused:
        return "refused", "the ledger refused it"
    if known is None or known.state == "posted":
        return None
    reason = known.reason or known.state
    if known.state == "waiting":
        return "waiting", reason
    return ("denied" if known.state == "denied" else "refused"), reason


def _judge_clawback(head: DecisionHead, rest: dict[str, Row], known: Known | None, done: Judged) -> None:
    """What is taken comes from the hold first; together never more than decided, and less only where it says so."""
    cost = f"programme:{head.programme}:cost"
    taken_minor = 0
    asked_minor = -(head.amount_minor or 0)
    for stage, place in ((STAGE_VOIDED, "pending"), (STAGE_CLAWED_BACK, "available")):
        row = rest.pop(leg_id(head.id, stage, 0), None)
        if row is not None:
            taken_minor += row.amount_minor
            _compare(head, row, stage, f"{head.beneficiary}:{place}", cost, None, done)
    if known is not None and known.reason == f"of {asked_minor} only {taken_minor} was left to take back":
        done.bucket = "not_taken"
    else:
        _judge_sum(head, STAGE_CLAWED_BACK, asked_minor, taken_minor, "was not taken back as decided", done)


def _judge_grant(head: DecisionHead, rest: dict[str, Row], known: Known | None, done: Judged, at_ms: int) -> None:
    amount_minor = head.amount_minor or 0
    cost, available = f"programme:{head.programme}:cost", f"{head.beneficiary}:available"
    if amount_minor < 0:
        row = rest.pop(leg_id(head.id, STAGE_ADJUSTED, 0), None)
        if row is None:
            done.findings.append(
                _without_transfer("missing", head, STAGE_ADJUSTED, -amount_minor, "the decision has no transfer")
            )
        else:
            _compare(head, row, STAGE_ADJUSTED, available, cost, -amount_minor, done)
        return
    granted = rest.pop(leg_id(head.id, STAGE_GRANTED, 0), None)
    if granted is None:
        done.findings.append(
            _without_transfer("missing", head, STAGE_GRANTED, amount_minor, "the decision has no transfer")
        )
        return
    place = available if head.available_at_ms is None else f"{head.beneficiary}:pending"
    _compare(head, granted, STAGE_GRANTED, cost, place, amount_minor, done)
    if not granted.booked_by:
        _judge_claims(head, rest, done)
    closed = _closing(head, rest, known, done)
    if known is not None and known.has_head:
        _judge_course(head, known, closed, done, at_ms)
    elif head.available_at_ms is not None and head.expires_at_ms is None:
        # Whose hold was over when it came is released in the same posting, and nothing more is known of it.
        why = "its hold is not known, nor was it released at once"
        _judge_sum(head, STAGE_RELEASED, amount_minor, closed[STAGE_RELEASED], why, done)
    elif head.expires_at_ms is not None:
        done.findings.append(
            _without_transfer("missing", head, STAGE_RELEASED, 0, "the ledger does not know of its date")
        )


def _judge_claims(head: DecisionHead, rest: dict[str, Row], done: Judged) -> None:
    for part, (claim, key) in enumerate(zip(head.budgets, budgets_of(head), strict=True)):
        row = rest.pop(leg_id(head.id, STAGE_CLAIMED, part), None)
        if row is None:
            why = f"budget {claim.budget} was not claimed"
            done.findings.append(_without_transfer("missing", head, STAGE_CLAIMED, head.amount_minor or 0, why))
        else:
            _compare(head, row, STAGE_CLAIMED, key.account, key.spent_account, head.amount_minor, done)


def _closing(head: DecisionHead, rest: dict[str, Row], known: Known | None, done: Judged) -> Mapping[str, int]:
    """What was released, voided by hand and expired; each leg has a number that its life has counted."""
    cost, available = f"programme:{head.programme}:cost", f"{head.beneficiary}:available"
    pending = f"{head.beneficiary}:pending"
    sides = {
        STAGE_RELEASED: (pending, available),
        STAGE_VOIDED: (pending, cost),
        STAGE_EXPIRED: (available, cost),
    }
    closed = dict.fromkeys(sides, 0)
    if not rest:
        return closed
    for part in range(1 if known is None else max(known.legs, 1)):
        for stage, (debit, credit) in sides.items():
            row = rest.pop(leg_id(head.id, stage, part), None)
            if row is not None:
                closed[stage] += row.amount_minor
                _compare(head, row, stage, debit, credit, None, done)
            if not rest:
                return closed
    return closed


def _judge_course(head: DecisionHead, known: Known, closed: Mapping[str, int], done: Judged, at_ms: int) -> None:
    """What the ledger knows of a decision, against the decision and against its transfers."""
    done.pending_minor = known.pending_minor
    amount_minor = head.amount_minor or 0
    fields = (
        ("beneficiary", head.beneficiary, known.beneficiary),
        ("unit", head.unit, known.unit),
        ("granted_minor", amount_minor, known.granted_minor),
        ("available_at_ms", head.available_at_ms, known.available_at_ms),
        ("expires_at_ms", head.expires_at_ms, known.expires_at_ms),
    )
    differences = [Difference(name, decided, kept) for name, decided, kept in fields if decided != kept]
    if differences:
        why = "the ledger keeps the decision otherwise"
        done.findings.append(_without_transfer("different", head, STAGE_GRANTED, amount_minor, why, differences))
        return
    if head.available_at_ms is not None:
        let_go_minor = closed[STAGE_RELEASED] + closed[STAGE_VOIDED]
        most_minor = amount_minor - known.pending_minor
        # What clawbacks took came out of the hold, or out of what was released; both are right.
        least_minor = most_minor - (known.taken_minor - closed[STAGE_VOIDED])
        right_minor = min(max(let_go_minor, least_minor), most_minor)
        _judge_sum(head, STAGE_RELEASED, right_minor, let_go_minor, "what left the hold is not what was on it", done)
        if known.pending_minor and head.available_at_ms + RELEASE_GRACE_MS < at_ms:
            why = "its hold is over"
            done.findings.append(_without_transfer("missing", head, STAGE_RELEASED, known.pending_minor, why))
    _judge_sum(
        head, STAGE_EXPIRED, known.expired_minor, closed[STAGE_EXPIRED], "expired otherwise than the ledger keeps", done
    )


def _judge_sum(head: DecisionHead, stage: str, right_minor: int, posted_minor: int, why: str, done: Judged) -> None:
    """What several transfers come to, against what they should."""
    if posted_minor == 0 < right_minor:
        done.findings.append(_without_transfer("missing", head, stage, right_minor, why))
    elif posted_minor != right_minor:
        difference = Difference("amount_minor", right_minor, posted_minor)
        amount_minor = abs(right_minor - posted_minor)
        done.findings.append(_without_transfer("different", head, stage, amount_minor, why, [difference]))


def _compare(
    head: DecisionHead, row: Row, stage: str, debit: str, credit: str, amount_minor: int | None, done: Judged
) -> None:
    """Every field of a transfer; an amount of None is for others to judge."""
    is_alike = (row.stage, row.debit, row.credit) == (stage, debit, credit) and _decided(row) == _decided(head)
    if is_alike and amount_minor in (None, row.amount_minor):
        return
    expected = dict(zip(_AS_DECIDED, _decided(head), strict=True)) | {"stage": stage, "debit": debit, "credit": credit}
    if amount_minor is not None:
        expected["amount_minor"] = amount_minor
    differences = [
        Difference(name, value, getattr(row, name)) for name, value in expected.items() if getattr(row, name) != value
    ]
    names = ", ".join(each.field for each in differences)
    done.findings.append(found("different", row, f"differs in {names}", differences))


def _without_transfer(
    kind: Kind, head: DecisionHead, stage: str, minor: int, why: str, differences: Iterable[Difference] = ()
) -> Finding:
    return Finding(
        kind=kind,
        decision=head.id,
        transfer=None,
        stage=stage,
        programme=head.programme,
        partner=head.partner,
        minor=minor,
        unit=head.unit or "",
        differences=tuple(differences),
        why=why,
    )
