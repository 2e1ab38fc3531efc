"""A text becomes a revision: stored as a draft, with a number, a digest and an author that never change."""

from __future__ import annotations

from datetime import datetime

from contracts.events import EPOCH
from contracts.topics import REFERRALS
from runtime.bus.batches import check_size
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.language import digest_of, read_rule_set
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.broadcast import Activation, activation_records
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.record import Revision, fetch, fetch_active, fetch_one, moment
from services.rules.lifecycle.states import OPEN


async def submit_draft(desk: Desk, text: str, path: str, *, who: str, note: str = "") -> tuple[Revision, bool]:
    """Store a checked text as a draft; returns it, and whether it is new.

    The same text over the same active revision, still open, is the revision that there is already.

    Raises:
        RuleSetErrors: The file has errors; all of them.
        PermanentError: `record-too-large`, or a name or note that cannot be stored.
    """
    rule_set = read_rule_set(text, path=path)
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(rule_set.programme) as connection:
        draft = await draft_of(
            connection, rule_set.programme, text, path, who=who, note=note, now_ms=desk.clock.now_ms()
        )
        if draft.revision:
            return draft, False
        async with connection.transaction():
            return await store_draft(connection, draft), True


async def draft_of(
    connection: Connection,
    programme: str,
    text: str,
    path: str,
    *,
    who: str,
    note: str,
    now_ms: int,
    restores: int | None = None,
) -> Revision:
    """The open revision that has this text already, or the one to be, still without a number (0).

    Raises:
        PermanentError: `record-too-large`. Its size is checked before it is stored, or a file that the log cannot take
            would be on its way for ever.
    """
    digest = digest_of(text)
    active = await fetch_active(connection, programme)
    base = None if active is None else active.revision
    if restores is None:
        for each in reversed(await fetch(connection, programme)):
            if each.digest == digest and each.base_revision == base and each.state in OPEN:
                return each
    draft = Revision(
        programme=programme,
        revision=0,
        digest=digest,
        path=path,
        source_text=text,
        author=who,
        state="draft",
        submitted_at=moment(now_ms),
        note=note,
        base_revision=base,
        restores_revision=restores,
    )
    check_size(REFERRALS.name, activation_records(draft, _largest(programme), 1, now_ms)[0])
    return draft


async def store_draft(connection: Connection, draft: Revision) -> Revision:
    """Give it its number and keep it; in a transaction, under the programme's lock."""
    cursor = await connection.execute(
        """
        INSERT INTO rules.revisions (programme, revision, digest, path, source_text, author, state, submitted_at, note,
                                     base_revision, restores_revision)
        SELECT %(programme)s, coalesce(max(revision), 0) + 1, %(digest)s, %(path)s, %(source_text)s, %(author)s,
               'draft', %(submitted_at)s, %(note)s, %(base_revision)s, %(restores_revision)s
        FROM rules.revisions WHERE programme = %(programme)s
        RETURNING revision
        """,
        {name: getattr(draft, name) for name in Revision.__dataclass_fields__},
    )
    row = await cursor.fetchone()
    assert row is not None
    stored = await fetch_one(connection, draft.programme, row[0])
    await note_in_audit(
        connection,
        "submitted",
        at_ms=int((stored.submitted_at - EPOCH).total_seconds() * 1000),
        who=stored.author,
        revision=stored,
        note=stored.note,
        details={"path": stored.path, "base_revision": stored.base_revision, "restores": stored.restores_revision},
    )
    return stored


def _largest(programme: str) -> Activation:
    at: datetime = moment(0)
    return Activation(
        programme=programme,
        activation=2**31 - 1,
        revision=2**31 - 1,
        kind="canary",
        canary={"base": 2**31 - 1, "group": "g" * 256},
        effective_from_at=at,
        activated_at=at,
        activated_by="",
    )
