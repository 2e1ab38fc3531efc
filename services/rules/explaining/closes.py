"""What a day's close told a partner, and why nothing: the partner's history played up to the close.

Pure. A close is a broadcast, one record a partition; it decides for each partner whose silence is due then
(docs/rules.md#milestones-and-inactivity), and the fold played here is the one that decides it live.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from services.rules.clock.calendar import Zone, date_of
from services.rules.explaining.replay import ACTIVATED, UNLIMITED, Placed, enter, load
from services.rules.explaining.telling import plain
from services.rules.explaining.told import EventTold, Explanation
from services.rules.fold import Fold
from services.rules.states.memory import BROADCASTS
from services.rules.states.state import ProgrammeState


def tell_close(
    shown: EventTold, history: Sequence[Placed], stored: ProgrammeState, partner: str, *, is_decided: bool
) -> Explanation:
    """What the last event of the history, a close, told the partner; `stored` as in `replay.replay`.

    The history is the partner's events before the close and the broadcasts of the partition, in order.
    """
    close = history[-1].event
    programme = close.data.programme
    fold = _played(history, stored)
    before = fold.partner(programme, partner)
    told = Explanation(
        event=shown,
        outcome="broadcast",
        because="nothing of the partner came before this day's close",
        events_replayed=sum(each.event.data.partner is not None for each in history),
    )
    if before is None:
        return told
    revision = fold.revisions(programme).at(close.time_ms, before)
    if revision is None:
        return msgspec.structs.replace(told, because="no revision of the programme was in force when the day closed")
    day = date_of(Zone(revision.rule_set.timezone).day_of(close.time_ms)).isoformat()
    tier = before.tier
    decisions = [each for each in fold.fold((close,)).decisions if each.partner == partner]
    rules = ", ".join(each.rule for each in decisions)
    because = f"the local day {day} closed: {rules or 'no silence of the partner was due'}"
    after = fold.partner(programme, partner)
    return msgspec.structs.replace(
        told,
        outcome=("decided" if decisions else "counted") if is_decided else "waiting",
        because=because if is_decided else f"{because}; the rules service has not come to it yet",
        revision=revision.revision,
        tier=tier,
        tier_after=None if after is None else after.tier,
        decisions=plain(decisions),
    )


def _played(history: Sequence[Placed], stored: ProgrammeState) -> Fold:
    """The fold as it stood before the last event."""
    fold = Fold(0, cache_bytes=UNLIMITED)
    events = [each.event for each in history]
    load(fold, dict.fromkeys(fold.missing_keys([each for each in events if each.type in BROADCASTS])))
    for event in events[:-1]:
        if event.type == ACTIVATED:
            enter(fold, event, stored)
        else:
            fold.fold((event,))
    return fold
