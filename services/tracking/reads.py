"""What the command line asks of tracking's tables: blocking, on a URL, no service needed.

Every function raises `psycopg.OperationalError` when PostgreSQL is away, and `psycopg.errors.UndefinedTable` when no
tracking service has ever started on the database.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import TupleRow, dict_row

from contracts.events import format_time, time_ms_of
from services.tracking.store import link_of, partner_of

Row = dict[str, Any]
UNATTRIBUTED_LISTED_MAX: Final = 1_000


def partners(postgres_url: str, programme: str | None = None) -> list[Row]:
    """Every partner, ordered by programme and partner: `programme`, `partner`, `status`, `joined_at`, `name`, … ."""
    with _connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT programme, partner, profile, joined_at, announced FROM tracking.partners"
            " WHERE %(programme)s::text IS NULL OR programme = %(programme)s ORDER BY programme, partner",
            {"programme": programme},
        ).fetchall()
    found = [partner_of(row) for row in rows]
    return [
        {
            "programme": partner.programme,
            "partner": partner.partner,
            "name": partner.profile.name,
            "status": partner.profile.status,
            "email": partner.profile.email,
            "language": partner.profile.language,
            "country": partner.profile.country,
            "groups": partner.profile.groups or [],
            "joined_at": format_time(
                time_ms_of(partner.profile.joined_at) if partner.profile.joined_at else partner.joined_at_ms
            ),
        }
        for partner in found
    ]


def links(postgres_url: str) -> list[Row]:
    """All links, ordered by code."""
    with _connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT code, programme, partner, target, channel, campaign FROM tracking.links ORDER BY code"
        ).fetchall()
    return [msgspec.to_builtins(link_of(row)) for row in rows]


def unattributed(postgres_url: str) -> list[Row]:
    """Events that nobody could be named for and nobody claimed, the newest first, at most 1,000."""
    with _connect(postgres_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT source, event_id, type, happened_at, programme, customer, reason FROM tracking.unattributed"
            " WHERE claimed_at IS NULL ORDER BY recorded_at DESC LIMIT %s",
            (UNATTRIBUTED_LISTED_MAX,),
        )
        return cursor.fetchall()


def _connect(postgres_url: str) -> psycopg.Connection[TupleRow]:
    return psycopg.connect(postgres_url, autocommit=True, connect_timeout=5)
