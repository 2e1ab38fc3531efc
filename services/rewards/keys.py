"""Keys of those who work with the ledger over HTTP: as viewer, as finance, as approver, or several of them.

A viewer reads; finance books by hand and prepares; an approver approves what somebody else has prepared. Who made a
key and who revoked it is kept with it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from runtime.database import Connections
from runtime.keys import Caller, Keys, NewKey
from runtime.people import checked_who

Role = Literal["viewer", "finance", "approver"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
KEYS: Final = Keys("rewards", ROLES)
OPERATOR: Final = KEYS.operator
"""The bearer of the admin key."""


async def create_ledger_key(database: Connections, *, owner: str, roles: tuple[str, ...], who: str) -> NewKey:
    """Raises PermanentError(`unknown-role`, `nobody`, `name-too-long`)."""
    async with database.connection() as connection:
        return await KEYS.add(connection, owner, roles, {"made_by": checked_who(who)})


async def list_ledger_keys(database: Connections) -> list[dict[str, Any]]:
    """All keys, the newest first, without anything secret."""
    async with database.connection() as connection:
        return await KEYS.rows(connection)


async def revoke_ledger_key(database: Connections, key_id: str, *, who: str) -> bool:
    """Refuse the key from now on. Returns whether there is such a key."""
    async with database.connection() as connection:
        if await KEYS.revoke(connection, key_id, {"revoked_by": checked_who(who)}) is not None:
            return True
        return await KEYS.has(connection, key_id)


async def ledger_caller(database: Connections, token: str) -> Caller | None:
    """Whose key this is; None when it is none of the ledger's, or revoked."""
    async with database.connection() as connection:
        return await KEYS.caller_of(connection, token)
