"""The state store: the fold's states and the offset they belong to, in Redis or Valkey, changed together or not at all.

Promises:
- `save` writes the states of a batch and the next offset in one atomic script, and refuses (Fenced) unless the
  stored position is the one that the states were read at. This alone keeps out zombies and failovers: states
  are a pure function of a partition's log up to an offset, so whoever is at the same offset has the same states, and no
  owner token or epoch is needed. A refusal that finds exactly the position we wanted to write is our own write
  whose answer was lost (or an equal one), and counts as done.
- `position` never trusts a hole: a partition without a stored offset begins a new *era* at offset 0, so a
  flushed store means a replay from the log, and states of an older era that still lie around are never read.
- A store that may evict keys under memory pressure is refused at the start: it would lose money silently.

Layout, frozen; everything of a partition shares its hash tag, so it lives on one node of a cluster:

    gw:rules:{7}:offset             "<era>:<next offset>", the position
    gw:rules:{7}:rebuild            the same, of a rebuild under way
    gw:rules:{7}:<era>:<fold key>   one state

An era is a random name for one continuous life of a partition's states. `goodword rebuild rules` writes a new
era beside the live one and swaps the pointer atomically, so it is safe while the service runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import hiredis
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from contracts.errors import PermanentError, Problem, TransientError
from services.rules.pipeline import Pipeline

Slot = Literal["offset", "rebuild"]
"""Which pointer: the live states, or those of a rebuild under way."""

KEYS_PER_CALL_MAX: Final = 10_000
SWEEP_KEYS_MAX: Final = 4_000
TIMEOUT_S_MAX: Final = 10.0

# Lua's unpack fails from about 8,000 values (LUAI_MAXCSTACK), so the values go to MSET in even chunks.
_SAVE: Final = """
local stored = redis.call('GET', KEYS[1])
if stored ~= ARGV[1] then return stored end
local last = 3 + tonumber(ARGV[3])
for first = 4, last, 4000 do
  redis.call('MSET', unpack(ARGV, first, math.min(first + 3999, last)))
