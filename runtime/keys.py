"""Keys of people who work with a service over HTTP: whose each is, and in which roles.

Who acts is the owner of the key, not the key: a person with two keys is still one person. Only a hash of a key is
stored. Each service has a table `keys` of its own, so a key opens one service; what else it keeps of a key is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql
from psycopg.rows import dict_row

from contracts.errors import PermanentError, Problem
from contracts.events import format_time, time_ms_of
from runtime.database import Connection
from runtime.people import checked_who
from runtime.tokens import is_secret, new_token, parse_token

OPERATOR_NAME: Final = "operator"
"""Who bears the admin key; nobody else has that name."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and as what."""

    who: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `token` is shown this once."""

    key_id: str
    token: str
    owner: str
    roles: list[str]


class Keys:
    """The table `keys` of a service's schema.

    Attributes:
        roles: All that there are.
        operator: The bearer of the admin key: may do everything.
    """

    def __init__(self, schema: str, roles: Sequence[str]) -> None:
        self._table = sql.Identifier(schema, "keys")
        self.roles = tuple(roles)
        self.operator = Caller(OPERATOR_NAME, frozenset(roles))

    async def add(
        self, connection: Connection, owner: str, roles: Sequence[str], more: Mapping[str, str] | None = None
    ) -> NewKey:
        """Make a key; `more` are further columns of the service's own.

        Raises:
            PermanentError: `unknown-role`, `nobody`, `name-too-long`.
        """
        owner = checked_who(owner)
        if owner.casefold() == OPERATOR_NAME:
            raise PermanentError(Problem(code="nobody", message="the operator has the admin key", where="owner"))
        unknown = [role for role in roles if role not in self.roles]
        if unknown or not roles:
            message = f'there is no role "{unknown[0]}"' if unknown else "a key needs a role"
            raise PermanentError(
                Problem(code="unknown-role", message=message, where="role", help=f"roles: {', '.join(self.roles)}")
            )
        key_id, token = new_token()
        parsed = parse_token(token)
        assert parsed is not None
        granted = sorted(set(roles))
        row: dict[str, object] = {"key_id": key_id, "secret_sha256": parsed[1], "owner": owner, "roles": granted}
        row |= more or {}
        await connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                self._table,
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(map(sql.Placeholder, row)),
            ),
            row,
        )
        return NewKey(key_id, token, owner, granted)

    async def rows(self, connection: Connection) -> list[dict[str, Any]]:
        """All keys, the newest first, without anything secret."""
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                sql.SQL(
                    "SELECT key_id, owner, roles, created_at, revoked_at FROM {} ORDER BY created_at DESC, key_id"
                ).format(self._table)
            )
            rows = await cursor.fetchall()
        times = ("created_at", "revoked_at")
        return [row | {name: row[name] and format_time(time_ms_of(row[name])) for name in times} for row in rows]

    async def revoke(self, connection: Connection, key_id: str, more: Mapping[str, str] | None = None) -> str | None:
        """Refuse the key from now on. Returns its owner where it was valid until now."""
        row = dict(more or {})
        parts: list[sql.Composable] = [sql.SQL("revoked_at = now()")]
        parts += [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in row]
        cursor = await connection.execute(
            sql.SQL("UPDATE {} SET {} WHERE key_id = {} AND revoked_at IS NULL RETURNING owner").format(
                self._table, sql.SQL(", ").join(parts), sql.Placeholder("key_id")
            ),
            row | {"key_id": key_id},
        )
        found = await cursor.fetchone()
        return None if found is None else str(found[0])

    async def has(self, connection: Connection, key_id: str) -> bool:
        """Whether there is such a key, valid or not."""
        cursor = await connection.execute(sql.SQL("SELECT FROM {} WHERE key_id = %s").format(self._table), (key_id,))
        return cursor.rowcount > 0

    async def caller_of(self, connection: Connection, token: str) -> Caller | None:
        """Whose key this is; None when it is none of ours, or revoked."""
        parsed = parse_token(token)
        if parsed is None:
            return None
        cursor = await connection.execute(
            sql.SQL("SELECT secret_sha256, owner, roles FROM {} WHERE key_id = %s AND revoked_at IS NULL").format(
                self._table
            ),
            (parsed[0],),
        )
        row = await cursor.fetchone()
        if row is None or not is_secret(bytes(row[0]), parsed[1]):
            return None
        return Caller(row[1], frozenset(row[2]))
