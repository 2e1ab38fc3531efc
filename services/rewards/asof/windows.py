"""How far a page of a statement can reach, in SQL: from its beginning to a snapshot, enough postings lie between.

By the time that transfers count no index has the postings of an account in order, so without an end the whole history
of a hot account would be sorted for a page of it. Snapshots know how many postings of an account lie between them.
"""

from __future__ import annotations

from typing import Final

_REACHED: Final = """
SELECT number FROM (
    SELECT k.number, sum(k.postings) OVER (ORDER BY k.number {direction}) AS total
    FROM rewards.balance_snapshots k
    WHERE k.by_time = %(by)s AND k.account_id = %(account)s AND k.number {beyond} ({begun})
        AND (%(unit)s::text IS NULL OR k.unit = %(unit)s)
) k WHERE total >= %(limit)s ORDER BY number {direction} LIMIT 1
"""
_BEGUN: Final = (
    "SELECT {nearest}(s.number) FROM rewards.snapshots s WHERE s.by_time = %(by)s AND s.until {until}::timestamptz"
)
_UNTIL: Final = "SELECT s.until FROM rewards.snapshots s WHERE s.by_time = %(by)s AND s.number = ({reached}){before}"

BACK_TO: Final = _UNTIL.format(
    reached=_REACHED.format(direction="DESC", beyond="<=", begun=_BEGUN.format(nearest="max", until="<= %(until)s")),
    before=" - 1",
)
"""From which instant on at least %(limit)s postings of an account lie before %(until)s; none, if from the first on."""

FORWARD_TO: Final = _UNTIL.format(
    reached=_REACHED.format(direction="ASC", beyond=">", begun=_BEGUN.format(nearest="min", until=">= %(since)s")),
    before="",
)
"""Before which instant at least %(limit)s postings of an account lie from %(since)s on; none, if there are not."""
