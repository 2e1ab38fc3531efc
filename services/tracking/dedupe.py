"""Which ids were seen before: Redis for all processes, a set of what is in hand for this one.

Promises: an id is remembered only after the log has its event, so a crash in between may publish an event twice and
never zero times. Requests with the same id that meet in one process wait for each other. Redis being away
raises SeenUnavailable before anything is published, so the sender simply sends again.

Ids are fields of one hash for each generation, `t:<number>`; a generation lasts half of the time to remember, and is
dropped as a whole when its youngest id is old enough. So an id is remembered for
`GOODWORD_TRACKING_SEEN_DAYS` and at most half as long again, for about 60 bytes. One key an id, each with its time to
live, was measured at nine times the work for the server. Of two processes that race with different bodies under one
id, the later one's digest stays; both were published, and rules decides only the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, Final

import hiredis
from redis.asyncio import BlockingConnectionPool as ConnectionPool
from redis.exceptions import RedisError

from contracts.errors import TransientError
from runtime.clock import Clock

CONNECTIONS_MAX: Final = 32
"""More requests at one time wait for a connection."""

_pack: Final[Callable[[tuple[bytes, ...]], bytes]] = hiredis.pack_command  # type: ignore[assignment] # its stub knows texts only
_PREFIX: Final = b"t:"
_GENERATIONS: Final = 3
"""What was remembered within two halves of the time lies in this or one of the two generations before."""


class SeenUnavailable(TransientError):
    """Redis cannot be asked what was seen."""


class SeenIds:
    """A component (`start`, `wait`, `stop`) of `runtime.service`."""

    name = "redis"

    def __init__(self, url: str, *, clock: Clock, seconds_max: float, remember_s: int) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            decode_responses=False,
            socket_connect_timeout=seconds_max,
            socket_timeout=seconds_max,
            max_connections=CONNECTIONS_MAX,
            client_name="goodword-tracking",
        )
        self._seconds_max = seconds_max
        self._clock = clock
        self._generation_s = max(1, remember_s // 2)
        self._remember_s = remember_s
        self._newest = -1
        self._older: list[int] = []
        self._in_hand: dict[bytes, asyncio.Event] = {}

    async def start(self) -> None:
        """Nothing: connections open when they are needed, and the front door answers 503 until then."""

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self._pool.aclose()

    async def check(self) -> None:
        await self._ask((b"PING",))

    @asynccontextmanager
    async def claim(self, identities: Sequence[bytes]) -> AsyncIterator[None]:
        """Have these ids alone in this process; waits while another request has one of them.

        All are claimed at once or none, so two requests can never wait for each other.
        """
        while not self._in_hand.keys().isdisjoint(identities):
            others = {id(event): event for identity in identities if (event := self._in_hand.get(identity))}
            for other in others.values():
                await other.wait()
        done = asyncio.Event()
        self._in_hand.update(dict.fromkeys(identities, done))
        try:
            yield
        finally:
            for identity in identities:
                del self._in_hand[identity]
            done.set()

    async def look_up(self, identities: Sequence[bytes]) -> list[bytes | None]:
        """The digest remembered for each id, None for a new one. One round trip. Raises SeenUnavailable."""
        newest = self._generation()
        if self._newest != newest:
            await self._meet(newest)
        answers = await self._ask(*((b"HMGET", _key(number), *identities) for number in (newest, *self._older)))
        found: list[bytes | None] = answers[0]
        for older in answers[1:]:
            if any(older):
                found = [new or old for new, old in zip(found, older, strict=True)]
        return found

    async def remember(self, identities: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Store that these are in the log. One round trip. Raises SeenUnavailable."""
        generation = self._generation()
        key = _key(generation)
        dropped_at_s = (generation + 1) * self._generation_s + self._remember_s
        pairs = chain.from_iterable(zip(identities, digests, strict=True))
        await self._ask((b"HSET", key, *pairs), (b"EXPIREAT", key, b"%d" % dropped_at_s))

    async def _meet(self, newest: int) -> None:
        """Learn which of the generations before this one there are: nothing is written to them any more."""
        before = [newest - age for age in range(1, _GENERATIONS) if newest >= age]
        exist = await self._ask(*((b"EXISTS", _key(number)) for number in before))
        self._older = [number for number, exists in zip(before, exist, strict=True) if exists]
        self._newest = newest

    def _generation(self) -> int:
        return self._clock.now_ms() // 1000 // self._generation_s

    async def _ask(self, *commands: tuple[bytes, ...]) -> list[Any]:
        """The answers to commands sent together, packed by hiredis: the client's own packing takes 3 µs an id."""
        try:
            async with asyncio.timeout(self._seconds_max):
                connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py
                try:
                    packed = b"".join([_pack(command) for command in commands])
                    await connection.send_packed_command(packed, check_health=False)
                    return [await connection.read_response(disable_decoding=True) for _ in commands]
                except BaseException:
                    # An answer may come yet, and must not be taken for that of the next command.
                    await connection.disconnect(nowait=True)
                    raise
                finally:
                    await self._pool.release(connection)
        except (RedisError, OSError, TimeoutError) as error:
            raise SeenUnavailable(f"redis: {error or type(error).__name__}") from error


def _key(generation: int) -> bytes:
    return b"%b%d" % (_PREFIX, generation)
