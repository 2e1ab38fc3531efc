"""`goodword ledger liability`: what is owed at one moment, from the transfers that were booked until then.

Two sorted streams, what accounts hold and which lots there are, are taken beneficiary by beneficiary; memory is flat.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final, TypedDict

from psycopg import sql

from contracts.events import format_time, time_ms_of
from services.rewards.asof.cuts import By, Cut
from services.rewards.liability.forecast import Experience, Forecast, Hold, Holding, Line, Lot, MonthOf, totals
from services.rewards.reads.connect import Connection, open_ledger

FETCH_ROWS: Final = 5_000
_BEFORE: Final = {
    By.BOOKED: sql.SQL("t.posted_at < {until}"),
    By.EFFECTIVE: sql.SQL("coalesce(t.news_at, t.event_at) < {until}"),
}

_HOLDINGS: Final = sql.SQL(
    "WITH owners AS ("
    "  SELECT id, split_part(address, ':', 1) || ':' || split_part(address, ':', 2) AS beneficiary,"
    "    split_part(address, ':', 3) AS place FROM rewards.accounts"
    "  WHERE address NOT LIKE 'programme:%' AND split_part(address, ':', 3) IN ('available', 'reserved', 'payout'))"
    " SELECT o.beneficiary, p.unit, o.place, p.programme, sum(p.minor)::bigint FROM ("
    "  SELECT debit_id AS id, unit, programme, -sum(amount_minor) AS minor FROM rewards.transfers t"
    "  WHERE {before} GROUP BY 1, 2, 3"
    "  UNION ALL SELECT credit_id, unit, programme, sum(amount_minor) FROM rewards.transfers t"
    "  WHERE {before} GROUP BY 1, 2, 3) p"
    " JOIN owners o ON o.id = p.id GROUP BY 1, 2, 3, 4 HAVING sum(p.minor) <> 0"
    ' ORDER BY o.beneficiary COLLATE "C", p.unit COLLATE "C", o.place, p.programme'
)
_HOLDS: Final = sql.SQL(
    # What takes back from a hold names the decision whose hold it is, and that one's grant names its end.
    "WITH pending AS (SELECT id FROM rewards.accounts WHERE address LIKE '%:pending'), moved AS ("
    "  SELECT coalesce(t.takes_back, t.decision_id) AS root, t.programme, t.unit, t.available_at, t.takes_back,"
    "    CASE WHEN t.credit_id IN (SELECT id FROM pending) THEN t.amount_minor ELSE -t.amount_minor END AS minor"
    "  FROM rewards.transfers t WHERE {before} AND (t.credit_id IN (SELECT id FROM pending)"
    "    OR t.debit_id IN (SELECT id FROM pending)))"
    " SELECT programme, unit, ends_at, sum(minor)::bigint FROM ("
    "  SELECT root, programme, unit, max(available_at) FILTER (WHERE takes_back IS NULL) AS ends_at,"
    "    sum(minor) AS minor"
    "  FROM moved GROUP BY 1, 2, 3 HAVING sum(minor) <> 0) h GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_LOTS: Final = sql.SQL(
    "WITH owners AS ("
    "  SELECT id, split_part(address, ':', 1) || ':' || split_part(address, ':', 2) AS beneficiary,"
    "    split_part(address, ':', 3) AS place FROM rewards.accounts WHERE address NOT LIKE 'programme:%'),"
    " gone AS ("
    "  SELECT coalesce(t.takes_back, t.decision_id) AS root, t.unit,"
    "    coalesce(sum(t.amount_minor) FILTER (WHERE t.stage IN ('voided', 'clawed_back')), 0) AS taken,"
    "    coalesce(sum(t.amount_minor) FILTER (WHERE t.stage IN ('voided', 'released')), 0) AS let_go,"
    "    coalesce(sum(t.amount_minor) FILTER (WHERE t.stage = 'expired'), 0) AS expired"
    "  FROM rewards.transfers t WHERE {before}"
    "    AND t.stage IN ('voided', 'clawed_back', 'released', 'expired') GROUP BY 1, 2)"
    " SELECT o.beneficiary, t.unit, t.programme, t.event_at, t.expires_at,"
    "  (t.amount_minor - coalesce(g.taken, 0))::bigint,"
    "  (CASE WHEN o.place = 'pending' THEN t.amount_minor - coalesce(g.let_go, 0) ELSE 0 END)::bigint,"
    "  coalesce(g.expired, 0)::bigint"
    " FROM rewards.transfers t JOIN owners o ON o.id = t.credit_id"
    " LEFT JOIN gone g ON g.root = t.decision_id AND g.unit = t.unit"
    # Out of a programme: what was released, or came back from a payout, was granted before.
    " WHERE t.expires_at IS NOT NULL AND {before} AND t.debit_id NOT IN (SELECT id FROM owners)"
    ' ORDER BY o.beneficiary COLLATE "C", t.unit COLLATE "C", t.expires_at, t.decision_id'
)


class Liability(TypedDict):
    """The whole answer. `totals` are what the lines of each unit come to: what all accounts of beneficiaries hold."""

    as_of: str
    totals: dict[str, int]
    lines: list[Line]
    experience: list[Experience]


def liability(postgres: str, month_of: MonthOf, *, at_ms: int, cut: Cut | None = None) -> Liability:
    """What was owed before a cut, by the transfers that lie before it; None is all there is.

    `at_ms` is the moment itself: what expires after it still counts. Raises psycopg.Error.
    """
    forecast = Forecast(month_of, at_ms=at_ms)
    before = sql.SQL("true") if cut is None else _BEFORE[cut.by].format(until=sql.Literal(cut.until))
    with open_ledger(postgres) as ledger:
        ledger.execute("SET LOCAL work_mem = '64MB'")
        ledger.execute("SET LOCAL jit = off")
        forecast.add_holds(_holds(ledger, before))
        holdings: Iterator[Holding | Lot] = _holdings(ledger, before)
        lots: Iterator[Holding | Lot] = _lots(ledger, before)
        for _, rows in groupby(heapq.merge(holdings, lots, key=_place), key=_place):
            mixed = list(rows)
            forecast.add(
                [row for row in mixed if isinstance(row, Holding)], [row for row in mixed if isinstance(row, Lot)]
            )
    lines = forecast.lines()
    return Liability(
        as_of=format_time(at_ms), totals=dict(totals(lines)), lines=lines, experience=forecast.experience()
    )


def _place(row: Holding | Lot) -> tuple[str, str]:
    return row.beneficiary, row.unit


def _rows(ledger: Connection, name: str, question: sql.SQL, before: sql.Composable) -> Iterator[tuple[Any, ...]]:
    with ledger.cursor(name=name) as cursor:
        cursor.itersize = FETCH_ROWS
        yield from cursor.execute(question.format(before=before))


def _holdings(ledger: Connection, before: sql.Composable) -> Iterator[Holding]:
    for row in _rows(ledger, "liability_holdings", _HOLDINGS, before):
        yield Holding(*row)


def _lots(ledger: Connection, before: sql.Composable) -> Iterator[Lot]:
    for beneficiary, unit, programme, granted_at, expires_at, *minors in _rows(ledger, "liability_lots", _LOTS, before):
        yield Lot(beneficiary, unit, programme, time_ms_of(granted_at), time_ms_of(expires_at), *minors)


def _holds(ledger: Connection, before: sql.Composable) -> Iterator[Hold]:
    for programme, unit, ends_at, minor in _rows(ledger, "liability_holds", _HOLDS, before):
        yield Hold(programme, unit, None if ends_at is None else time_ms_of(ends_at), minor)
