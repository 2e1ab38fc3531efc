"""Which transfers follow from decisions, as tables. Faults are listed in the order in which they are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.decisions import BudgetClaim, Decision
from contracts.ids import transfer_id
from services.rewards import legs
from services.rewards.faults import REVISION_MAX, TIME_MS_MAX, TIME_MS_MIN
from services.rewards.legs import ByHand, granted_transfer_id, leg, leg_id
from services.rewards.postings import Plan, plan_transfers
from tests.support.decisions import decided, denied, head

POSTED_AT_MS = 1_767_300_000_000

PAID = [
    # what                       fields of the decision                                     credited
    ("a partner", {}, "partner:ann:available"),
    ("a customer", {"beneficiary": "customer:cancity", "unit": "CREDIT"}, "customer:cancity:available"),
    ("a member", {"beneficiary": "member:m-1", "unit": "POINTS"}, "member:m-1:available"),
]
MOVE_NOTHING = [
    ("a denial", denied(1)),
    ("a denial that names an amount", decided(1, granted=False)),
    ("a qualified lead", decided(1, rule="qualified.lead", amount_minor=None, unit=None)),
    ("a tier", decided(1, rule="tier", tier="bronze", tier_to="silver", amount_minor=None, unit=None)),
]
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("decision-id-malformed", {"id": "opp-1"}),
    ("decision-id-malformed", {"id": decided(1).id.upper()}),
    ("takes-back-malformed", {"takes_back": "opp-1"}),
    ("amount-out-of-range", {"amount_minor": 0}),
    ("amount-out-of-range", {"amount_minor": -1}),
    ("amount-out-of-range", {"amount_minor": 2**63}),
    ("amount-out-of-range", {"amount_minor": 5, "takes_back": decided(2).id}),
    ("amount-out-of-range", {"amount_minor": -(2**63), "restates": "r-1"}),
    ("unit-malformed", {"unit": None}),
    ("unit-malformed", {"unit": "usd"}),
    ("decimals-out-of-range", {"decimals": -1}),
    ("decimals-out-of-range", {"decimals": 7}),
    ("time-out-of-range", {"time_ms": TIME_MS_MIN - 1, "id": decided(1).id}),
    ("time-out-of-range", {"time_ms": TIME_MS_MAX + 1, "id": decided(1).id}),
    ("time-out-of-range", {"available_at_ms": TIME_MS_MAX + 1}),
    ("time-out-of-range", {"expires_at_ms": TIME_MS_MIN - 1}),
    ("revision-out-of-range", {"revision": -1}),
    ("revision-out-of-range", {"revision": REVISION_MAX + 1}),
    ("text-not-storable", {"customer_name": "Can\0city"}),
    ("text-not-storable", {"deal": "x" * 1025}),
    ("partner-malformed", {"partner": "ann:bob", "beneficiary": "partner:ann"}),
    ("account-outside-chart", {"programme": "crm sales"}),
    ("account-outside-chart", {"beneficiary": "ann"}),
    ("account-outside-chart", {"beneficiary": "partner:ann:x"}),
    ("budget-malformed", {"budgets": (BudgetClaim("a b", "2026", 1, "USD", "hold"),)}),
    ("budget-malformed", {"budgets": (BudgetClaim("yearly", "20:26", 1, "USD", "hold"),)}),
    ("budget-malformed", {"budgets": (BudgetClaim("yearly", "", -1, "USD", "hold"),)}),
    ("budget-malformed", {"budgets": (BudgetClaim("yearly", "", 1, "usd", "hold"),)}),
]


def plan(*decisions: Decision) -> Plan:
    return plan_transfers([head(d) for d in decisions], [f"trace-{i}" for i in range(9)], posted_at_ms=POSTED_AT_MS)


@pytest.mark.parametrize(("what", "fields", "credited"), PAID, ids=[row[0] for row in PAID])
def test_a_grant_moves_its_amount_from_the_programmes_cost_to_the_beneficiary(
    what: str, fields: dict[str, Any], credited: str
) -> None:
    decision = decided(1, **fields)
    (transfer,) = plan(decision).transfers
    assert (transfer.debit, transfer.credit) == ("programme:crm-sales:cost", credited)
    assert (transfer.amount_minor, transfer.unit) == (decision.amount_minor, decision.unit)
    assert (transfer.stage, transfer.posted_at_ms, transfer.traceparent) == ("granted", POSTED_AT_MS, "trace-0")
    assert transfer.id == transfer.group == transfer_id(decision.id, "granted")
    same_names = ("programme", "rule", "revision", "partner", "event_source", "event_id", "time_ms", "customer", "deal")
    assert [getattr(transfer, name) for name in same_names] == [getattr(decision, name) for name in same_names]


@pytest.mark.parametrize(("what", "decision"), MOVE_NOTHING, ids=[row[0] for row in MOVE_NOTHING])
def test_what_grants_no_amount_moves_nothing(what: str, decision: Decision) -> None:
    assert plan(decision) == Plan([], [])


@pytest.mark.parametrize(("code", "fields"), FAULTS, ids=[f"{row[0]}-{i}" for i, row in enumerate(FAULTS)])
def test_what_cannot_be_posted_is_refused_with_its_reason_and_the_rest_is_posted(
    code: str, fields: dict[str, Any]
) -> None:
    bad = decided(1, **fields)
    planned = plan(decided(0), bad, decided(2))
    assert [(index, problem.code) for index, problem in planned.refused] == [(1, code)]
    assert [transfer.traceparent for transfer in planned.transfers] == ["trace-0", "trace-2"]


def test_of_several_faults_the_first_in_order_is_told() -> None:
    """All faults at once; then the first one mended, and so on."""
    fields: dict[str, Any] = {}
    order = []
    for code, fault in FAULTS:
        if code not in order and not set(fault) & set(fields):
            order.append(code)
            fields |= fault
    told = []
    while fields:
        ((_, problem),) = plan(decided(1, **fields)).refused
        told.append(problem.code)
        mended = next(fault for code, fault in FAULTS if code == problem.code and set(fault) <= set(fields))
        fields = {name: value for name, value in fields.items() if name not in mended}
    assert told == order


def test_a_duplicate_is_planned_again_under_the_same_id() -> None:
    first, second = plan(decided(1), decided(1)).transfers
    assert first.id == second.id


def test_the_fast_transfer_id_is_that_of_the_contract() -> None:
    ids = [decided(number, time_ms=number * 10**9 - 5).id for number in range(200)]
    assert [granted_transfer_id(id) for id in ids] == [transfer_id(id, "granted") for id in ids]
    stages = [value for name, value in vars(legs).items() if name.startswith("STAGE_")]
    wanted = [(id, stage, part) for id in ids[:5] for stage in stages for part in (0, 1, 10, 123_456)]
    assert [leg_id(*one) for one in wanted] == [transfer_id(*one) for one in wanted]


def test_a_leg_tells_under_each_name_what_its_decision_said_there() -> None:
    decision = decided(1, takes_back=decided(2).id, available_at_ms=1, expires_at_ms=2, lead="lead-1", decimals=3)
    made = leg(
        head(decision),
        "voided",
        "a",
        "b",
        7,
        posted_at_ms=8,
        traceparent="trace",
        group="group",
        part=9,
        by_hand=ByHand("why", "who"),
        news_at_ms=10,
    )
    own = {name: getattr(decision, name) for name in made.__struct_fields__ if hasattr(decision, name)}
    assert msgspec.structs.asdict(made) == own | {
        "id": transfer_id(decision.id, "voided", 9),
        "group": "group",
        "stage": "voided",
        "decision": decision.id,
        "debit": "a",
        "credit": "b",
        "amount_minor": 7,
        "posted_at_ms": 8,
        "traceparent": "trace",
        "reason": "why",
        "booked_by": "who",
        "news_at_ms": 10,
    }


def test_a_transfer_says_of_its_unit_what_the_decision_said() -> None:
    decisions = [decided(1, unit="CREDIT", decimals=2), decided(2)]
    plan = plan_transfers([head(one) for one in decisions], ["", ""], posted_at_ms=POSTED_AT_MS)
    assert [transfer.decimals for transfer in plan.transfers] == [2, None]
