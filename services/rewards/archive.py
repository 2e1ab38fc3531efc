"""Every decision is kept, granted or denied, so that a zero is explained as well as a cent.

The bodies of a batch go into one compressed blob, as they came; a narrow row per decision finds it by id and by event.
A decision is kept once, however often it is delivered. This is a consumer group of its own: explanations may lag,
postings never wait for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from contracts.decisions import Decision
from contracts.errors import TransientError
from contracts.events import EPOCH
from contracts.ids import event_hash
from runtime import log
from runtime.bus.port import Batch
from runtime.clock import Clock
from runtime.database import Database
from runtime.together import Together
from services.rewards import packing
from services.rewards.decode import DecisionHead, is_decision_id
from services.rewards.store import outages_are_transient

FORMAT: Final = 1
"""A JSON array of decisions, compressed by zlib. Frozen: another way of keeping them gets another number."""
_COMPRESSION: Final = 1
SOURCES_CACHE_MAX: Final = 10_000
TOGETHER_MAX: Final = 4_000
"""Decisions of batches of several partitions that go into one blob; a single larger batch goes alone."""

logger = log.get(__name__)


class _Indexed(msgspec.Struct, frozen=True, gc=False):
    """What a decision is found by."""

    id: str
    event_source: str
    event_id: str


_list_decoder: Final = msgspec.json.Decoder(list[_Indexed])
_decoder: Final = msgspec.json.Decoder(_Indexed)
_decision_list_decoder: Final = msgspec.json.Decoder(list[Decision])
_head_list_decoder: Final = msgspec.json.Decoder(list[DecisionHead])


class ArchiveOwner:
    """Owner of partitions of the decisions, for `runtime.bus.consumer`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sources: set[str] = set()
        self._kept = Together(
            self._keep_all,
            name="archive",
            weight=len,
            weight_max=TOGETHER_MAX,
            is_shared=lambda error: isinstance(error, TransientError),
        )

    async def assigned(self, topic: str, partition: int) -> int | None:
        """At the group's committed offset: what is delivered again is known by its id."""
        return None

    async def handle(self, batch: Batch) -> None:
        await self._kept.call([record.value for record in batch.records])
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        """Nothing is kept per partition."""

    async def _keep_all(self, batches: list[list[bytes]]) -> list[None]:
        await self.keep([value for batch in batches for value in batch])
        return [None] * len(batches)

    async def keep(self, values: Sequence[bytes]) -> int:
        """Keep decisions as they came on the bus; returns how many were new.

        Raises:
            TransientError: The database is away; give the same values again.
        """
        indexed, body = _pack(values)
        if not indexed:
            return 0
        sources = {entry.event_source for entry in indexed} - self._sources
        with outages_are_transient():
            async with self._database.connection() as connection:
                if sources:
                    await connection.execute(
                        "INSERT INTO rewards.event_sources (source) SELECT s FROM unnest(%s::text[]) s ORDER BY s"
                        " ON CONFLICT DO NOTHING",
                        (sorted(sources),),
                    )
                cursor = await connection.execute(
                    "SELECT rewards.archive(%s, %s, %s::smallint, %s, %s)",
                    (
                        packing.uuids([entry.id for entry in indexed]),
                        packing.bigints(_hashes(indexed)),
                        FORMAT,
                        body,
                        EPOCH + timedelta(milliseconds=self._clock.now_ms()),
                    ),
                    prepare=True,
                )
                row = await cursor.fetchone()
        if len(self._sources) < SOURCES_CACHE_MAX:
            self._sources |= sources
        return int(row[0]) if row else 0


def unpack(format: int, body: bytes) -> list[Decision]:
    """The decisions of a blob, by position. Raises ValueError for a format of a later version."""
    return _decision_list_decoder.decode(_text_of(format, body))


def unpack_heads(format: int, body: bytes) -> list[DecisionHead]:
    """The same without their traces, at half the cost."""
    return _head_list_decoder.decode(_text_of(format, body))


def _text_of(format: int, body: bytes) -> bytes:
    if format != FORMAT:
        raise ValueError(f"decisions are kept in format {format}, this version reads {FORMAT}")
    return zlib.decompress(body)


def _pack(values: Sequence[bytes]) -> tuple[list[_Indexed], bytes]:
    """What to find each by, and the blob of all, in the same order."""
    text = b"[" + b",".join(values) + b"]"
    try:
        indexed = _list_decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        indexed = []
    if len(indexed) != len(values) or not all(map(_is_sound, indexed)):
        # The posting consumer puts bad records into the dead letters; here they are only left out.
        good = [(entry, value) for value in values if (entry := _indexed(value)) is not None]
        indexed = [entry for entry, _ in good]
        text = b"[" + b",".join([value for _, value in good]) + b"]"
    return indexed, zlib.compress(text, _COMPRESSION)


def _indexed(value: bytes) -> _Indexed | None:
    try:
        entry = _decoder.decode(value)
        msgspec.json.decode(value, type=Decision)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if _is_sound(entry) else None


def _is_sound(entry: _Indexed) -> bool:
    return is_decision_id(entry.id) and "\0" not in entry.event_source


def _hashes(indexed: Sequence[_Indexed]) -> list[int]:
    """Decisions of one event follow each other, and share its hash."""
    hashes = []
    before: _Indexed | None = None
    for entry in indexed:
        if before is None or entry.event_id != before.event_id or entry.event_source != before.event_source:
            value = event_hash(entry.event_source, entry.event_id)
        hashes.append(value)
        before = entry
    return hashes
