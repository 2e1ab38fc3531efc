"""PostgreSQL of the front door: keys, partners, links, click secrets, and what could not be attributed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import msgspec
import psycopg

from contracts.errors import TransientError
from contracts.events import PartnerProfile, format_time, time_ms_of
from runtime.database import OUTAGES, Connection, Database
from services.tracking.keys import Key
from services.tracking.links import Link
from services.tracking.partners import Partner, PartnerName, first_profile
from services.tracking.plan import Unplaced

QUERY_SECONDS_MAX: Final = 5.0
CLICK_SECRET_BYTES: Final = 32

Value = TypeVar("Value")


_PARTNERS_LOCKED: Final = (
    "SELECT p.programme, p.partner, p.profile, p.joined_at, p.announced FROM tracking.partners p"
    " JOIN jsonb_to_recordset(%(named)s::jsonb) AS n(programme text, partner text) USING (programme, partner)"
    " ORDER BY p.programme, p.partner FOR UPDATE OF p"
)


class StoreUnavailable(TransientError):
    """PostgreSQL cannot be asked."""


class Expiring(Generic[Value]):
    """A bounded cache whose entries are trusted for a while; the oldest go first. None is a value, too."""

    def __init__(self, seconds: float, entries_max: int) -> None:
        self._seconds = seconds
        self._entries_max = entries_max
        self._entries: dict[Any, tuple[float, Value]] = {}

    def get(self, key: Any) -> tuple[Value] | None:
        """The value in a tuple, or None when it is not there or too old."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            return None
        return (entry[1],)

    def put(self, key: Any, value: Value) -> None:
        self._entries.pop(key, None)
        while len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (time.monotonic() + self._seconds, value)

    def drop(self, key: Any) -> None:
        self._entries.pop(key, None)


