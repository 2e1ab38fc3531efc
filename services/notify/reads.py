"""Reading mails and what became of them, for the command line and for HTTP. Blocking; needs only a PostgreSQL URL."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

OUTCOMES: Final = ("pending", "sending", "sent", "failed", "unknown", "too-old", "no-address", "suppressed")
LIMIT_MAX: Final = 10_000

MailRow = dict[str, Any]


def mails(postgres_url: str, *, outcome: str | None = None, limit: int = 50) -> list[MailRow]:
    """Mails of one outcome or of all, the newest fact first; `time` is the event's, times are RFC 3339 in UTC.

    Raises:
        ValueError: No such outcome, or a limit out of range.
        psycopg.Error: The database is away, or notify has never run on it.
    """
    if outcome is not None and outcome not in OUTCOMES:
        raise ValueError(f"no outcome {outcome!r}; there are {', '.join(OUTCOMES)}")
    if not 1 <= limit <= LIMIT_MAX:
        raise ValueError(f"limit must be from 1 to {LIMIT_MAX}")
    with psycopg.connect(postgres_url, autocommit=True, connect_timeout=5, row_factory=dict_row) as connection:
        return connection.execute(
            """
            SELECT fact_id::text AS fact, kind, state AS outcome, programme, partner, address, reason, attempts,
                trace AS trace_id, details,
                to_char(to_timestamp(time_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
                to_char(to_timestamp(settled_at_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                    AS settled_at
            FROM notify.mails
            WHERE %(outcome)s::text IS NULL OR state = %(outcome)s
            ORDER BY fact_id DESC, kind
            LIMIT %(limit)s
            """,
            {"outcome": outcome, "limit": limit},
            # Planned with the values: only then may a rare outcome use its own index.
            prepare=False,
        ).fetchall()


def counts(postgres_url: str) -> dict[str, int]:
    """How many mails there are by outcome, zeros included."""
    with psycopg.connect(postgres_url, autocommit=True, connect_timeout=5) as connection:
        found = connection.execute("SELECT state, count(*) FROM notify.mails GROUP BY state").fetchall()
    return dict.fromkeys(OUTCOMES, 0) | {str(state): int(count) for state, count in found}


def undelivered(postgres_url: str) -> int:
    """Mails that are still to be sent or in hand: 0 when notify has nothing left to do."""
    with psycopg.connect(postgres_url, autocommit=True, connect_timeout=5) as connection:
        row = connection.execute("SELECT count(*) FROM notify.mails WHERE state IN ('pending', 'sending')").fetchone()
    assert row is not None
    return int(row[0])
