"""`goodword payouts reconcile`: what a bank's file says, against the payouts; on request, booked.

Only what agrees in amount and currency, and what our books allow, is booked; each payout in a transaction of its own,
so one that was stopped goes on when it is done again, and what is booked already agrees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Final, TypedDict

import msgspec

from runtime.database import Database
from services.rewards.payouts import store
from services.rewards.payouts.bank.entry import Entry
from services.rewards.payouts.bank.matching import FAULTS, VERDICTS, Match, match
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.store import outages_are_transient

DAY_MS: Final = 86_400_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Sum(TypedDict):
    """Of one verdict and currency."""

    verdict: str
    currency: str
    payouts: int
    minor: int


class BankReport(TypedDict):
    """The whole answer. `entries` are those about payouts, `others` those that name none; `booked` were moved now."""

    entries: int
    others: int
    booked: int
    sums: list[Sum]
    matches: list[Match]


def agrees(report: BankReport) -> bool:
    """Whether the bank did what it was told, as far as it says."""
    return not any(found.verdict in FAULTS for found in report["matches"])


async def reconcile_bank(
    database: Database,
    desk: PayoutDesk,
    entries: Iterable[Entry],
    *,
    run: str | None,
    book: bool,
    who: str,
) -> BankReport:
    """Hold a file against the payouts.

    Args:
        database: The rewards service's.
        desk: Books, where it is asked to.
        entries: Of the file; only those about payouts are kept in memory.
        run: The id of the only run of which something can be missing; None: any.
        book: Whether to settle and return what the bank says.
        who: Whose doing that is.

    Raises:
        PermanentError: The file cannot be read, or a payout changed meanwhile.
        TransientError: The database is away; do it again.
    """
    ours: list[Entry] = []
    others = 0
    last = ""
    for entry in entries:
        last = max(last, entry.day)
        if entry.payout is None:
            others += 1
        else:
            ours.append(entry)
    named = sorted({entry.payout for entry in ours if entry.payout is not None})
    with outages_are_transient():
        async with database.connection() as connection:
            payouts = {payout.id: payout for payout in await store.payouts_named(connection, named)}
            waiting = await store.payouts_sent(connection, run=run, before_ms=_day_ms(last, 1))
    matches = match(ours, payouts, waiting)
    booked = 0
    if book:
        for found in matches:
            if found.entry is None or found.verdict not in ("settled", "returned"):
                continue
            payout = payouts[found.payout]
            day_ms = _day_ms(found.entry.day, 0)
            # A statement has days only; nothing is paid before it was sent.
            at_ms = None if day_ms is None else max(day_ms, payout.sent_at_ms or 0)
            if found.verdict == "settled":
                await desk.settle(payout.id, at_ms, found.entry.reference or found.entry.where, who=who)
            else:
                await desk.return_(payout.id, at_ms, found.entry.reason or "returned by the bank", who=who)
            booked += 1
    return BankReport(entries=len(ours), others=others, booked=booked, sums=_sums(matches), matches=matches)


def _sums(matches: list[Match]) -> list[Sum]:
    counts: Counter[tuple[str, str]] = Counter()
    minors: Counter[tuple[str, str]] = Counter()
    for found in matches:
        counts[found.verdict, found.currency] += 1
        said = found.entry.amount_minor if found.entry is not None else None
        minors[found.verdict, found.currency] += (found.ordered_minor if said is None else said) or 0
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    return [
        Sum(verdict=verdict, currency=currency, payouts=count, minor=minors[verdict, currency])
        for (verdict, currency), count in sorted(
            counts.items(),
            key=lambda item: (order[item[0][0]], item[0][1]),  # type: ignore[index] # the keys are verdicts
        )
    ]


def _day_ms(day: str, later: int) -> int | None:
    return None if not day else (date.fromisoformat(day).toordinal() - _EPOCH_DAY + later) * DAY_MS


def shown(found: Match) -> dict[str, object]:
    """As `--json` has it."""
    return dict(msgspec.to_builtins(found))
