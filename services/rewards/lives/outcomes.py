"""What becomes of decisions whose posting depends on what the ledger holds: budgets, holds, what is taken back. Pure.

Given what is known of the decisions it mentions, `settle` says which transfers follow and what is known afterwards. A
decision is settled once: what is known of it answers every redelivery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.rewards.budgets.claims import BudgetKey, Budgets, budgets_of
from services.rewards.decode import encode_head
from services.rewards.lives.life import Life, Settlement
from services.rewards.lives.moves import grant, take_back
from services.rewards.lives.redelivery import differing
from services.rewards.lives.waiting import is_borne
from services.rewards.postings import Careful


def mentioned(careful: Sequence[Careful]) -> set[str]:
    """The decisions whose lives `settle` has to know."""
    own = {one.decision.id for one in careful}
    return own | {one.decision.takes_back for one in careful if one.decision.takes_back is not None}


def budgets_mentioned(careful: Sequence[Careful]) -> set[BudgetKey]:
    """The budgets that `settle` has to know."""
    return {key for one in careful if one.decision.takes_back is None for key in budgets_of(one.decision)}


def settle(
    careful: Sequence[Careful],
    known: Mapping[str, Life],
    budgets: Budgets | None = None,
    *,
    at_ms: int,
    resumes: bool = False,
) -> Settlement:
    """Settle decisions in their order; those that are known already are dropped.

    Args:
        careful: Sound decisions.
        known: Lives of all that is mentioned, where there are any. They are changed.
        budgets: All that is mentioned. They are changed.
        at_ms: The moment of posting; a hold that ended before it is over.
        resumes: Whether these are known, and have waited; those of a budget from the first of its queue on.
    """
    done = Settlement()
    lives = dict(known)
    stuck: set[int | None] = set()
    for one in careful:
        head = one.decision
        life = lives.get(head.id)
        if life is None:
            life = lives[head.id] = _newborn(one)
            done.born[head.id] = life
        elif differing(life, head):
            done.conflicting.append((life, head))
            continue
        elif not resumes:
            done.duplicates += 1
            continue
        elif life.state != "waiting" or (life.waits_for_budget is not None and life.waits_for_budget in stuck):
            # Nobody overtakes who came before; and what a person settled meanwhile waits no more.
            continue
        else:
            done.changed[head.id] = life
        waited_for = life.waits_for_budget
        if head.takes_back is not None:
            take_back(life, head, lives.get(head.takes_back), done, at_ms)
        elif not head.budgets or is_borne(life, head, budgets or {}, done, at_ms):
            grant(life, head, budgets or {}, done, at_ms=at_ms, news_at_ms=at_ms if resumes else None)
        if life.state == "waiting" and life.waits_for_budget == waited_for:
            stuck.add(waited_for)
    return done


def _newborn(one: Careful) -> Life:
    head = one.decision
    return Life(
        decision=head.id,
        state="posted",
        beneficiary=head.beneficiary,
        unit=head.unit or "",
        available_at_ms=head.available_at_ms,
        expires_at_ms=head.expires_at_ms,
        takes_back=head.takes_back,
        head=encode_head(head),
        traceparent=one.traceparent,
    )
