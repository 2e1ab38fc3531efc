"""What became of a decision is judged by its transfers and by what the ledger keeps of it; each fault is named once."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.decisions import Decision
from contracts.facts import TransferPosted
from contracts.ids import transfer_id
from services.rewards.legs import STAGE_EXPIRED, STAGE_RELEASED, STAGE_VOIDED, leg
from services.rewards.lives.outcomes import settle
from services.rewards.postings import plan_transfers
from services.rewards.reconciling.judge import RELEASE_GRACE_MS, judge
from services.rewards.reconciling.row import Known, Row
from tests.support.decisions import TIME_MS, decided, denied, head

END_MS = TIME_MS + 1_000_000
HELD = decided(1, available_at_ms=END_MS)
LOT = decided(2, expires_at_ms=END_MS, unit="POINTS")
PENDING, AVAILABLE, COST = "partner:ann:pending", "partner:ann:available", "programme:crm-sales:cost"


def row(transfer: TransferPosted) -> Row:
    return Row(**{name: getattr(transfer, name) for name in Row.__struct_fields__})


def posted(decision: Decision) -> list[Row]:
    plan = plan_transfers([head(decision)], [""], posted_at_ms=TIME_MS)
    return [row(one) for one in [*plan.transfers, *settle(plan.careful, {}, at_ms=TIME_MS).transfers]]


def part(decision: Decision, stage: str, minor: int, number: int = 0) -> Row:
    debit, credit = {
        STAGE_RELEASED: (PENDING, AVAILABLE),
        STAGE_VOIDED: (PENDING, COST),
        STAGE_EXPIRED: (AVAILABLE, COST),
    }[stage]
    return row(leg(head(decision), stage, debit, credit, minor, posted_at_ms=TIME_MS, part=number))


def known(decision: Decision, **fields: Any) -> Known:
    usual: dict[str, Any] = {
        "decision": decision.id,
        "state": "posted",
        "beneficiary": decision.beneficiary,
        "unit": decision.unit,
        "granted_minor": decision.amount_minor,
        "pending_minor": 0,
        "taken_minor": 0,
        "expired_minor": 0,
        "legs": 3,
        "available_at_ms": decision.available_at_ms,
        "expires_at_ms": decision.expires_at_ms,
        "takes_back": None,
        "reason": "",
        "has_head": True,
    }
    return Known(**(usual | fields))


HOLDS = [
    # released, voided by hand, still on hold, taken back in all; what is found
    ([10_000], [], 0, 0, []),
    ([4_000, 6_000], [], 0, 0, []),
    ([4_000], [1_000], 5_000, 1_000, []),
    # A clawback took 3,000 of the hold; or 3,000 of what was released already.
    ([7_000], [], 0, 3_000, []),
    ([10_000], [], 0, 3_000, []),
    ([], [], 0, 0, [("missing", "released", 10_000)]),
    ([4_000], [], 0, 0, [("different", "released", 6_000)]),
    ([10_000], [], 2_000, 0, [("different", "released", 2_000)]),
    ([], [1_000], 5_000, 1_000, [("different", "released", 4_000)]),
]


@pytest.mark.parametrize(("released", "voided", "pending", "taken", "findings"), HOLDS)
def test_what_left_a_hold_is_what_was_on_it(
    released: list[int], voided: list[int], pending: int, taken: int, findings: list[Any]
) -> None:
    rows = posted(HELD)
    rows += [part(HELD, STAGE_RELEASED, minor, number) for number, minor in enumerate(released)]
    rows += [part(HELD, STAGE_VOIDED, minor, number) for number, minor in enumerate(voided)]
    judged = judge(head(HELD), rows, known(HELD, pending_minor=pending, taken_minor=taken), at_ms=TIME_MS)
    assert [(each.kind, each.stage, each.minor) for each in judged.findings] == findings
    assert judged.pending_minor == pending


@pytest.mark.parametrize(
    ("late_ms", "is_missing"), [(0, False), (RELEASE_GRACE_MS, False), (RELEASE_GRACE_MS + 1, True)]
)
def test_a_hold_that_is_over_may_wait_for_the_clock_a_little(late_ms: int, is_missing: bool) -> None:
    judged = judge(head(HELD), posted(HELD), known(HELD, pending_minor=10_000), at_ms=END_MS + late_ms)
    assert [each.why for each in judged.findings] == (["its hold is over"] if is_missing else [])


@pytest.mark.parametrize(("expired", "kept", "kinds"), [(700, 700, []), (0, 700, ["missing"]), (1, 700, ["different"])])
def test_what_expired_is_what_the_ledger_keeps_of_it(expired: int, kept: int, kinds: list[str]) -> None:
    rows = posted(LOT) + ([part(LOT, STAGE_EXPIRED, expired)] if expired else [])
    judged = judge(head(LOT), rows, known(LOT, expired_minor=kept), at_ms=TIME_MS)
    assert [each.kind for each in judged.findings] == kinds


WHYS = [
    (denied(3), None, {}, "posted", "the decision was denied"),
    (decided(3), None, {"is_refused": True}, "refused", "the ledger refused it"),
    (decided(3, takes_back="x"), None, {}, "refused", "the ledger cannot take such a decision: takes-back-malformed"),
    (HELD, known(HELD, state="waiting", reason="budget b is spent"), {}, "waiting", "budget b is spent"),
    (HELD, known(HELD, state="denied", reason="budget b is spent"), {}, "denied", "budget b is spent"),
    (HELD, known(HELD, state="refused", reason="voided by ann: x"), {}, "refused", "voided by ann: x"),
]


@pytest.mark.parametrize(("decision", "kept", "more", "bucket", "why"), WHYS)
def test_what_rightly_has_no_transfer_is_a_bucket_and_a_transfer_of_it_is_extra(
    decision: Decision, kept: Known | None, more: dict[str, bool], bucket: str, why: str
) -> None:
    judged = judge(head(decision), [], kept, at_ms=TIME_MS, **more)
    assert (judged.bucket, judged.findings) == (bucket, [])
    (stray,) = posted(decided(3))
    judged = judge(head(decision), [stray], kept, at_ms=TIME_MS, **more)
    assert [(each.kind, each.why) for each in judged.findings] == [("extra", why)]


def test_a_second_grant_of_a_decision_is_extra() -> None:
    (granted,) = posted(decided(4))
    second = row(leg(head(decided(4)), "granted", COST, AVAILABLE, 10_000, posted_at_ms=TIME_MS, part=1))
    judged = judge(head(decided(4)), [granted, second], None, at_ms=TIME_MS)
    assert [(each.kind, each.transfer) for each in judged.findings] == [
        ("extra", transfer_id(decided(4).id, "granted", 1))
    ]
    assert (judged.bucket, judged.posted_minor) == ("unexplained", 20_000)


def test_what_is_not_read_yet_is_not_missing() -> None:
    assert judge(head(decided(5)), [], None, is_read=False, at_ms=TIME_MS).bucket == "unread"
    assert judge(head(decided(5)), [], None, at_ms=TIME_MS).bucket == "unexplained"
