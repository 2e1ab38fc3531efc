"""Which revisions there are, and which is in force now: what is active, what is scheduled, what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.record import Revision, fetch, fetch_one
from services.rules.lifecycle.states import EVER_ACTIVE


async def list_revisions(postgres: str, programme: str | None = None, *, with_text: bool = True) -> list[Revision]:
    """All revisions of one programme, or of all, oldest first within a programme; on request without their texts."""
    async with connect(postgres) as connection:
        return await fetch(connection, programme, with_text=with_text)


async def show_revision(postgres: str, programme: str, revision: int) -> Revision:
    """Raises PermanentError(`unknown-revision`)."""
    async with connect(postgres) as connection:
        return await fetch_one(connection, programme, revision)


def shown_states(revisions: Iterable[Revision], now_ms: int) -> dict[tuple[str, int], str]:
    """What to call each: its state, but `scheduled` before its effective time, and `active` what is in force till then.

    Pure. By programme and number.
    """
    shown: dict[tuple[str, int], str] = {}
    entered: defaultdict[str, list[Revision]] = defaultdict(list)
    for revision in revisions:
        shown[revision.programme, revision.revision] = revision.state
        if revision.state in EVER_ACTIVE:
            entered[revision.programme].append(revision)
    for programme, candidates in entered.items():
        newest = max(candidates, key=lambda each: each.revision)
        if newest.state != "active" or not _is_later(newest, now_ms):
            continue
        shown[programme, newest.revision] = "scheduled"
        in_force = [each for each in candidates if not _is_later(each, now_ms)]
        if in_force:
            shown[programme, max(each.revision for each in in_force)] = "active"
    return shown


def _is_later(revision: Revision, now_ms: int) -> bool:
    return revision.effective_from_ms is not None and revision.effective_from_ms > now_ms
