"""What every step of a revision's life needs: the servers, the clock, and what is asked of a publication."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.ruleset import RuleSet
from runtime.bus.port import Bus
from runtime.clock import Clock
from runtime.database import Connection
from services.rules.engines.durable import DurableEngine
from services.rules.engines.port import Engine
from services.rules.lifecycle.broadcast import finish_pending
from services.rules.lifecycle.connect import locked
from services.rules.lifecycle.policy import NOTHING_MORE, Policy, told_policy
from services.rules.store import StateStore

NOTE_LENGTH_MAX: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where revisions are worked on.

    The schema `rules` of the database behind the URL `postgres` is migrated; bus and store are started. Every step
    raises TransientError, or one of `runtime.database.OUTAGES`, when a server is away; take it again then.

    Attributes:
        policy: What is asked by this process's own settings; what the service asks is added.
        second_engine: Who gives the second opinion.
    """

    postgres: str
    bus: Bus
    store: StateStore
    clock: Clock
    policy: Policy = NOTHING_MORE
    second_engine: Callable[[RuleSet], Engine] = DurableEngine

    @asynccontextmanager
    async def at_programme(self, programme: str) -> AsyncIterator[Connection]:
        """Alone with the programme, after what a crash left half published is finished."""
        async with locked(self.postgres, programme) as connection:
            await finish_pending(connection, programme, self.bus, self.clock)
            yield connection

    async def asked(self, connection: Connection) -> Policy:
        return self.policy | await told_policy(connection)


def checked_note(note: str) -> str:
    """Raises PermanentError(`note-too-long`)."""
    if len(note) > NOTE_LENGTH_MAX or "\x00" in note:
        raise PermanentError(
            Problem(code="note-too-long", message=f"a note has at most {NOTE_LENGTH_MAX} characters", where="note")
        )
    return note.strip()
