"""Keys of those who work on rule sets over HTTP: whose each is, and whether as editor, as approver, or both.

Who acts is the owner of the key, not the key: a person with two keys is still one person, who cannot approve her own
draft. Only a hash of a key is stored; making and revoking one stands in the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from psycopg.rows import dict_row

from contracts.errors import PermanentError, Problem
from contracts.events import format_time, time_ms_of
from runtime.clock import Clock
from runtime.database import Connection
from runtime.tokens import is_secret, new_token, parse_token
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.desk import checked_who

Role = Literal["editor", "approver"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and as what."""

    who: str
    roles: frozenset[str]


OPERATOR: Final = Caller("operator", frozenset(ROLES))
"""The bearer of the admin key."""


async def create_rules_key(
    postgres: str, *, owner: str, roles: tuple[str, ...], who: str, clock: Clock
) -> tuple[str, str]:
    """A new key's id and its token, which is shown this once.

    Raises:
        PermanentError: `unknown-role`, `nobody`, `name-too-long`.
    """
    owner = checked_who(owner)
    if owner.casefold() == OPERATOR.who:
        raise PermanentError(Problem(code="nobody", message="the operator has the admin key", where="owner"))
    if unknown := [role for role in roles if role not in ROLES]:
        raise PermanentError(
            Problem(code="unknown-role", message=f'there is no role "{unknown[0]}"', help=f"roles: {', '.join(ROLES)}")
        )
    if not roles:
        raise PermanentError(
            Problem(code="unknown-role", message="a key needs a role", help=f"roles: {', '.join(ROLES)}")
        )
    key_id, token = new_token()
    parsed = parse_token(token)
    assert parsed is not None
    granted = sorted(set(roles))
    async with connect(postgres) as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO rules.keys (key_id, secret_sha256, owner, roles) VALUES (%s, %s, %s, %s)",
            (key_id, parsed[1], owner, granted),
        )
        details = {"key_id": key_id, "owner": owner, "roles": granted}
        await note_in_audit(connection, "key created", at_ms=clock.now_ms(), who=checked_who(who), details=details)
    return key_id, token


async def list_rules_keys(postgres: str) -> list[dict[str, Any]]:
    """All keys, the newest first, without anything secret."""
    async with connect(postgres) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT key_id, owner, roles, created_at, revoked_at FROM rules.keys ORDER BY created_at DESC, key_id"
        )
        rows = await cursor.fetchall()
    times = ("created_at", "revoked_at")
    return [row | {name: row[name] and format_time(time_ms_of(row[name])) for name in times} for row in rows]


async def revoke_rules_key(postgres: str, key_id: str, *, who: str, clock: Clock) -> bool:
    """Refuse the key from now on. Returns whether there is such a key."""
    async with connect(postgres) as connection, connection.transaction():
        cursor = await connection.execute(
            "UPDATE rules.keys SET revoked_at = now() WHERE key_id = %s AND revoked_at IS NULL RETURNING owner",
            (key_id,),
        )
        row = await cursor.fetchone()
        if row is not None:
            details = {"key_id": key_id, "owner": row[0]}
            await note_in_audit(connection, "key revoked", at_ms=clock.now_ms(), who=checked_who(who), details=details)
            return True
        found = await connection.execute("SELECT 1 FROM rules.keys WHERE key_id = %s", (key_id,))
        return await found.fetchone() is not None


async def caller_of(connection: Connection, token: str) -> Caller | None:
    """Whose key this is; None when it is none of ours, or revoked."""
    parsed = parse_token(token)
    if parsed is None:
        return None
    cursor = await connection.execute(
        "SELECT secret_sha256, owner, roles FROM rules.keys WHERE key_id = %s AND revoked_at IS NULL", (parsed[0],)
    )
    row = await cursor.fetchone()
    if row is None or not is_secret(bytes(row[0]), parsed[1]):
        return None
    return Caller(row[1], frozenset(row[2]))
