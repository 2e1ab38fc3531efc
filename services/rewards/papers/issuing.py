"""Issues the papers of a payout run: an invoice of what was sent, a credit note of what came back.

Promises: the same run again issues what is missing and nothing twice; who cannot be invoiced is left out and listed
with the reason, and keeps nobody else from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

import msgspec

from contracts.errors import PermanentError, Problem
from runtime.clock import Clock
from runtime.database import Connection, Connections
from services.rewards.papers.invoice import Draft
from services.rewards.papers.of_payouts import (
    INVOICED_STATES,
    Earned,
    invoice_of,
    reference_of,
    return_reference_of,
)
from services.rewards.papers.speaker import checked_language
from services.rewards.papers.store import Issued, Papers
from services.rewards.payouts import store as payouts_store
from services.rewards.payouts.directory import payees_of
from services.rewards.payouts.listing import known_run
from services.rewards.payouts.payout import Payout
from services.rewards.store import outages_are_transient

# What a payout moves is no part of it. Of what came before, one that came back or was cancelled paid nothing.
_EARNED: Final[LiteralString] = """
WITH wanted AS (
    SELECT p.id, p.programme, p.unit, a.id AS account_id,
        timestamptz 'epoch' + p.prepared_at_ms * interval '1 ms' AS until,
        timestamptz 'epoch' + coalesce((
            SELECT max(q.prepared_at_ms) FROM rewards.payouts q
            WHERE q.beneficiary = p.beneficiary AND q.programme = p.programme AND q.unit = p.unit
                AND q.prepared_at_ms < p.prepared_at_ms AND q.state NOT IN ('returned', 'cancelled')
        ), 0) * interval '1 ms' AS since
    FROM rewards.payouts p JOIN rewards.accounts a ON a.address = p.beneficiary || ':available'
    WHERE p.run_id = %(run)s AND p.state = ANY (%(states)s)
), moved AS (
    SELECT w.id, t.rule, t.amount_minor AS minor, coalesce(t.news_at, t.event_at) AS at
    FROM wanted w JOIN rewards.transfers t ON t.credit_id = w.account_id AND t.posted_at > w.since
        AND t.posted_at <= w.until AND t.unit = w.unit AND t.programme = w.programme AND t.rule <> 'payout'
    UNION ALL
    SELECT w.id, t.rule, -t.amount_minor, coalesce(t.news_at, t.event_at)
    FROM wanted w JOIN rewards.transfers t ON t.debit_id = w.account_id AND t.posted_at > w.since
        AND t.posted_at <= w.until AND t.unit = w.unit AND t.programme = w.programme AND t.rule <> 'payout'
)
SELECT id::text, rule, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, sum(minor)::bigint,
    to_char(min(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
FROM moved GROUP BY id, rule, month ORDER BY id, month, rule COLLATE "C"
"""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A payout without its paper, and why."""

    payout: str
    beneficiary: str
    code: str
    message: str


class RunPapers(msgspec.Struct, frozen=True, kw_only=True):
    """The papers of a run, those issued before among them."""

    issued: list[Issued]
    left_out: list[LeftOut]


async def issue_run(connections: Connections, named: str, *, clock: Clock, language: str | None = None) -> RunPapers:
    """Issue what is missing of a run, named by its id or reference.

    Args:
        connections: A pool, or a transaction that is open.
        named: The run.
        clock: Says which day it is.
        language: Of new papers; None for the issuer's.

    Raises:
        PermanentError: There is no such run, `issuer-missing`, `language-unknown`.
        TransientError: The database is away; ask again.
    """
    if language is not None:
        checked_language(language)
    papers = Papers(connections, clock=clock)
    with outages_are_transient():
        async with connections.connection() as connection:
            run = await known_run(connection, named)
            payouts = await payouts_store.payouts_of(connection, run.id)
            payees = await payees_of(connection, {payout.beneficiary for payout in payouts})
            earned = await _earned(connection, run.id)
    issuer = await papers.issuer_of(run.programme)
    drafts: list[Draft] = []
    left_out: list[LeftOut] = []
    for payout in payouts:
        if payout.state in INVOICED_STATES:
            try:
                drafts.append(
                    invoice_of(
                        payout,
                        earned.get(payout.id, []),
                        payee=payees.get(payout.beneficiary),
                        issuer=issuer,
                        language=language or issuer.language,
                    )
                )
            except PermanentError as error:
                left_out.append(_left_out(payout, error.problem))
    issued = await papers.issue(issuer.issuer, drafts)
    issued += await _credit_notes(papers, [payout for payout in payouts if payout.state == "returned"])
    return RunPapers(issued=issued, left_out=left_out)


async def _credit_notes(papers: Papers, returned: Sequence[Payout]) -> list[Issued]:
    """Of what came back after its invoice was issued. What is credited already, by hand or by this, stays as it is."""
    invoices = await papers.issued_for([reference_of(payout) for payout in returned])
    done = []
    for payout in returned:
        invoice = invoices.get(reference_of(payout))
        if invoice is None:
            continue
        try:
            note = await papers.correct(
                invoice.number, gross_minor=None, reference=return_reference_of(payout), reason=payout.reason
            )
        except PermanentError as error:
            if error.problem.code != "not-creditable":
                raise
            continue
        done.append(note)
    return done


async def _earned(connection: Connection, run: str) -> dict[str, list[Earned]]:
    cursor = await connection.execute(_EARNED, {"run": run, "states": list(INVOICED_STATES)})
    found: dict[str, list[Earned]] = {}
    for id, *fields in await cursor.fetchall():
        found.setdefault(id, []).append(Earned(*fields))
    return found


def _left_out(payout: Payout, problem: Problem) -> LeftOut:
    return LeftOut(payout=payout.id, beneficiary=payout.beneficiary, code=problem.code, message=problem.message)
