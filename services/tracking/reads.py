"""What the command line asks of tracking's tables, and what it changes there: blocking, on a URL, no service needed.

Every function raises `psycopg.OperationalError` when PostgreSQL is away, and `psycopg.errors.UndefinedTable` when no
tracking service has ever started on the database.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import TupleRow, dict_row

from contracts.errors import PermanentError, Problem
from contracts.events import format_time, time_ms_of
from services.tracking.keys import check_scope, new_token, parse_token
from services.tracking.links import Link, problem_of
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


def create_key(
    postgres_url: str,
    *,
    name: str,
    sources: tuple[str, ...],
    may_name_partner: bool,
    types: tuple[str, ...] | None = None,
) -> tuple[str, str]:
    """A new key: its id and its token. The token is shown this once; only a hash of it is stored.

    Args:
        postgres_url: Where tracking keeps its tables.
        name: Whose it is, for lists.
        sources: Sources it may speak for; one may end in `*` and then is the beginning of those it may.
        may_name_partner: Whether its events may say whose they are.
        types: Event types it may send; None means all.

    Raises:
        PermanentError: The scope could not work.
    """
    check_scope(sources, types)
    key_id, token = new_token()
    parsed = parse_token(token)
    assert parsed is not None
    with _connect(postgres_url) as connection:
        connection.execute(
            "INSERT INTO tracking.keys (key_id, secret_sha256, name, sources, may_name_partner, types)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (key_id, parsed[1], name, list(sources), may_name_partner, list(types) if types else None),
        )
    return key_id, token


def list_keys(postgres_url: str) -> list[Row]:
    """All keys, the newest first, without anything secret."""
    with _connect(postgres_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT key_id, name, sources, may_name_partner, types, created_at, revoked_at"
            " FROM tracking.keys ORDER BY created_at DESC, key_id"
        )
        return cursor.fetchall()


def revoke_key(postgres_url: str, key_id: str) -> bool:
    """Refuse the key from now on (running services: within `tracking_keys_cached_s`). False: there is none."""
    with _connect(postgres_url) as connection:
        cursor = connection.execute(
            "UPDATE tracking.keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s", (key_id,)
        )
        return cursor.rowcount == 1


def create_link(postgres_url: str, link: Link) -> bool:
    """Make a link; making the same one again changes nothing. Returns whether it is new.

    Raises:
        PermanentError: The link cannot be one, or its code leads elsewhere.
    """
    if problem := problem_of(link):
        raise PermanentError(problem)
    with _connect(postgres_url) as connection:
        is_new = (
            connection.execute(
                "INSERT INTO tracking.links (code, programme, partner, target, channel, campaign)"
                " VALUES (%(code)s, %(programme)s, %(partner)s, %(target)s, %(channel)s, %(campaign)s)"
                " ON CONFLICT (code) DO NOTHING",
                {name: getattr(link, name) for name in link.__struct_fields__},
            ).rowcount
            == 1
        )
        row = connection.execute(
            "SELECT code, programme, partner, target, channel, campaign FROM tracking.links WHERE code = %s",
            (link.code,),
        ).fetchone()
    if row is None or link_of(row) != link:
        raise PermanentError(
            Problem(code="code-taken", message=f'the code "{link.code}" leads elsewhere', where="code")
        )
    return is_new


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
