"""Keys of those who work on rule sets over HTTP: whose each is, and whether as editor, as approver, or both.

A person with two keys is one person, who cannot approve her own draft. Making and revoking a key stands in the audit
log.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from runtime.clock import Clock
from runtime.keys import Caller, Keys
from runtime.people import checked_who
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.connect import connect

Role = Literal["editor", "approver"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
KEYS: Final = Keys("rules", ROLES)
OPERATOR: Final = KEYS.operator
"""The bearer of the admin key."""


async def create_rules_key(
    postgres: str, *, owner: str, roles: tuple[str, ...], who: str, clock: Clock
) -> tuple[str, str]:
    """A new key's id and its token, which is shown this once.

    Raises:
        PermanentError: `unknown-role`, `nobody`, `name-too-long`.
    """
    async with connect(postgres) as connection, connection.transaction():
        made = await KEYS.add(connection, owner, roles)
        details = {"key_id": made.key_id, "owner": made.owner, "roles": made.roles}
        await note_in_audit(connection, "key created", at_ms=clock.now_ms(), who=checked_who(who), details=details)
    return made.key_id, made.token


async def list_rules_keys(postgres: str) -> list[dict[str, Any]]:
    """All keys, the newest first, without anything secret."""
    async with connect(postgres) as connection:
        return await KEYS.rows(connection)


async def revoke_rules_key(postgres: str, key_id: str, *, who: str, clock: Clock) -> bool:
    """Refuse the key from now on. Returns whether there is such a key."""
    async with connect(postgres) as connection, connection.transaction():
        owner = await KEYS.revoke(connection, key_id)
        if owner is None:
            return await KEYS.has(connection, key_id)
        details = {"key_id": key_id, "owner": owner}
        await note_in_audit(connection, "key revoked", at_ms=clock.now_ms(), who=checked_who(who), details=details)
        return True


async def rules_caller(postgres: str, token: str) -> Caller | None:
    """Whose key this is; None when it is none of the rules', or revoked."""
    async with connect(postgres) as connection:
        return await KEYS.caller_of(connection, token)
