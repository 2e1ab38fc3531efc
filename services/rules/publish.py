"""A rule set enters into force: from a checked file to a revision in every partition of the referral log.

Promises:
- A file with an error, or with a test of its own that does not pass, is never stored. A revision never reaches back
  over time that was decided already.
- A revision's text, number and digest never change. Publishing the active text again changes nothing and says so.
- The record of the revision (PostgreSQL) comes first, then the broadcast, then `active`. A crash in between
  leaves `publishing`; the next publish of the programme or start of the service broadcasts the same record again, which
  the fold ignores where it arrived already. One advisory lock per programme keeps publishers apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
import psycopg
from psycopg.rows import class_row

from contracts.decisions import DECISIONS_SOURCE
from contracts.errors import PermanentError, Problem
from contracts.events import (
    EPOCH,
    EventData,
    RulesetActivated,
    encode_data,
    event_headers,
    format_time,
    time_ms_of,
)
from contracts.ruleset import RuleSet
from contracts.topics import REFERRALS
from runtime.bus.batches import check_size
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.database import Connection
from runtime.tracing import new_traceparent
from services.rules.language import digest_of, read_rule_set
from services.rules.standing import newest_decided_ms
from services.rules.store import StateStore
from services.rules.testing import refuse_failing_tests
from services.rules.units import refuse_other_decimals

State = Literal["publishing", "active", "superseded"]
AUTHOR_LENGTH_MAX: Final = 200
_SELECT: Final = """
    SELECT programme, revision, digest, path, source_text, effective_from_at, published_at, author, state
    FROM rules.revisions
    WHERE (%(programme)s::text IS NULL OR programme = %(programme)s)
      AND (%(state)s::text IS NULL OR state = %(state)s)
    ORDER BY programme, revision
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A stored revision of a programme's rule set.

    `state` is `publishing` (stored, not yet in every partition for sure), `active` or `superseded`.
    """

    programme: str
    revision: int
    digest: str
    path: str
    source_text: str
    effective_from_at: datetime
    published_at: datetime
    author: str
    state: State

    def as_json(self) -> dict[str, Any]:
        """For programs, without the text."""
        return {
            "programme": self.programme,
            "revision": self.revision,
            "state": self.state,
            "digest": self.digest,
            "effective_from": format_time(time_ms_of(self.effective_from_at)),
            "published_at": format_time(time_ms_of(self.published_at)),
            "author": self.author,
            "path": self.path,
        }


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish led to. `is_new` is false when the active revision has this very text."""

    programme: str
    revision: int
    digest: str
    effective_from_ms: int
    is_new: bool


async def publish_rule_set(
    text: str, path: str, *, postgres: str, bus: Bus, store: StateStore, clock: Clock, author: str
) -> Published:
    """Check a rule file, store it as the programme's next revision and broadcast it.

    `path` is the file's name, for messages and for the record; the schema `rules` of the database behind the URL
    `postgres` is migrated; bus and store are started.

    Raises:
        RuleSetErrors: The file has errors; all of them.
        RuleTestsFailed: A test of the file does not pass; nothing was stored.
        PermanentError: `reaches-back` or `unit-decimals-differ`; nothing was stored.
        TransientError: A server is away; publish again, it goes on where it stopped.
    """
    rule_set = read_rule_set(text, path=path)
    digest = digest_of(text)
    async with _locked(postgres, rule_set.programme) as connection:
        await _finish_publishing(connection, rule_set.programme, bus, clock)
        active = await _fetch(connection, rule_set.programme, "active")
        if active and active[0].digest == digest:
            return _published(active[0], is_new=False)
        # In a thread: the service that this runs in goes on deciding meanwhile.
        await asyncio.to_thread(refuse_failing_tests, text, path)
        if rule_set.effective_from_ms is not None:
            await _refuse_reaching_back(rule_set.programme, rule_set.effective_from_ms, bus, store)
        draft = _draft(rule_set, text, path, author, clock.now_ms())
        async with connection.transaction():
            # Against another programme that declares the same unit at this moment.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('rules/publish units', 0))")
            refuse_other_decimals(rule_set, await _fetch(connection, None))
            await _store(connection, draft)
        (revision,) = await _finish_publishing(connection, rule_set.programme, bus, clock)
        return _published(revision, is_new=True)


async def resume_publishing(postgres: str, *, bus: Bus, clock: Clock) -> list[Revision]:
    """Finish what a crash left half published; called when the service starts. Returns what was finished."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        programmes = [revision.programme for revision in await _fetch(connection, None, "publishing")]
    finished: list[Revision] = []
    for programme in programmes:
        async with _locked(postgres, programme) as connection:
            finished += await _finish_publishing(connection, programme, bus, clock)
    return finished


async def list_revisions(postgres: str, programme: str | None = None) -> list[Revision]:
    """All revisions of one programme, or of all, oldest first within a programme."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        return await _fetch(connection, programme)


