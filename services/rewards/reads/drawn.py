"""What became of money after it was granted: redemptions that took from it, and payouts that followed it.

A redemption says which decisions it took from. A payout takes from an account as a whole, so no payout says that;
those are told that went out in the decision's unit after its money could be paid, the next ones first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import psycopg
from typing_extensions import TypedDict

from contracts.events import format_time
from contracts.facts import LEDGER_SOURCE
from services.rewards.reads.transfers import Transfer

DRAWN_MAX: Final = 100
_REDEMPTIONS: Final = (
    "SELECT r.id::text, r.programme || '/' || r.key AS reference, r.beneficiary, r.unit, r.state,"
    " r.reserved_at_ms AS at,"
    " sum((part ->> 1)::bigint)::bigint AS minor FROM rewards.redemptions r, jsonb_array_elements(r.parts) part"
    " WHERE r.beneficiary = ANY (%(beneficiaries)s) AND part ->> 0 = ANY (%(decisions)s)"
    " GROUP BY r.id ORDER BY r.id LIMIT %(most)s"
)
_PAYOUTS: Final = (
    "SELECT DISTINCT p.id::text, p.reference, p.beneficiary, p.unit, p.state, p.prepared_at_ms AS at,"
    " p.gross_minor AS minor FROM rewards.payouts p"
    " JOIN unnest(%(accounts)s::text[], %(units)s::text[], %(since)s::timestamptz[]) a (beneficiary, unit, since)"
    " ON p.beneficiary = a.beneficiary AND p.unit = a.unit"
    " AND p.prepared_at_ms >= extract(epoch FROM a.since) * 1000"
    " ORDER BY at, id LIMIT %(most)s"
)


class Drawn(TypedDict):
    """Money that went on.

    `minor` of a redemption is what it took of the decisions asked about; of a payout, all that it took.
    """

    kind: Literal["redemption", "payout"]
    reference: str
    beneficiary: str
    minor: int
    unit: str
    state: str
    at: str


def drawn_from(cursor: psycopg.Cursor[dict[str, Any]], transfers: Sequence[Transfer]) -> list[Drawn]:
    """What took from what these transfers made available, or may have."""
    arrived = [
        one for one in transfers if one["credit"].endswith(":available") and one["event_source"] != LEDGER_SOURCE
    ]
    if not arrived:
        return []
    whose = [transfer["credit"].rpartition(":")[0] for transfer in arrived]
    parameters = {
        "decisions": sorted({transfer["decision"] for transfer in transfers}),
        "beneficiaries": sorted(set(whose)),
        "accounts": whose,
        "units": [transfer["unit"] for transfer in arrived],
        "since": [transfer["posted_at"] for transfer in arrived],
        "most": DRAWN_MAX,
    }
    found: list[Drawn] = []
    cursor.execute(_REDEMPTIONS, parameters)
    found += [_drawn("redemption", row) for row in cursor]
    cursor.execute(_PAYOUTS, parameters)
    found += [_drawn("payout", row) for row in cursor]
    return found


def _drawn(kind: Literal["redemption", "payout"], row: dict[str, Any]) -> Drawn:
    return Drawn(
        kind=kind,
        reference=f"{kind}/{row['reference']}",
        beneficiary=row["beneficiary"],
        minor=row["minor"],
        unit=row["unit"],
        state=row["state"],
        at=format_time(row["at"]),
    )
