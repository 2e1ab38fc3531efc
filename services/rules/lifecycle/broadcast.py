"""A recorded activation enters every partition of the referral log, and only then counts as done.

The record (PostgreSQL) comes first, then the broadcast, then the new state. A crash in between leaves the activation
without `broadcast_at`; whoever next works on the programme, or the next start of the service, broadcasts the same
record again, which the fold ignores where it arrived already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from contracts.decisions import DECISIONS_SOURCE
from contracts.events import Canary, EventData, RulesetActivated, encode_data, event_headers, time_ms_of
from contracts.topics import REFERRALS
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.database import Connection
from runtime.tracing import new_traceparent
from services.rules.lifecycle.connect import connect, locked
from services.rules.lifecycle.record import Revision, fetch, fetch_one, moment, set_state
from services.rules.lifecycle.states import Step, moved

Kind = Literal["all", "canary", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One entry of a revision into the log; see the table `rules.activations`."""

    programme: str
    activation: int
    revision: int
    kind: Kind
    canary: dict[str, Any] | None
    effective_from_at: datetime
    activated_at: datetime
    activated_by: str


async def record_activation(
    connection: Connection,
    revision: Revision,
    kind: Kind,
    *,
    effective_from_ms: int,
    now_ms: int,
    who: str,
    canary: Canary | None = None,
) -> None:
    """The order to broadcast; in the transaction that notes it in the audit log."""
    await connection.execute(
        "INSERT INTO rules.activations"
        " (programme, activation, revision, kind, canary, effective_from_at, activated_at, activated_by)"
        " SELECT %(programme)s, coalesce(max(activation), 0) + 1, %(revision)s, %(kind)s, %(canary)s, %(from)s,"
        " %(now)s, %(who)s FROM rules.activations WHERE programme = %(programme)s",
        {
            "programme": revision.programme,
            "revision": revision.revision,
            "kind": kind,
            "canary": None if canary is None else Jsonb(msgspec.to_builtins(canary)),
            "from": moment(effective_from_ms),
            "now": moment(now_ms),
            "who": who,
        },
    )
    if kind != "end":
        step: Step = "activate" if kind == "all" else "try on some partners"
        state = moved(revision.programme, revision.revision, revision.state, step)
        await connection.execute(
            "UPDATE rules.revisions SET state = %s, effective_from_at = %s,"
            " published_at = coalesce(published_at, %s) WHERE programme = %s AND revision = %s",
            (state, moment(effective_from_ms), moment(now_ms), revision.programme, revision.revision),
        )


async def finish_pending(connection: Connection, programme: str, bus: Bus, clock: Clock) -> Revision | None:
    """Broadcast what is recorded and was not yet, if anything; returns the revision that it was about."""
    async with connection.cursor(row_factory=class_row(Activation)) as cursor:
        await cursor.execute(
            "SELECT programme, activation, revision, kind, canary, effective_from_at, activated_at, activated_by"
            " FROM rules.activations WHERE programme = %s AND broadcast_at IS NULL",
            (programme,),
        )
        pending = await cursor.fetchone()
    if pending is None:
        return None
    revision = await fetch_one(connection, programme, pending.revision)
    partitions = await bus.partition_count(REFERRALS.name)
    now_ms = clock.now_ms()
    await bus.publish(REFERRALS.name, activation_records(revision, pending, partitions, now_ms))
    async with connection.transaction():
        await _arrive(connection, revision, pending.kind)
        await connection.execute(
            "UPDATE rules.activations SET broadcast_at = %s WHERE programme = %s AND activation = %s",
            (moment(now_ms), programme, pending.activation),
        )
    return await fetch_one(connection, programme, pending.revision)


async def resume_publishing(postgres: str, *, bus: Bus, clock: Clock) -> list[Revision]:
    """Finish what a crash left half published; called when the service starts. Returns what was finished."""
    async with connect(postgres) as connection:
        cursor = await connection.execute("SELECT programme FROM rules.activations WHERE broadcast_at IS NULL")
        programmes = [str(row[0]) for row in await cursor.fetchall()]
    finished: list[Revision] = []
    for programme in programmes:
        async with locked(postgres, programme) as connection:
            revision = await finish_pending(connection, programme, bus, clock)
        finished += [revision] if revision is not None else []
    return finished


async def _arrive(connection: Connection, revision: Revision, kind: Kind) -> None:
    programme = revision.programme
    canaries = await fetch(connection, programme, "canary")
    if kind == "canary":
        await set_state(
            connection, revision, moved(programme, revision.revision, revision.state, "reach some partners")
        )
    elif kind == "end":
        for canary in canaries:
            await set_state(connection, canary, moved(programme, canary.revision, "canary", "end the canary"))
    else:
        for before in (*await fetch(connection, programme, "active"), *canaries):
            await set_state(connection, before, moved(programme, before.revision, before.state, "supersede"))
        await set_state(connection, revision, moved(programme, revision.revision, revision.state, "reach everybody"))


def activation_records(revision: Revision, activation: Activation, partitions: int, now_ms: int) -> list[Record]:
    """`ruleset.activated` for each partition: the same CloudEvent, so that the log alone tells what was in force."""
    headers = event_headers(
        type="ruleset.activated",
        source=DECISIONS_SOURCE,
        id=f"ruleset-{revision.programme}-{activation.activation}",
        time_ms=time_ms_of(activation.activated_at),
        recorded_at_ms=now_ms,
        traceparent=new_traceparent(),
    )
    value = encode_data(
        EventData(
            programme=revision.programme,
            ruleset=RulesetActivated(
                revision=revision.revision,
                digest=revision.digest,
                effective_from_ms=time_ms_of(activation.effective_from_at),
                source_text=revision.source_text,
                canary=None if activation.canary is None else msgspec.convert(activation.canary, Canary),
                activation=activation.activation,
            ),
        )
    )
    key = revision.programme.encode()
    return [Record(key, value, headers, partition) for partition in range(partitions)]