class TrackingStore:
    """Everything of the front door that PostgreSQL keeps. Every method raises StoreUnavailable in an outage."""

    def __init__(self, database: Database, *, keys_cached_s: float, links_cached_s: float, cached_max: int) -> None:
        self._database = database
        self._keys: Expiring[Key | None] = Expiring(keys_cached_s, cached_max)
        self._links: Expiring[Link | None] = Expiring(links_cached_s, cached_max)

    async def key(self, key_id: str) -> Key | None:
        """The key of that id, revoked or not; at most `keys_cached_s` old."""
        if cached := self._keys.get(key_id):
            return cached[0]
        async with self._connection() as connection:
            cursor = await connection.execute(
                "SELECT key_id, secret_sha256, name, sources, may_name_partner, types, revoked_at IS NOT NULL"
                " FROM tracking.keys WHERE key_id = %s",
                (key_id,),
            )
            row = await cursor.fetchone()
        key = _key_of(row) if row else None
        self._keys.put(key_id, key)
        return key

    async def links(self, codes: Iterable[str]) -> dict[str, Link]:
        """Those of the links that exist, by code; at most `links_cached_s` old."""
        found: dict[str, Link] = {}
        missing: list[str] = []
        for code in codes:
            cached = self._links.get(code)
            if cached is None:
                missing.append(code)
            elif cached[0] is not None:
                found[code] = cached[0]
        if missing:
            async with self._connection() as connection:
                cursor = await connection.execute(
                    "SELECT code, programme, partner, target, channel, campaign"
                    " FROM tracking.links WHERE code = ANY(%s)",
                    (missing,),
                )
                fresh = {row[0]: link_of(row) for row in await cursor.fetchall()}
            for code in missing:
                self._links.put(code, fresh.get(code))
            found |= fresh
        return found

    async def create_link(self, link: Link) -> Link:
        """Store a link. Returns what is stored under its code now: another link, if the code was taken."""
        async with self._connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO tracking.links (code, programme, partner, target, channel, campaign)"
                " VALUES (%(code)s, %(programme)s, %(partner)s, %(target)s, %(channel)s, %(campaign)s)"
                " ON CONFLICT (code) DO UPDATE SET code = excluded.code"
                " RETURNING code, programme, partner, target, channel, campaign",
                {name: getattr(link, name) for name in link.__struct_fields__},
            )
            row = await cursor.fetchone()
        assert row is not None
        self._links.drop(link.code)
        return link_of(row)

    @asynccontextmanager
    async def partners(self, first_times_ms: Mapping[PartnerName, int]) -> AsyncIterator[dict[PartnerName, Partner]]:
        """These partners, locked against other changes; unknown ones are made, not announced.

        Change their `profile` and `is_announced` in place; they are written, and durable, when the block ends.

        Args:
            first_times_ms: Programme and partner to the time of the event that names it, for new ones.
        """
        # One JSON parameter instead of arrays: dumping lists is what psycopg does slowest.
        named = [
            {
                "programme": name[0],
                "partner": name[1],
                "profile": first_profile(time_ms),
                "joined_at": format_time(time_ms),
            }
            for name, time_ms in first_times_ms.items()
        ]
        # New ones are made and committed first, then all are locked; both in the order of their names. Locks that are
        # taken in one order by everybody never wait in a circle, as rows made between others' locks would.
        async with self._connection() as connection:
            await connection.execute(
                "INSERT INTO tracking.partners (programme, partner, profile, joined_at)"
                " SELECT programme, partner, profile, joined_at FROM jsonb_to_recordset(%s::jsonb)"
                " AS n(programme text, partner text, profile jsonb, joined_at timestamptz)"
                " ORDER BY programme, partner ON CONFLICT DO NOTHING",
                (_json(named),),
            )
        async with self._connection() as connection, connection.transaction():
            cursor = await connection.execute(_PARTNERS_LOCKED, {"named": _json(named)})
            rows = {(row[0], row[1]): partner_of(row) for row in await cursor.fetchall()}
            before = {name: msgspec.json.encode(partner) for name, partner in rows.items()}
            yield rows
            changed = [partner for name, partner in rows.items() if msgspec.json.encode(partner) != before[name]]
            if changed:
                await connection.execute(
                    "UPDATE tracking.partners p SET profile = n.profile, announced = n.is_announced, changed_at = now()"
                    " FROM jsonb_to_recordset(%s::jsonb)"
                    " AS n(programme text, partner text, profile jsonb, is_announced boolean)"
                    " WHERE p.programme = n.programme AND p.partner = n.partner",
                    (_json(changed),),
                )

    async def set_announced(self, names: Sequence[PartnerName]) -> None:
        """Their `partner.registered` is durable in the log."""
        async with self._connection() as connection:
            await connection.execute(
                # Locked in the order of the names, see `partners`; an UPDATE by itself takes them in any order.
                "WITH locked AS MATERIALIZED ("
                " SELECT p.programme, p.partner FROM tracking.partners p"
                " JOIN jsonb_to_recordset(%s::jsonb) AS n(programme text, partner text) USING (programme, partner)"
                " WHERE NOT p.announced ORDER BY p.programme, p.partner FOR UPDATE OF p)"
                " UPDATE tracking.partners p SET announced = true FROM locked l"
                " WHERE p.programme = l.programme AND p.partner = l.partner",
                (_json([{"programme": name[0], "partner": name[1]} for name in names]),),
            )

    async def list_partners(self, programme: str | None) -> list[Partner]:
        async with self._connection() as connection:
            cursor = await connection.execute(
                "SELECT programme, partner, profile, joined_at, announced FROM tracking.partners"
                " WHERE %(programme)s::text IS NULL OR programme = %(programme)s ORDER BY programme, partner",
                {"programme": programme},
            )
            return [partner_of(row) for row in await cursor.fetchall()]

    async def keep_unattributed(self, events: Sequence[Unplaced]) -> None:
        """Keep events that nobody could be named for; durable when it returns; a repeated id changes nothing."""
        async with self._connection() as connection:
            await connection.execute(
                "INSERT INTO tracking.unattributed (source, event_id, type, happened_at, recorded_at, programme,"
                " customer, reason, traceparent, data)"
                " SELECT source, event_id, type, happened_at, recorded_at, programme, customer, reason, traceparent,"
                " data FROM jsonb_to_recordset(%s::jsonb) AS e(source text, event_id text, type text,"
                " happened_at timestamptz, recorded_at timestamptz, programme text, customer text, reason text,"
                " traceparent text, data jsonb) ON CONFLICT (source, event_id) DO NOTHING",
                (_json(events),),
            )

    async def click_secrets(self) -> tuple[bytes, ...]:
        """The secrets that sign click ids, the newest first; made at the first call ever."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute("LOCK TABLE tracking.click_secrets IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute(
                "INSERT INTO tracking.click_secrets (secret)"
                " SELECT %s WHERE NOT EXISTS (SELECT FROM tracking.click_secrets)",
                (secrets.token_bytes(CLICK_SECRET_BYTES),),
            )
            cursor = await connection.execute("SELECT secret FROM tracking.click_secrets ORDER BY number DESC")
            return tuple(bytes(row[0]) for row in await cursor.fetchall())

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(QUERY_SECONDS_MAX), self._database.connection() as connection:
                yield connection
        except (*OUTAGES, psycopg.errors.DiskFull, TimeoutError) as error:
            raise StoreUnavailable(f"postgres: {error or type(error).__name__}") from error


def link_of(row: Sequence[Any]) -> Link:
    return Link(code=row[0], programme=row[1], partner=row[2], target=row[3], channel=row[4], campaign=row[5])


def partner_of(row: Sequence[Any]) -> Partner:
    return Partner(
        programme=row[0],
        partner=row[1],
        profile=msgspec.convert(row[2], PartnerProfile),
        joined_at_ms=time_ms_of(row[3]),
        is_announced=row[4],
    )


def _key_of(row: Sequence[Any]) -> Key:
    return Key(
        key_id=row[0],
        secret_sha256=bytes(row[1]),
        name=row[2],
        sources=tuple(row[3]),
        may_name_partner=row[4],
        types=None if row[5] is None else frozenset(row[5]),
        is_revoked=row[6],
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
