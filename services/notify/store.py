"""PostgreSQL of notify: mails and their states, and the address book.

Promises: a mail is one row per (fact, kind), however often its fact is delivered; a row is `sending`, committed,
before anybody speaks to the relay about it; nothing turns a mail that may have been sent back to `pending` but the
word of the process that had it in hand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from runtime.database import Database
from services.notify.addresses import one_line, usable_address
from services.notify.messages import Details, Kind, Mail

LOCK_SPACE: Final = 0x67776E6F
"""First half of the advisory locks of sending processes ("gwno"); the second is the process's number."""
STATUS_SUSPENDED: Final = "suspended"

_encode = msgspec.json.encode
_details_decoder: Final = msgspec.json.Decoder(Details)


class Counted(msgspec.Struct, frozen=True):
    """How many mails of a kind came into a state."""

    kind: str
    state: str
    count: int


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A mail in hand of this process."""

    fact: str
    kind: Kind
    programme: str
    partner: str
    created_at_ms: int
    attempts: int
    trace: str
    details: Details
    address: str
    name: str | None
    language: str | None


class AddressEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What the address book holds of a partner, as it was told to us."""

    programme: str
    partner: str
    name: str | None
    email: str | None
    language: str | None
    status: str | None


async def add_mails(
    database: Database, told: Sequence[Mail], untold: Sequence[Mail], *, now_ms: int, grace_ms: int
) -> list[Counted]:
    """Record the mails of a batch: `told` as pending, `untold` as too old. What is there already stays as it is.

    One statement; the rows travel as one JSON array, which is the cheapest way of few columns for psycopg and
    the server together. A mail without an address is due after the grace, or when the address comes.
    """
    if not told and not untold:
        return []
    rows = [_row(mail, is_old=False) for mail in told] + [_row(mail, is_old=True) for mail in untold]
    found = await database.fetch_all(
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%(rows)s::json) AS r (
                fact uuid, kind text, programme text, partner text, time_ms bigint, trace text, details json, old bool)
        ), added AS (
            INSERT INTO notify.mails (
                fact_id, kind, state, programme, partner, time_ms, created_at_ms, due_at_ms, trace, details)
            SELECT g.fact, g.kind, CASE WHEN g.old THEN 'too-old' ELSE 'pending' END, g.programme, g.partner, g.time_ms,
                %(now_ms)s,
                CASE WHEN g.old THEN NULL WHEN p.email IS NULL THEN %(now_ms)s + %(grace_ms)s ELSE %(now_ms)s END,
                g.trace, g.details
            FROM given g
            LEFT JOIN notify.partners p ON NOT g.old AND p.programme = g.programme AND p.partner = g.partner
            -- In one order everywhere: two processes that wrote the same mails in two orders would deadlock.
            ORDER BY g.fact, g.kind
            ON CONFLICT DO NOTHING
            RETURNING kind, state
        )
        SELECT kind, state, count(*) FROM added GROUP BY kind, state
        """,
        {"rows": _encode(rows).decode(), "now_ms": now_ms, "grace_ms": grace_ms},
    )
    return [Counted(*row) for row in found]


async def put_partners(database: Database, entries: Sequence[AddressEntry], *, now_ms: int) -> None:
    """Take snapshots into the address book, the last of a partner wins; mails that waited for an address are due."""
    rows = {
        (entry.programme, entry.partner): {
            "programme": entry.programme,
            "partner": entry.partner,
            "name": one_line(entry.name) if entry.name else None,
            "email": usable_address(entry.email),
            "language": one_line(entry.language) if entry.language else None,
            "status": one_line(entry.status) if entry.status else None,
        }
        for entry in entries
    }
    await database.fetch_all(
        """
        WITH put AS (
            INSERT INTO notify.partners AS p (programme, partner, name, email, language, status)
            SELECT * FROM json_to_recordset(%(rows)s::json) AS r (
                programme text, partner text, name text, email text, language text, status text)
            ORDER BY programme, partner
            ON CONFLICT (programme, partner) DO UPDATE
            SET name = excluded.name, email = excluded.email, language = excluded.language, status = excluded.status
            WHERE (p.name, p.email, p.language, p.status)
                IS DISTINCT FROM (excluded.name, excluded.email, excluded.language, excluded.status)
            RETURNING programme, partner, email
        ), waiting AS (
            -- Mails of one partner that are put off by the relay come forward too: a new address is a new chance.
            SELECT m.fact_id, m.kind FROM notify.mails m JOIN put USING (programme, partner)
            WHERE m.state = 'pending' AND m.due_at_ms > %(now_ms)s AND put.email IS NOT NULL
            FOR UPDATE OF m SKIP LOCKED
        )
        UPDATE notify.mails m SET due_at_ms = %(now_ms)s FROM waiting w
        WHERE m.fact_id = w.fact_id AND m.kind = w.kind
        RETURNING m.kind
        """,
        {"rows": _encode(list(rows.values())).decode(), "now_ms": now_ms},
    )


async def claim(database: Database, *, sender: int, now_ms: int, count_max: int) -> list[Claimed]:
    """Take mails that are due in hand; committed when this returns. Others' claims are skipped, not waited for."""
    found = await database.fetch_all(
        """
        WITH due AS MATERIALIZED (
            SELECT m.fact_id, m.kind, p.email, p.name, p.language
            FROM notify.mails m JOIN notify.partners p USING (programme, partner)
            WHERE m.state = 'pending' AND m.due_at_ms <= %(now_ms)s
                AND p.email IS NOT NULL AND p.status IS DISTINCT FROM %(suspended)s
            ORDER BY m.due_at_ms
            LIMIT %(count_max)s
            FOR UPDATE OF m SKIP LOCKED
        )
        UPDATE notify.mails m
        SET state = 'sending', claimed_by = %(sender)s, claimed_at_ms = %(now_ms)s, address = due.email
        FROM due WHERE m.fact_id = due.fact_id AND m.kind = due.kind
        RETURNING m.fact_id::text, m.kind, m.programme, m.partner, m.created_at_ms, m.attempts, m.trace,
            m.details::text, due.email, due.name, due.language
        """,
        {"sender": sender, "now_ms": now_ms, "count_max": count_max, "suspended": STATUS_SUSPENDED},
    )
    return [
        Claimed(
            fact=row[0],
            kind=row[1],
            programme=row[2],
            partner=row[3],
            created_at_ms=row[4],
            attempts=row[5],
            trace=row[6] or "",
            details=_details_decoder.decode(row[7]),
            address=row[8],
            name=row[9],
            language=row[10],
        )
        for row in found
    ]