async def _finish_publishing(connection: Connection, programme: str, bus: Bus, clock: Clock) -> list[Revision]:
    """Broadcast the programme's revision in state `publishing`, if there is one, and make it the active one."""
    pending = await _fetch(connection, programme, "publishing")
    for revision in pending:
        partitions = await bus.partition_count(REFERRALS.name)
        await bus.publish(REFERRALS.name, activation_records(revision, partitions, clock.now_ms()))
        async with connection.transaction():
            await connection.execute(
                "UPDATE rules.revisions SET state = 'superseded' WHERE programme = %s AND state = 'active'",
                (programme,),
            )
            await connection.execute(
                "UPDATE rules.revisions SET state = 'active' WHERE programme = %s AND revision = %s",
                (programme, revision.revision),
            )
    return [replace(revision, state="active") for revision in pending]


def activation_records(revision: Revision, partitions: int, now_ms: int) -> list[Record]:
    """`ruleset.activated` for each partition: the same CloudEvent, so that the log alone tells what was in force."""
    published_at_ms = time_ms_of(revision.published_at)
    headers = event_headers(
        type="ruleset.activated",
        source=DECISIONS_SOURCE,
        id=f"ruleset-{revision.programme}-{revision.revision}",
        time_ms=published_at_ms,
        recorded_at_ms=now_ms,
        traceparent=new_traceparent(),
    )
    value = encode_data(
        EventData(
            programme=revision.programme,
            ruleset=RulesetActivated(
                revision=revision.revision,
                digest=revision.digest,
                effective_from_ms=time_ms_of(revision.effective_from_at),
                source_text=revision.source_text,
            ),
        )
    )
    key = revision.programme.encode()
    return [Record(key, value, headers, partition) for partition in range(partitions)]


async def _refuse_reaching_back(programme: str, effective_from_ms: int, bus: Bus, store: StateStore) -> None:
    partitions = await bus.partition_count(REFERRALS.name)
    newest_ms = await newest_decided_ms(store, programme, partitions)
    if newest_ms is not None and effective_from_ms <= newest_ms:
        raise PermanentError(
            Problem(
                code="reaches-back",
                message=f"{programme} is decided until {format_time(newest_ms)}, and this revision would take effect "
                f"on {format_time(effective_from_ms)}",
                where="effective_from",
                help="let it take effect later, or leave effective_from out: then it does from its publishing on",
            )
        )


def _draft(rule_set: RuleSet, text: str, path: str, author: str, now_ms: int) -> Revision:
    """The revision to be, still without a number. Raises PermanentError(`record-too-large`).

    Its size is checked before it is stored, or a file that the log cannot take would stay `publishing` for ever.
    """
    effective_from_ms = now_ms if rule_set.effective_from_ms is None else rule_set.effective_from_ms
    draft = Revision(
        programme=rule_set.programme,
        revision=2**31 - 1,
        digest=digest_of(text),
        path=path,
        source_text=text,
        effective_from_at=_moment(effective_from_ms),
        published_at=_moment(now_ms),
        author=author[:AUTHOR_LENGTH_MAX],
        state="publishing",
    )
    check_size(REFERRALS.name, activation_records(draft, 1, now_ms)[0])
    return draft


async def _store(connection: Connection, draft: Revision) -> None:
    await connection.execute(
        """
        INSERT INTO rules.revisions
            (programme, revision, digest, path, source_text, effective_from_at, published_at, author, state)
        SELECT %(programme)s, coalesce(max(revision), 0) + 1, %(digest)s, %(path)s, %(source_text)s,
               %(effective_from_at)s, %(published_at)s, %(author)s, %(state)s
        FROM rules.revisions WHERE programme = %(programme)s
        """,
        asdict(draft),
    )


@asynccontextmanager
async def _locked(postgres: str, programme: str) -> AsyncIterator[Connection]:
    """A connection that holds the programme's lock; a process that dies gives it back with its connection."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"rules/publish/{programme}",))
        yield connection


async def _fetch(connection: Connection, programme: str | None, state: State | None = None) -> list[Revision]:
    async with connection.cursor(row_factory=class_row(Revision)) as cursor:
        await cursor.execute(_SELECT, {"programme": programme, "state": state})
        return await cursor.fetchall()


def _published(revision: Revision, *, is_new: bool) -> Published:
    return Published(
        programme=revision.programme,
        revision=revision.revision,
        digest=revision.digest,
        effective_from_ms=time_ms_of(revision.effective_from_at),
        is_new=is_new,
    )


def _moment(time_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=time_ms)
