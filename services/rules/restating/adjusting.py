"""From what should have been paid, and what has been, to the adjusting decisions that make up the difference.

Pure. What has been paid is what was decided plus all restatements posted before, so that correcting twice pays once,
and correcting back takes all of it back. An adjusting decision is about the event of the one it corrects, and its id
is derived from that and from the restatement, so that posting it again posts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from contracts.decisions import Decision
from contracts.ids import decision_id
from services.rules.backtest.lines import Line, LineKey

OF_THE_PAST: Final = "restated"
"""Stands in the occasion, so that no occasion of the rules' own can be the same."""


class Adjustment(msgspec.Struct, frozen=True):
    """One adjusting decision to be.

    Attributes:
        key: What it corrects.
        paid_minor: What has been paid for that so far; `due_minor` what should have been.
        decision: Of the rules, that it is made from.
    """

    key: LineKey
    paid_minor: int
    due_minor: int
    decision: Decision

    @property
    def amount_minor(self) -> int:
        return self.due_minor - self.paid_minor


class Posted(msgspec.Struct, frozen=True):
    """What earlier restatements have posted for one thing, and the decision that this was made from."""

    key: LineKey
    amount_minor: int
    decided_minor: int
    decision: Decision


def adjustments(lines: Iterable[Line], posted: Iterable[Posted]) -> list[Adjustment]:
    """What is still to be paid or taken back, in a fixed order.

    Args:
        lines: Where the rules would have granted something else than was decided.
        posted: Everything that earlier restatements have posted for events of the same days.
    """
    due = {line.key: line for line in lines}
    extra: dict[LineKey, int] = {}
    known: dict[LineKey, Posted] = {}
    for each in posted:
        extra[each.key] = extra.get(each.key, 0) + each.amount_minor
        known[each.key] = each
    found = [
        Adjustment(key, line.before_minor + extra.get(key, 0), line.after_minor, line.decision)
        for key, line in due.items()
    ]
    # Where the rules agree with what was decided, but a restatement has paid something else since.
    found += [
        Adjustment(key, each.decided_minor + extra[key], each.decided_minor, each.decision)
        for key, each in known.items()
        if key not in due
    ]
    return sorted((each for each in found if each.amount_minor), key=lambda each: (each.decision.partner, each.key))


def adjusting_decision(adjustment: Adjustment, *, restatement: str, revision: int) -> Decision:
    """The decision that goes to the ledger.

    It stands outside of limits and budgets: those bound what rules give by themselves, and this somebody approved.
    `restatement` is its id; `revision` the one that the past is decided by, 0 for rules that were not published.
    """
    made_from, key, amount_minor = adjustment.decision, adjustment.key, adjustment.amount_minor
    occasion = f"{OF_THE_PAST}/{restatement}/{key.unit}/{key.occasion}"
    is_grant = amount_minor > 0
    return Decision(
        id=decision_id(
            time_ms=made_from.time_ms,
            programme=made_from.programme,
            source=key.event_source,
            event_id=key.event_id,
            rule=key.rule,
            beneficiary=key.beneficiary,
            occasion=occasion,
        ),
        granted=True,
        programme=made_from.programme,
        revision=revision,
        rule=key.rule,
        partner=made_from.partner,
        beneficiary=key.beneficiary,
        event_type=made_from.event_type,
        event_source=key.event_source,
        event_id=key.event_id,
        time_ms=made_from.time_ms,
        amount_minor=amount_minor,
        unit=key.unit,
        tier=made_from.tier,
        available_at_ms=made_from.available_at_ms if is_grant else None,
        customer=made_from.customer,
        customer_name=made_from.customer_name,
        lead=made_from.lead,
        deal=made_from.deal,
        product=made_from.product,
        decimals=made_from.decimals,
        occasion=occasion,
        expires_at_ms=made_from.expires_at_ms if is_grant else None,
        restates=restatement,
    )