async def settle_unsendable(database: Database, *, now_ms: int, count_max: int) -> list[Counted]:
    """Give up, set-wise, on due mails whose partner is suspended, or has no address now that the grace is over."""
    found = await database.fetch_all(
        """
        WITH due AS MATERIALIZED (
            SELECT m.fact_id, m.kind, p.status IS NOT DISTINCT FROM %(suspended)s AS is_suspended
            FROM notify.mails m LEFT JOIN notify.partners p USING (programme, partner)
            WHERE m.state = 'pending' AND m.due_at_ms <= %(now_ms)s
                AND (p.email IS NULL OR p.status IS NOT DISTINCT FROM %(suspended)s)
            ORDER BY m.due_at_ms
            LIMIT %(count_max)s
            FOR UPDATE OF m SKIP LOCKED
        ), settled AS (
            UPDATE notify.mails m
            SET state = CASE WHEN due.is_suspended THEN 'suppressed' ELSE 'no-address' END,
                reason = CASE WHEN due.is_suspended THEN 'the partner is suspended' ELSE 'no usable address' END,
                due_at_ms = NULL, settled_at_ms = %(now_ms)s
            FROM due WHERE m.fact_id = due.fact_id AND m.kind = due.kind
            RETURNING m.kind, m.state
        )
        SELECT kind, state, count(*) FROM settled GROUP BY kind, state
        """,
        {"now_ms": now_ms, "count_max": count_max, "suspended": STATUS_SUSPENDED},
    )
    return [Counted(*row) for row in found]


async def settle(
    database: Database, mail: Claimed, *, sender: int, state: str, reason: str | None, attempts: int, now_ms: int
) -> bool:
    """Record how a mail in hand ended, for good. False when it is no longer ours to say."""
    return await _leave(
        database, mail, sender=sender, state=state, reason=reason, attempts=attempts, due_at_ms=None, now_ms=now_ms
    )


