"""Decisions that budgets cover: borne, denied, or in the queue of the budget that cannot bear them yet. Pure."""

from __future__ import annotations

from contracts.facts import NoticeKind, RewardNotice
from contracts.ids import transfer_id
from services.rewards.budgets.claims import Budgets, allot_by_rules, blocked, budgets_of
from services.rewards.decode import DecisionHead
from services.rewards.lives.life import Life, Settlement


def is_borne(life: Life, head: DecisionHead, budgets: Budgets, done: Settlement, at_ms: int) -> bool:
    """Whether all budgets that cover it can bear it; if not, it waits or is denied, and its partner is told once."""
    done.transfers += allot_by_rules(head, budgets, at_ms=at_ms)
    done.budgets.update({budgets[key].id: budgets[key] for key in budgets_of(head)})
    stop = blocked(head, budgets, is_first_of=life.waits_for_budget)
    if stop is None:
        leave_queue(life, budgets, done)
        return True
    is_news = life.state != "waiting"
    life.reason = stop.reason
    if not stop.waits:
        leave_queue(life, budgets, done)
        life.state = "denied"
        done.notices.append(notice(life, head, "denied", at_ms=at_ms))
        return False
    life.state = "waiting"
    if is_news:
        done.notices.append(notice(life, head, "held", at_ms=at_ms))
    waits_for = None if stop.budget is None else stop.budget.id
    if waits_for != life.waits_for_budget:
        leave_queue(life, budgets, done)
    if stop.budget is not None and life.waits_for_budget is None:
        stop.budget.waiting += 1
        stop.budget.last_waiting_no += 1
        life.waits_for_budget, life.waiting_no = stop.budget.id, stop.budget.last_waiting_no
    return False


def leave_queue(life: Life, budgets: Budgets, done: Settlement) -> None:
    """It waits for no budget any more."""
    if life.waits_for_budget is None:
        return
    for budget in budgets.values():
        if budget.id == life.waits_for_budget:
            budget.waiting -= 1
            done.budgets[budget.id] = budget
    life.waits_for_budget = life.waiting_no = None


def notice(life: Life, head: DecisionHead, kind: NoticeKind, *, at_ms: int) -> RewardNotice:
    """What the partner should know although no money moved."""
    return RewardNotice(
        id=transfer_id(head.id, kind),
        notice=kind,
        decision=head.id,
        programme=head.programme,
        rule=head.rule,
        partner=head.partner,
        beneficiary=head.beneficiary,
        amount_minor=abs(head.amount_minor or 0),
        unit=head.unit or "",
        time_ms=head.time_ms,
        posted_at_ms=at_ms,
        reason=life.reason,
        traceparent=life.traceparent,
        customer=head.customer,
        customer_name=head.customer_name,
        deal=head.deal,
        lead=head.lead,
        decimals=head.decimals,
    )
