"""Batches through the front door: one connection, in order, so that the order per partner holds.

Promises: the next batch is sent only after the last was answered; an outage (no answer, 429, 502, 503, 504) is
waited for with bounded back-off, or as long as `Retry-After` says; sending a batch again is safe, since the door
counts what it took before as duplicates. When the wait is over, nothing is lost either: run the import again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec

from contracts.errors import PermanentError, Problem, TransientError
from goodword.importing.batches import Batch

RETRY_S_MAX: Final = 120.0
"""How long an outage is waited for, from the first failure of a batch."""
RETRY_WAIT_S_MAX: Final = 5.0
REQUEST_S_MAX: Final = 60.0
_AGAIN: Final = frozenset({429, 502, 503, 504})
_ANSWERS: Final = frozenset({202, 409, 422})


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """An event that the door refused: its index in the batch, and why."""

    index: int
    id: str | None = None
    field: str | None = None
    reason: str = ""
    code: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the door says to a batch."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = []


_decoder: Final = msgspec.json.Decoder(Answer)


@dataclass(slots=True)
class Door:
    """`POST /v1/events` of a tracking service.

    Args:
        on_wait: Called with the reason and the seconds before something is tried again.
    """

    url: str
    key: str
    client: httpx.AsyncClient
    on_wait: Callable[[str, float], None]
    retry_s_max: float = RETRY_S_MAX

    async def send(self, batch: Batch) -> Answer:
        """The answer to the whole batch, once the log has what was accepted.

        Raises:
            PermanentError: The door refused the request as such: `key-refused` or `door-refused`.
            TransientError: The outage lasted longer than `retry_s_max`.
        """
        body = batch.body
        deadline: float | None = None
        attempt = 0
        while True:
            reason, wait_s = await self._try(body)
            if isinstance(reason, httpx.Response):
                if reason.status_code == 413:
                    return await self._send_halves(batch)
                return _answer_of(reason)
            now_s = time.monotonic()
            deadline = deadline or now_s + self.retry_s_max
            if now_s > deadline:
                raise TransientError(
                    f"the front door was away for {self.retry_s_max:g} s ({reason}); "
                    "nothing is lost: run the same command again, what was taken is counted as duplicates"
                )
            wait_s = wait_s or min(0.1 * 2**attempt, RETRY_WAIT_S_MAX)
            attempt += 1
            self.on_wait(reason, wait_s)
            await asyncio.sleep(wait_s)

    async def _try(self, body: bytes) -> tuple[httpx.Response | str, float]:
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/x-ndjson"}
        try:
            response = await self.client.post(f"{self.url}/v1/events", content=body, headers=headers)
        except httpx.TransportError as error:
            return f"no answer: {type(error).__name__}", 0
        if response.status_code in _AGAIN:
            return f"answer {response.status_code}", _retry_after_s(response)
        return response, 0

    async def _send_halves(self, batch: Batch) -> Answer:
        if len(batch.lines) == 1:
            too_large = Rejection(index=0, reason="the event is larger than the door takes", code="too-large")
            return Answer(rejected=[too_large])
        first_half, second_half = batch.halves()
        first, second = await self.send(first_half), await self.send(second_half)
        shift = len(first_half.lines)
        return Answer(
            accepted=first.accepted + second.accepted,
            duplicates=first.duplicates + second.duplicates,
            rejected=[
                *first.rejected,
                *(msgspec.structs.replace(one, index=one.index + shift) for one in second.rejected),
            ],
        )


async def send_all(door: Door, batches: Iterator[Batch], *, on_answer: Callable[[Batch, Answer], None]) -> None:
    """Send every batch in order; the next one is prepared while one is in flight."""
    nothing: Any = None
    preparing = asyncio.ensure_future(asyncio.to_thread(next, batches, nothing))
    try:
        while (batch := await preparing) is not None:
            preparing = asyncio.ensure_future(asyncio.to_thread(next, batches, nothing))
            on_answer(batch, await door.send(batch))
    finally:
        # The thread reads on until its batch is made; leaving it alone would close the files under it.
        await asyncio.gather(preparing, return_exceptions=True)


def open_client() -> httpx.AsyncClient:
    """One connection: order is a promise."""
    return httpx.AsyncClient(
        timeout=REQUEST_S_MAX, limits=httpx.Limits(max_connections=1, max_keepalive_connections=1), trust_env=False
    )


def _answer_of(response: httpx.Response) -> Answer:
    if response.status_code in _ANSWERS:
        try:
            return _decoder.decode(response.content)
        except msgspec.MsgspecError as error:
            raise _refused("door-refused", f"an answer that is not the door's: {error}", response) from error
    if response.status_code in {401, 403}:
        raise _refused("key-refused", "the key was refused", response, "GOODWORD_ADMIN_KEY, or `goodword keys create`")
    raise _refused("door-refused", "the request was refused", response)


def _refused(code: str, message: str, response: httpx.Response, help: str = "") -> PermanentError:
    detail = response.text[:300].replace("\n", " ")
    return PermanentError(
        Problem(code=code, message=f"{message} ({response.status_code}: {detail})", where=str(response.url), help=help)
    )


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds of `Retry-After` (RFC 9110, section 10.2.3); 0 when it says none that we read."""
    text = response.headers.get("retry-after", "")
    return min(float(text), 60.0) if text.isascii() and text.isdigit() else 0.0