async def put_off(
    database: Database, mail: Claimed, *, sender: int, reason: str, attempts: int, due_at_ms: int
) -> bool:
    """Give a mail that was surely not sent back, to be tried again."""
    return await _leave(
        database,
        mail,
        sender=sender,
        state="pending",
        reason=reason,
        attempts=attempts,
        due_at_ms=due_at_ms,
        now_ms=None,
    )


async def _leave(
    database: Database,
    mail: Claimed,
    *,
    sender: int,
    state: str,
    reason: str | None,
    attempts: int,
    due_at_ms: int | None,
    now_ms: int | None,
) -> bool:
    # A mail that others took for unknown, because our lock's connection broke, is still ours to tell about: nobody
    # sends an unknown one, so what we know about it is the truth.
    found = await database.fetch_all(
        """
        UPDATE notify.mails
        SET state = %(state)s, reason = %(reason)s, attempts = %(attempts)s, due_at_ms = %(due_at_ms)s,
            settled_at_ms = %(now_ms)s
        WHERE fact_id = %(fact)s::uuid AND kind = %(kind)s
            AND claimed_by = %(sender)s AND state IN ('sending', 'unknown')
        RETURNING kind
        """,
        {
            "fact": mail.fact,
            "kind": mail.kind,
            "sender": sender,
            "state": state,
            "reason": reason,
            "attempts": attempts,
            "due_at_ms": due_at_ms,
            "now_ms": now_ms,
        },
    )
    return bool(found)


async def release_strays(database: Database, *, sender: int, in_hand: Collection[tuple[str, str]], now_ms: int) -> int:
    """Give back mails claimed by this process that it never learned of: the answer to the claim was lost.

    Call it only while no claim is under way, with all mails in hand.
    """
    found = await database.fetch_all(
        """
        UPDATE notify.mails SET state = 'pending', due_at_ms = %(now_ms)s
        WHERE state = 'sending' AND claimed_by = %(sender)s
            AND (fact_id::text, kind) NOT IN (
                SELECT fact, kind FROM json_to_recordset(%(in_hand)s::json) AS h (fact text, kind text))
        RETURNING kind
        """,
        {
            "sender": sender,
            "now_ms": now_ms,
            "in_hand": _encode([{"fact": fact, "kind": kind} for fact, kind in in_hand]).decode(),
        },
    )
    return len(found)


async def disown_dead(database: Database, *, sender: int, now_ms: int) -> list[Counted]:
    """Call unknown what processes that died had in hand: nobody can tell whether those mails went out.

    A process is dead when the lock of its number can be had; a living one keeps it on a connection of its own.
    """
    found = await database.fetch_all(
        """
        WITH others AS MATERIALIZED (
            SELECT DISTINCT claimed_by FROM notify.mails WHERE state = 'sending' AND claimed_by <> %(sender)s
        ), dead AS MATERIALIZED (
            SELECT claimed_by FROM others WHERE pg_try_advisory_xact_lock(%(space)s, claimed_by)
        ), disowned AS (
            UPDATE notify.mails m
            SET state = 'unknown', settled_at_ms = %(now_ms)s, attempts = m.attempts + 1,
                reason = 'the sending process ended before the relay''s answer was recorded'
            FROM dead WHERE m.state = 'sending' AND m.claimed_by = dead.claimed_by
            RETURNING m.kind, m.state
        )
        SELECT kind, state, count(*) FROM disowned GROUP BY kind, state
        """,
        {"sender": sender, "space": LOCK_SPACE, "now_ms": now_ms},
    )
    return [Counted(*row) for row in found]


async def pending_count(database: Database) -> int:
    """Mails to be sent, now or later."""
    found = await database.fetch_all("SELECT count(*) FROM notify.mails WHERE state = 'pending'")
    return int(found[0][0])


def _row(mail: Mail, *, is_old: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "fact": mail.fact,
        "kind": mail.kind,
        "programme": mail.programme,
        "partner": mail.partner,
        "time_ms": mail.time_ms,
        "old": is_old,
    }
    if not is_old:
        row["trace"] = mail.trace
        row["details"] = mail.details
    return row