end
for first = last + 1, #ARGV, 4000 do
  redis.call('DEL', unpack(ARGV, first, math.min(first + 3999, #ARGV)))
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

_SWAP: Final = """
local live = redis.call('GET', KEYS[1])
if live ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[2] then return live end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
return 1
"""

# The guard keeps a process that was paused in the middle of sweeping from deleting an era that came after it, and
# one that sweeps from deleting what a rebuild has just begun to write.
_SWEEP: Final = """
local live = redis.call('GET', KEYS[1]) or ''
local building = redis.call('GET', KEYS[2]) or ''
if string.match(live, '^[^:]*') ~= ARGV[1] or string.match(building, '^[^:]*') ~= ARGV[2] then return -1 end
return redis.call('UNLINK', unpack(ARGV, 3))
"""

_END: Final = """
local building = redis.call('GET', KEYS[1]) or ''
if string.match(building, '^[^:]*') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

_DIGESTS: Final = {script: hashlib.sha1(script.encode()).hexdigest() for script in (_SAVE, _SWAP, _SWEEP, _END)}  # noqa: S324 - EVALSHA's


class StoreUnavailable(TransientError):
    """Redis cannot be reached or refuses to write. The write may or may not have happened; `save` again tells."""


class Fenced(TransientError):
    """The stored position is not the expected one: another process was faster, or the store was emptied.

    The loser drops its cached states and reads the position again.
    """

    def __init__(self, partition: int, expected: Position, stored: Position | None) -> None:
        super().__init__(f"partition {partition}: expected the stored position {expected}, found {stored or 'none'}")
        self.stored = stored


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where the log is in the states: the offset of the next record, and the era of the states."""

    era: str
    offset: int

    def __str__(self) -> str:
        return f"{self.era}:{self.offset}"

    def at(self, offset: int) -> Position:
        return Position(self.era, offset)


class _Connection(redis.asyncio.Connection):
    """A connection that packs commands in C, as redis-py does only in its synchronous client.

    A batch writes and reads thousands of keys in one command, which Python took 1 µs each to pack. A URL of
    `rediss://` brings the library's own class, which packs in Python.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        words = (*args[0].split(), *args[1:]) if isinstance(args[0], str) else args
        return [hiredis.pack_command(words)]


class StateStore:
    """States and positions of all partitions; a component (`start`, `wait`, `stop`) of `runtime.service`.

    Every method raises StoreUnavailable when Redis is away.
    """

    name = "redis"

    def __init__(self, url: str) -> None:
        self._client: Any = redis.asyncio.Redis.from_pool(
            redis.asyncio.ConnectionPool.from_url(
                url,
                connection_class=_Connection,
                decode_responses=False,
                socket_timeout=TIMEOUT_S_MAX,
                socket_connect_timeout=5.0,
                socket_keepalive=True,
                health_check_interval=30,
                client_name="goodword-rules",
            )
        )
        self._commands = Pipeline(self._client)

    async def start(self) -> None:
        """Refuse a store that may evict: a state that vanished alone would be taken for a new partner's."""
        with _outages():
            memory = await self._client.info("memory")
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if policy.startswith("allkeys"):
            raise PermanentError(
                Problem(
                    code="store-may-evict",
                    message=f"the state store may throw states away (maxmemory-policy is {policy})",
                    where="GOODWORD_REDIS",
                    help="set maxmemory-policy to noeviction on a server of its own",
                )
            )

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self._client.aclose()

    async def check(self) -> None:
        with _outages():
            await self._client.ping()

    async def position(self, partition: int) -> Position:
        """The live position; where none is stored, a new era at offset 0 is begun and stored first."""
        fresh = Position(secrets.token_hex(4), 0)
        key = _pointer(partition, "offset")
        with _outages():
            # NX and GET in one command: of two processes that meet a hole, one begins the era and the other joins it.
            found = await self._client.set(key, str(fresh), nx=True, get=True)
        if found is not None:
            return _parse(found)
        await self.sweep(partition, fresh)
        return fresh

    async def stored(self, partition: int, slot: Slot = "offset") -> Position | None:
        """The position as it stands, without beginning anything."""
        with _outages():
            found = await self._client.get(_pointer(partition, slot))
        return None if found is None else _parse(found)

    async def load(self, partition: int, era: str, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """The states under these fold keys; None for those that there are not. One round trip per 10,000."""
        prefix = _prefix(partition, era)
        loaded: dict[bytes, bytes | None] = {}
        for first in range(0, len(keys), KEYS_PER_CALL_MAX):
            chunk = keys[first : first + KEYS_PER_CALL_MAX]
            with _outages():
                values = await self._commands.execute("MGET", *[prefix + key for key in chunk])
            loaded.update(zip(chunk, values, strict=True))
        return loaded

    async def save(
        self,
        partition: int,
        position: Position,
        next_offset: int,
        dirty: Mapping[bytes, bytes | None],
        slot: Slot = "offset",
    ) -> Position:
        """Write states (None deletes) and the next offset, all or nothing. Returns the new position.

        Raises:
            Fenced: The stored position is neither `position` nor already the new one. Nothing was written.
        """
        prefix = _prefix(partition, position.era)
        written = position.at(next_offset)
        pairs: list[bytes] = []
        gone: list[bytes] = []
        for key, value in dirty.items():
            if value is None:
                gone.append(prefix + key)
            else:
                pairs.append(prefix + key)
                pairs.append(value)
        pointer = _pointer(partition, slot)
        answer = await self._run(_SAVE, [pointer], [str(position), str(written), str(len(pairs)), *pairs, *gone])
        if answer != 1:
            found = None if answer is None else _parse(answer)
            if found != written:
                raise Fenced(partition, position, found)
        return written

    async def begin_rebuild(self, partition: int) -> Position:
        """A fresh era for a rebuild from offset 0. An older rebuild of this partition is fenced by it."""
        fresh = Position(secrets.token_hex(4), 0)
        with _outages():
            await self._client.set(_pointer(partition, "rebuild"), str(fresh))
        return fresh

    async def swap(self, partition: int, live: Position, built: Position) -> None:
        """Make the rebuilt era the live one, if both pointers still stand where the caller saw them.

        Raises:
            Fenced: The live position moved on (or another rebuild began); nothing was changed.
        """
        keys = [_pointer(partition, "offset"), _pointer(partition, "rebuild")]
        answer = await self._run(_SWAP, keys, [str(live), str(built)])
        if answer != 1:
            raise Fenced(partition, live, None if answer is None else _parse(answer))

    async def end_rebuild(self, partition: int, era: str) -> None:
        """Delete what a rebuild leaves: the replaced era after a swap, its own after giving up."""
        await self._run(_END, [_pointer(partition, "rebuild")], [era])
        live = await self.stored(partition)
        if live is not None:
            await self.sweep(partition, live)

    async def sweep(self, partition: int, live: Position) -> None:
        """Delete the states of every era but the live one and that of a rebuild under way.

        Does nothing when `live` is no longer the live era, and stops when a rebuild begins.
        """
        building = await self.stored(partition, "rebuild")
        building_era = building.era if building else ""
        kept = (
            *(_prefix(partition, era) for era in (live.era, building_era) if era),
            *(_pointer(partition, slot) for slot in get_args(Slot)),
        )
        pointers = [_pointer(partition, "offset"), _pointer(partition, "rebuild")]
        async for found in self._scan(b"gw:rules:{%d}:*" % partition):
            stale = [key for key in found if not key.startswith(kept)]
            for first in range(0, len(stale), SWEEP_KEYS_MAX):
                chunk = stale[first : first + SWEEP_KEYS_MAX]
                if await self._run(_SWEEP, pointers, [live.era, building_era, *chunk]) == -1:
                    return

    async def keys(self, partition: int, era: str) -> AsyncIterator[list[bytes]]:
        """The fold keys of an era, in no order, in pieces; one may come twice."""
        prefix = _prefix(partition, era)
        async for found in self._scan(prefix + b"*"):
            yield [key[len(prefix) :] for key in found]

    async def _scan(self, pattern: bytes) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            with _outages():
                cursor, found = await self._client.scan(cursor, match=pattern, count=1_000)
            if found:
                yield found
            if cursor == 0:
                return

    async def _run(self, script: str, keys: list[bytes], arguments: list[str | bytes]) -> Any:
        with _outages():
            try:
                return await self._commands.execute("EVALSHA", _DIGESTS[script], len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._commands.execute("EVAL", script, len(keys), *keys, *arguments)


def _pointer(partition: int, slot: Slot) -> bytes:
    return b"gw:rules:{%d}:%s" % (partition, slot.encode())


def _prefix(partition: int, era: str) -> bytes:
    return b"gw:rules:{%d}:%s:" % (partition, era.encode())


def _parse(pointer: bytes) -> Position:
    era, _, offset = pointer.decode().partition(":")
    return Position(era, int(offset))


@contextmanager
def _outages() -> Iterator[None]:
    """Whatever Redis answers but data is an outage: away, loading, read-only, out of memory, disk full."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"the state store does not answer: {error}") from error
