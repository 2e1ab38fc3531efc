"""What endpoints work with: where the ledger is read, where it is written, the clock and the limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Concatenate, Final, ParamSpec, TypeVar

from fastapi import Depends, Request
from pydantic import SecretStr

from runtime.api.bearer import Bearer, needs
from runtime.clock import Clock
from runtime.database import Connections
from runtime.keys import Caller
from services.rewards.gifts.giving import NO_LIMITS, Limits
from services.rewards.keys import OPERATOR, ROLES, ledger_caller
from services.rewards.store import Posted

LONG_REQUESTS_MAX: Final = 2
"""Requests in several transactions at once: each has one connection for its answer, and needs another one to work."""
READS_MAX: Final = 4
"""Questions answered at once; further ones wait."""
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The ledger as endpoints have it.

    Attributes:
        postgres: URL for questions, each of which has a connection of its own.
        database: For what changes something; not the pool of those who post, so that neither waits for the other.
        write_off_minor_max: The most, in minor units, that is written off without an approver.
        requests_days: How long an answer is kept for whoever asks again under the same key.
        reserved_days_max: How long a redemption may stay reserved.
        gift_limits: The most of one gift, and of all gifts to one person within a year.
        on_posted: Told what a request has posted.
    """

    postgres: str
    database: Connections
    clock: Clock
    write_off_minor_max: int
    requests_days: int
    reserved_days_max: int = 14
    gift_limits: Limits = NO_LIMITS
    on_posted: Callable[[Posted], None] = lambda posted: None
    long_requests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LONG_REQUESTS_MAX))
    verifying: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS_MAX))

    async def ask(self, question: Callable[Concatenate[str, P], R], *arguments: P.args, **options: P.kwargs) -> R:
        """Put a question of `services.rewards.reads` in a thread, so that a long answer holds up no posting."""
        async with self._turn:
            return await asyncio.to_thread(question, self.postgres, *arguments, **options)


def bearer_of(database: Connections, admin_key: SecretStr | None) -> Bearer:
    """Finds whose key of the ledger it is."""

    async def find(token: str) -> Caller | None:
        return await ledger_caller(database, token)

    return Bearer(find, admin_key=admin_key, operator=OPERATOR, help="`goodword keys create NAME --role viewer`")


async def _books(request: Request) -> Books:
    books: Books = request.app.state.books
    return books


TheBooks = Annotated[Books, Depends(_books)]
Viewer = Annotated[Caller, needs(*ROLES)]
"""Whoever may read; everybody who may do more may read as well."""
Finance = Annotated[Caller, needs("finance")]
Approver = Annotated[Caller, needs("approver")]
FinanceOrApprover = Annotated[Caller, needs("finance", "approver")]
