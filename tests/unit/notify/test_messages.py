"""Which mail follows from a decision or a fact, as tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.decisions import Decision
from contracts.facts import LEDGER_SOURCE, NoticeKind, RewardNotice, TransferPosted
from services.notify.messages import (
    DAY_MS,
    DecisionView,
    Details,
    is_too_old,
    mail_of_decision,
    mail_of_notice,
    mail_of_transfer,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
VIEW = DecisionView(
    id="015a8cd2-8c00-8a3e-b0a1-5d2f8a3e9b11",
    granted=True,
    programme="crm-sales",
    rule="qualified.lead",
    partner="moses-frase",
    event_type="lead.registered",
    time_ms=1_488_326_400_000,
    customer="cancity",
    customer_name="Cancity",
    lead="L-1",
)
FACT = TransferPosted(
    id="015a8cd2-8c00-8b3e-b0a1-5d2f8a3e9b11",
    group="g",
    stage="granted",
    decision="d",
    programme="crm-sales",
    rule="commission",
    partner="moses-frase",
    debit="programme:crm-sales:cost",
    credit="partner:moses-frase:available",
    amount_minor=105400,
    unit="USD",
    event_source="crm/acme",
    event_id="opp-1",
    time_ms=1_488_326_400_000,
    posted_at_ms=1_488_326_500_000,
    traceparent=TRACEPARENT,
    customer="cancity",
    deal="1C1I7A6R",
)

DECISIONS: list[tuple[dict[str, Any], str | None, Details | None]] = [
    ({}, "lead-qualified", Details(customer="Cancity", lead="L-1")),
    ({"customer_name": None}, "lead-qualified", Details(customer="cancity", lead="L-1")),
    ({"customer_name": "Can\ncity"}, "lead-qualified", Details(customer="Can city", lead="L-1")),
    ({"customer": None, "customer_name": None, "lead": None}, "lead-qualified", Details()),
    ({"granted": False}, None, None),
    ({"rule": "tier", "tier_to": "gold"}, "tier-reached", Details(tier="gold")),
    ({"rule": "tier", "tier_to": None}, None, None),
    ({"rule": "tier", "tier_to": "gold", "granted": False}, None, None),
    ({"rule": "tier", "tier_to": "bronze", "event_type": "partner.tier_assigned"}, None, None),
    ({"rule": "tier", "tier_to": "bronze", "occasion": "2026-01-01"}, None, None),
    ({"rule": "commission"}, None, None),
    ({"rule": "event", "granted": False}, None, None),
]


@pytest.mark.parametrize(("changes", "kind", "details"), DECISIONS)
def test_a_decision_makes_this_mail(changes: dict[str, Any], kind: str | None, details: Details | None) -> None:
    mail = mail_of_decision(msgspec.structs.replace(VIEW, **changes), TRACEPARENT)
    assert (mail and mail.kind, mail and mail.details) == (kind, details)
    if mail is not None:
        assert (mail.fact, mail.partner, mail.trace) == (VIEW.id, VIEW.partner, TRACE)


TRANSFERS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"credit": "partner:moses-frase:pending"}, True),
    ({"credit": "customer:cancity:available"}, False),
    ({"credit": "member:moses-frase:available"}, False),
    ({"credit": "partner:moses-frase-2:available"}, False),
    ({"stage": "released"}, False),
    ({"stage": "allotted"}, False),
    ({"stage": "claimed"}, False),
    ({"stage": "payout_prepared"}, False),
]


@pytest.mark.parametrize(("changes", "is_told"), TRANSFERS)
def test_only_a_grant_to_the_partner_makes_a_mail(changes: dict[str, Any], is_told: bool) -> None:
    mail = mail_of_transfer(msgspec.structs.replace(FACT, **changes))
    assert (mail is not None) == is_told
    if mail is not None:
        assert mail.details == Details(
            customer="cancity", deal="1C1I7A6R", rule="commission", amount_minor=105400, unit="USD"
        )
        assert mail.trace == TRACE


OWN, HELD, COST = "partner:moses-frase:available", "partner:moses-frase:pending", "programme:crm-sales:cost"
SENT, RESERVED = "partner:moses-frase:payout:sent", "partner:moses-frase:reserved"
GOLD = "gold per year"
LATER_MS = 1_490_000_000_000
STAGES: list[tuple[dict[str, Any], str | None, str | None]] = [
    # What the fact says                                                          mail                 available on
    ({"credit": HELD, "available_at_ms": LATER_MS}, "reward-granted", "2017-03-20"),
    # A hold that was over at once: the grant says it all.
    ({"credit": HELD, "available_at_ms": FACT.posted_at_ms}, "reward-granted", None),
    ({"stage": "released", "debit": HELD, "group": FACT.id}, "reward-released", None),
    ({"stage": "released", "debit": HELD, "group": "the grant's"}, None, None),
    ({"stage": "voided", "debit": HELD, "credit": COST}, "reward-taken-back", None),
    ({"stage": "clawed_back", "debit": OWN, "credit": COST}, "reward-taken-back", None),
    ({"stage": "adjusted", "debit": OWN, "credit": COST}, "reward-taken-back", None),
    ({"stage": "expired", "debit": OWN, "credit": COST}, "reward-expired", None),
    ({"stage": "clawed_back", "debit": "customer:c:available", "credit": COST}, None, None),
    ({"stage": "written_off", "debit": "programme:crm-sales:written-off"}, "debt-written-off", None),
    ({"rule": "gift"}, "reward-granted", None),
    ({"rule": "gift", "event_source": LEDGER_SOURCE}, "gift-granted", None),
    ({"stage": "payout_approved", "debit": SENT, "credit": SENT}, None, None),
    ({"stage": "payout_sent", "debit": OWN, "credit": SENT}, "payout-sent", None),
    # The fee goes the same way in the same posting.
    ({"stage": "payout_fee", "debit": OWN, "credit": SENT, "group": "the payout's"}, None, None),
    ({"stage": "paid", "debit": SENT, "credit": "partner:moses-frase:paid"}, "payout-settled", None),
    ({"stage": "payout_returned", "debit": SENT}, "payout-returned", None),
    # What was converted comes back through the programme.
    ({"stage": "payout_returned", "debit": "programme:p:conversion", "group": "x"}, "payout-returned", None),
    ({"stage": "reserved", "debit": OWN, "credit": RESERVED}, "redemption-reserved", None),
    ({"stage": "redeemed", "debit": RESERVED, "credit": "programme:crm-sales:redeemed"}, "redemption-fulfilled", None),
    ({"stage": "credited"}, None, None),
    ({"stage": "cancelled", "debit": RESERVED}, "redemption-cancelled", None),
    ({"stage": "fee_charged", "debit": OWN}, "membership-charged", None),
    ({"stage": "fee_charged", "debit": "programme:p:paid-outside"}, None, None),
    ({"stage": "fee_refunded"}, "membership-refunded", None),
    ({"stage": "reserved", "debit": "member:m:available", "credit": "member:m:reserved"}, None, None),
]


@pytest.mark.parametrize(("changes", "kind", "available_on"), STAGES)
def test_each_stage_of_a_reward_is_told_once(
    changes: dict[str, Any], kind: str | None, available_on: str | None
) -> None:
    mail = mail_of_transfer(msgspec.structs.replace(FACT, **changes))
    assert (mail and mail.kind, mail and mail.details.available_on) == (kind, available_on)


def test_a_payout_is_news_when_it_is_posted_however_long_ago_it_was_prepared() -> None:
    changes: dict[str, Any] = {
        "stage": "paid",
        "event_source": LEDGER_SOURCE,
        "event_id": "payout/crm-sales/EUR/x",
    }
    mail = mail_of_transfer(msgspec.structs.replace(FACT, **changes))
    assert mail is not None
    assert (mail.time_ms, mail.details.payout) == (FACT.posted_at_ms, "crm-sales/EUR/x")


def test_a_redemption_and_a_membership_say_what_for_and_a_cancellation_why() -> None:
    told = {}
    for stage, reason in {
        "reserved": "2 × mug",
        "redeemed": "2 × mug",
        "cancelled": "why",
        "fee_charged": GOLD,
    }.items():
        mail = mail_of_transfer(msgspec.structs.replace(FACT, stage=stage, debit=OWN, reason=reason))
        assert mail is not None
        told[stage] = (mail.details.item, mail.details.reason)
    assert told == {
        "reserved": ("2 × mug", None),
        "redeemed": ("2 × mug", None),
        "cancelled": (None, "why"),
        "fee_charged": ("gold", None),
    }


@pytest.mark.parametrize(
    ("notice", "beneficiary", "kind"),
    [
        ("held", "partner:moses-frase", "reward-waiting"),
        ("denied", "partner:moses-frase", "reward-denied"),
        ("denied", "customer:cancity", None),
        ("expiring", "partner:moses-frase", "reward-expiring"),
    ],
)
def test_a_notice_tells_why_nothing_was_paid(notice: NoticeKind, beneficiary: str, kind: str | None) -> None:
    fact = RewardNotice(
        id=FACT.id,
        notice=notice,
        decision="d",
        programme="crm-sales",
        rule="commission",
        partner="moses-frase",
        beneficiary=beneficiary,
        amount_minor=105400,
        unit="USD",
        time_ms=FACT.time_ms,
        posted_at_ms=FACT.posted_at_ms,
        reason="budget yearly is spent",
    )
    mail = mail_of_notice(fact)
    told = Details(rule="commission", amount_minor=105400, unit="USD", reason="budget yearly is spent")
    assert (mail and mail.kind, mail and mail.details) == (kind, told if kind else None)


def test_a_release_is_news_when_the_hold_ends_not_when_the_deal_was_won() -> None:
    mail = mail_of_transfer(msgspec.structs.replace(FACT, stage="released", group=FACT.id, news_at_ms=LATER_MS))
    assert mail is not None
    assert mail.time_ms == LATER_MS


@pytest.mark.parametrize(
    ("age_ms", "is_old"), [(0, False), (-DAY_MS, False), (7 * DAY_MS, False), (7 * DAY_MS + 1, True)]
)
def test_a_fact_is_too_old_after_a_week(age_ms: int, is_old: bool) -> None:
    now_ms = 1_795_000_000_000
    assert is_too_old(now_ms - age_ms, now_ms=now_ms, age_max_days=7) is is_old


def test_our_view_of_a_decision_is_a_part_of_the_contract() -> None:
    contract = {field.name: field.type for field in msgspec.structs.fields(Decision)}
    view = {field.name: field.type for field in msgspec.structs.fields(DecisionView)}
    assert view.items() <= contract.items()


@pytest.mark.parametrize("decimals", [None, 2])
def test_the_mail_of_a_transfer_knows_the_scale_that_the_fact_tells(decimals: int | None) -> None:
    mail = mail_of_transfer(msgspec.structs.replace(FACT, unit="CREDIT", decimals=decimals))
    assert mail is not None
    assert mail.details.decimals == decimals
