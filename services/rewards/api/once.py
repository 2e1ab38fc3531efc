"""A request that changes something is carried out once, however often it is sent: header Idempotency-Key.

Promises: what the request does and the answer to it are one transaction. Asked again under the same key, the answer is
the same, byte for byte, with `Idempotency-Replayed: true`, from whichever process; also that something was refused.
The same key with another request is refused (422), and so is a request that is being carried out at this moment (409).
A process killed in between has done nothing, and asking again does it. Answers of outages and faults are not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import psycopg
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from contracts.errors import PermanentError, Problem, TransientError
from runtime.api.bearer import AnyCaller
from runtime.api.problems import permanent_problem
from runtime.database import Connection, Connections, Within
from services.rewards.api.books import Books, TheBooks
from services.rewards.api.statuses import STATUSES
from services.rewards.requests.identity import HEADER, KEY_LENGTH_MAX, Identity, identity_of
from services.rewards.requests.store import Answer, begin, find, keep
from services.rewards.store import Ledger, Posted

TRIES_MAX: Final = 5
"""Of a request that another transaction's locks or writes got in the way of."""
TRY_AGAIN_S: Final = 0.05
DAY_MS: Final = 86_400_000
REPLAYED: Final[Mapping[str, str]] = {"Idempotency-Replayed": "true"}


@dataclass(frozen=True, slots=True)
class Hand:
    """What a request works with: where it is written, and by what it is posted."""

    connections: Connections
    ledger: Ledger


Work = Callable[[Hand], Awaitable[BaseModel]]
"""What a request does; all of it with the hand that it is given, and nothing that cannot be rolled back."""


class OneRequest:
    """One request, to be carried out once."""

    def __init__(self, books: Books, identity: Identity) -> None:
        self._books = books
        self._identity = identity

    async def in_steps(self, work: Work, *, status: int = 200) -> Response:
        """Like a call, for what takes several transactions of its own, so that postings need not wait for all of it.

        Such work promises by itself that it goes on where it ended when it is done again: killed in between, it has no
        answer yet, and asking again under the same key finishes it.
        """
        books = self._books
        hand = Hand(books.database, Ledger(books.database, on_posted_within=books.on_posted))
        async with books.long_requests, books.database.connection() as connection, connection.transaction():
            return await self._answer(connection, partial(work, hand), status)

    async def __call__(self, work: Work, *, status: int = 200) -> Response:
        """Carry it out, or give the answer of the first time.

        Raises:
            PermanentError: `idempotency-key-reused`, `request-in-progress`; what `work` refuses is answered and kept.
            TransientError: Nothing was done. Some of `runtime.database.OUTAGES` say the same.
        """
        for tried in range(1, TRIES_MAX + 1):
            posted: list[Posted] = []
            try:
                async with self._books.database.connection() as connection, connection.transaction():
                    within = Within(connection)
                    hand = Hand(within, Ledger(within, on_posted_within=posted.append))
                    answer = await self._answer(connection, partial(work, hand), status)
            except (TransientError, psycopg.OperationalError) as error:
                if not _is_rivalry(error) or tried == TRIES_MAX:
                    raise
            else:
                # Counted now that it is durable; what was refused has posted nothing.
                if answer.status_code < 400:
                    self._books.on_posted(sum(posted, Posted()))
                return answer
            await asyncio.sleep(TRY_AGAIN_S * tried)
        raise AssertionError("the last try returns or raises")

    async def _answer(self, connection: Connection, work: Callable[[], Awaitable[BaseModel]], status: int) -> Response:
        identity, now_ms = self._identity, self._books.clock.now_ms()
        if not await begin(connection, identity):
            raise PermanentError(
                Problem(
                    code="request-in-progress",
                    message="a request under this key is being carried out",
                    where=HEADER,
                    help="ask again in a moment",
                )
            )
        kept = await find(connection, identity, since_ms=now_ms - self._books.requests_days * DAY_MS)
        if kept is None:
            kept = await self._carried_out(connection, work, status)
            await keep(connection, identity, kept, at_ms=now_ms)
            return Response(kept.body, kept.status, media_type=kept.media_type)
        if kept.fingerprint != identity.fingerprint:
            raise PermanentError(
                Problem(
                    code="idempotency-key-reused",
                    message="another request was sent under this key",
                    where=HEADER,
                    help="a new request has a new key; a repeat is the same in method, path, query and body",
                )
            )
        return Response(kept.body, kept.status, REPLAYED, kept.media_type)

    async def _carried_out(
        self, connection: Connection, work: Callable[[], Awaitable[BaseModel]], status: int
    ) -> Answer:
        fingerprint = self._identity.fingerprint
        try:
            async with connection.transaction():
                done = await work()
        except PermanentError as error:
            refused = permanent_problem(error, STATUSES)
            return Answer(fingerprint, refused.status_code, str(refused.media_type), bytes(refused.body))
        return Answer(fingerprint, status, "application/json", done.model_dump_json().encode())


def _is_rivalry(error: BaseException) -> bool:
    """Whether another transaction was in the way, and not the server away."""
    cause = error.__cause__ if isinstance(error, TransientError) else error
    return isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


async def _one_request(
    request: Request,
    books: TheBooks,
    caller: AnyCaller,
    idempotency_key: Annotated[
        str | None,
        Header(
            description=f"A key of your own, up to {KEY_LENGTH_MAX} characters, best a UUID: sent again under the same"
            " key, the request is not carried out again, and its answer is the same. Required."
        ),
    ] = None,
) -> OneRequest:
    query = f"?{request.url.query}" if request.url.query else ""
    identity = identity_of(
        idempotency_key,
        who=caller.who,
        method=request.method,
        target=request.url.path + query,
        body=await request.body(),
    )
    return OneRequest(books, identity)


Once = Annotated[OneRequest, Depends(_one_request)]


def answers(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """For the decorator of an endpoint that answers by `Once`: the description of its answer."""
    return {"response_model": model, "status_code": status}
