"""Which ids were seen before: Redis for all processes, a set of what is in hand for this one.

Promises: an id is remembered only after the log has its event, so a crash in between may publish an event twice and
never zero times. Requests with the same id that meet in one process wait for each other. Redis being away
raises SeenUnavailable before anything is published, so the sender simply sends again.

A key is `t:` and the identity, its value the 8 bytes of the digest: about 100 bytes of memory an event,
`GOODWORD_TRACKING_SEEN_DAYS` long. Where ids live longer elsewhere (rules), the difference costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import hiredis
from redis.asyncio import BlockingConnectionPool as ConnectionPool
from redis.exceptions import NoScriptError, RedisError, ResponseError

from contracts.errors import TransientError

CONNECTIONS_MAX: Final = 32
"""More requests at one time wait for a connection."""

_pack: Final[Callable[[tuple[bytes, ...]], bytes]] = hiredis.pack_command  # type: ignore[assignment]
_PREFIX: Final = b"t:"
# NX: where two processes race with different bodies, the first stays what later ones are held against.
_REMEMBER: Final = b"""
local ttl = ARGV[#ARGV]
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i], 'EX', ttl, 'NX')
end
return #KEYS
"""
_REMEMBER_SHA: Final = hashlib.sha1(_REMEMBER).hexdigest().encode()  # noqa: S324 - how Redis names scripts


class SeenUnavailable(TransientError):
    """Redis cannot be asked what was seen."""


class SeenIds:
    """A component (`start`, `wait`, `stop`) of `runtime.service`."""

    name = "redis"

    def __init__(self, url: str, *, seconds_max: float, remember_s: int) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            decode_responses=False,
            socket_connect_timeout=seconds_max,
            socket_timeout=seconds_max,
            max_connections=CONNECTIONS_MAX,
            client_name="goodword-tracking",
        )
        self._seconds_max = seconds_max
        self._remember_s = str(remember_s).encode()
        self._in_hand: dict[bytes, asyncio.Event] = {}

    async def start(self) -> None:
        """Nothing: connections open when they are needed, and the front door answers 503 until then."""

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self._pool.aclose()

    async def check(self) -> None:
        await self._ask(b"PING")

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
        found: list[bytes | None] = await self._ask(b"MGET", *(_PREFIX + identity for identity in identities))
        return found

    async def remember(self, identities: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Store that these are in the log. One round trip. Raises SeenUnavailable."""
        keys = [_PREFIX + identity for identity in identities]
        rest = (str(len(keys)).encode(), *keys, *digests, self._remember_s)
        try:
            await self._ask(b"EVALSHA", _REMEMBER_SHA, *rest)
        except NoScriptError:
            await self._ask(b"EVAL", _REMEMBER, *rest)

    async def _ask(self, *command: bytes) -> Any:
        """One command, packed by hiredis: the client's own packing takes 3 µs a key, more than all of our checks."""
        try:
            async with asyncio.timeout(self._seconds_max):
                connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                try:
                    await connection.send_packed_command(_pack(command), check_health=False)
                    return await connection.read_response(disable_decoding=True)
                except BaseException as error:
                    if not isinstance(error, ResponseError):
                        # The answer may come yet, and must not be taken for that of the next command.
                        await connection.disconnect(nowait=True)
                    raise
                finally:
                    await self._pool.release(connection)
        except NoScriptError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            raise SeenUnavailable(f"redis: {error or type(error).__name__}") from error
