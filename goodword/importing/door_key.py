"""The key that an import shows at the front door.

It is the operator's, where the command knows it. A command that was told only the servers' URLs makes a key of its own
in tracking's tables, which whoever holds the database may do anyway, and revokes it when it ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from goodword.target import Target
from services.tracking.admin import create_key, revoke_key

NAME: Final = "goodword events import"


@asynccontextmanager
async def door_key(target: Target) -> AsyncIterator[str]:
    """A key for as long as the block runs. Raises what `services.tracking.admin.create_key` does."""
    if target.admin_key is not None:
        yield target.admin_key
        return
    key, token = await create_key(target.postgres, name=NAME, sources=("*",), may_name_partner=True)
    try:
        yield token
    finally:
        # With the database away the key outlives the command; `goodword keys list` shows it by its name.
        with contextlib.suppress(psycopg.OperationalError):
            await revoke_key(target.postgres, key.key_id)
