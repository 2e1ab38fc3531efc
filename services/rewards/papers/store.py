"""Issuers and issued papers: a number is taken in the transaction that stores its paper, so there are no gaps.

Promises: whoever issues holds the issuer's row to the end of the transaction, so numbers of a year follow each other
without gaps or repeats, and their days never go back, whatever is killed and however many issue at once. A paper is
issued once for each reference: asked again, the first one is returned. Nothing that is issued can be altered: the
service's role may not, and a trigger refuses it to everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, LiteralString, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import PermanentError, Problem
from runtime.clock import Clock
from runtime.database import Connection, Connections
from services.rewards.papers.invoice import Draft, Invoice, credit, decode, digest, encode, numbered
from services.rewards.papers.parties import Issuer, issuer_faults
from services.rewards.store import outages_are_transient

BATCH_MAX: Final = 500
"""Papers of one transaction: as long as others of the issuer wait."""
REASON_LENGTH_MAX: Final = 1_024

_TAKE_NUMBERS: Final[LiteralString] = (
    "INSERT INTO rewards.invoice_series AS s (issuer, year, last_no) VALUES (%(issuer)s, %(year)s, %(count)s)"
    " ON CONFLICT (issuer, year) DO UPDATE SET last_no = s.last_no + %(count)s RETURNING last_no"
)
_KEEP: Final[LiteralString] = (
    "INSERT INTO rewards.invoices (number, issuer, year, no, kind, reference, corrects, supplier, payout, currency,"
    " gross_minor, issued_on, issued_at, data, sha256) VALUES (%(number)s, %(issuer)s, %(year)s, %(no)s, %(kind)s,"
    " %(reference)s, %(corrects)s, %(supplier)s, %(payout)s, %(currency)s, %(gross_minor)s, %(issued_on)s,"
    " %(issued_at)s, %(data)s, decode(%(sha256)s, 'hex'))"
)


class Issued(NamedTuple):
    """A paper, and whether it was issued just now."""

    invoice: Invoice
    is_new: bool


class Papers:
    """Issues papers. Safe to use from several tasks and processes at once."""

    def __init__(self, database: Connections, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def set_issuer(self, issuer: Issuer) -> None:
        """Write down who issues for some programmes; papers that are issued keep what they say.

        Raises:
            PermanentError: `issuer-malformed`, `prefix-in-use`, `programme-has-issuer`.
        """
        faults = issuer_faults(issuer)
        if faults:
            message = "; ".join(f"{fault.where}: {fault.message} ({fault.help})" for fault in faults)
            raise PermanentError(Problem(code="issuer-malformed", message=message, where=issuer.issuer))
        with outages_are_transient():
            async with self._database.connection() as connection, connection.transaction():
                # One at a time: two issuers must not take one prefix, nor one programme.
                await connection.execute("LOCK TABLE rewards.issuers IN SHARE ROW EXCLUSIVE MODE")
                for other in [one for one in await _issuers(connection) if one.issuer != issuer.issuer]:
                    _keep_apart(issuer, other)
                stored = await _issued_under(connection, issuer.issuer)
                if stored is not None and stored != issuer.prefix:
                    message = f"{issuer.issuer} has issued numbers that begin with {stored}"
                    raise _refused("prefix-in-use", message, "keep the prefix, or write down another issuer")
                await connection.execute(
                    "INSERT INTO rewards.issuers (issuer, prefix, data) VALUES (%s, %s, %s)"
                    " ON CONFLICT (issuer) DO UPDATE SET prefix = excluded.prefix, data = excluded.data",
                    (issuer.issuer, issuer.prefix, msgspec.json.encode(issuer, order="sorted")),
                )

    async def issuer_of(self, programme: str) -> Issuer:
        """Who issues for a programme. Raises PermanentError (`issuer-missing`)."""
        with outages_are_transient():
            async with self._database.connection() as connection:
                for issuer in await _issuers(connection):
                    if programme in issuer.programmes:
                        return issuer
        raise _refused("issuer-missing", f"nobody issues papers for {programme}", "goodword invoices issuer set FILE")

    async def issued_for(self, references: Collection[str]) -> dict[str, Invoice]:
        """The papers of these references, as far as they are issued."""
        with outages_are_transient():
            async with self._database.connection() as connection:
                return await _by_reference(connection, references)

    async def issue(self, issuer: str, drafts: Sequence[Draft]) -> list[Issued]:
        """Issue what is not issued yet, in the order given.

        Raises:
            PermanentError: `issuer-missing`.
            TransientError: The database is away; ask again.
        """
        done: list[Issued] = []
        for start in range(0, len(drafts), BATCH_MAX):
            with outages_are_transient():
                async with self._database.connection() as connection, connection.transaction():
                    done += await self._issue(connection, issuer, drafts[start : start + BATCH_MAX])
        return done

    async def correct(self, number: str, *, gross_minor: int | None, reference: str, reason: str) -> Issued:
        """Issue a credit note of an invoice, or of a part of it.

        Raises:
            PermanentError: `invoice-unknown`, `reason-missing`, `not-creditable`.
        """
        if not reason.strip() or not reason.isprintable() or len(reason) > REASON_LENGTH_MAX:
            raise _refused("reason-missing", "a credit note says why, in one line", "--reason …")
        with outages_are_transient():
            async with self._database.connection() as connection, connection.transaction():
                invoice = await _by_number(connection, number)
                if invoice is None:
                    raise _refused("invoice-unknown", f"no {number} was issued", "goodword invoices list")
                await _lock_issuer(connection, invoice.issuer.id)
                known = (await _by_reference(connection, [reference])).get(reference)
                if known is not None:
                    return Issued(known, is_new=False)
                cursor = await connection.execute(
                    "SELECT coalesce(sum(gross_minor), 0)::bigint FROM rewards.invoices WHERE corrects = %s", (number,)
                )
                (credited_minor,) = await cursor.fetchone() or (0,)
                draft = credit(
                    invoice,
                    credited_minor=credited_minor,
                    gross_minor=gross_minor,
                    reference=reference,
                    reason=reason,
                )
                (issued,) = await self._issue(connection, invoice.issuer.id, [draft])
                return issued

    async def _issue(self, connection: Connection, issuer_id: str, drafts: Sequence[Draft]) -> list[Issued]:
        issuer, last_on = await _lock_issuer(connection, issuer_id)
        wanted = {draft.reference: draft for draft in drafts}
        found = await _by_reference(connection, wanted)
        new = {reference: draft for reference, draft in wanted.items() if reference not in found}
        if new:
            # The clock is asked while the issuer is locked, and a clock that was set back changes no order.
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self._clock.now_ms())
            day = max(at.astimezone(ZoneInfo(issuer.zone)).date(), last_on or date.min)
            await connection.execute("UPDATE rewards.issuers SET last_on = %s WHERE issuer = %s", (day, issuer_id))
            cursor = await connection.execute(_TAKE_NUMBERS, {"issuer": issuer_id, "year": day.year, "count": len(new)})
            (last_no,) = await cursor.fetchone() or (0,)
            for no, draft in enumerate(new.values(), last_no - len(new) + 1):
                invoice = numbered(draft, prefix=issuer.prefix, year=day.year, no=no, issued_on=day.isoformat())
                await _keep(connection, invoice, at)
                found[draft.reference] = invoice
        return [Issued(found[reference], reference in new) for reference in wanted]


async def _issuers(connection: Connection) -> list[Issuer]:
    cursor = await connection.execute("SELECT data FROM rewards.issuers ORDER BY issuer")
    return [msgspec.json.decode(data, type=Issuer) for (data,) in await cursor.fetchall()]


async def _lock_issuer(connection: Connection, issuer: str) -> tuple[Issuer, date | None]:
    cursor = await connection.execute(
        "SELECT data, last_on FROM rewards.issuers WHERE issuer = %s FOR UPDATE", (issuer,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise _refused("issuer-missing", f"there is no issuer {issuer}", "goodword invoices issuer set FILE")
    return msgspec.json.decode(row[0], type=Issuer), row[1]


async def _issued_under(connection: Connection, issuer: str) -> str | None:
    """The prefix of an issuer that has issued something."""
    cursor = await connection.execute(
        "SELECT i.prefix FROM rewards.issuers i JOIN rewards.invoice_series USING (issuer) WHERE i.issuer = %s LIMIT 1",
        (issuer,),
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


def _keep_apart(issuer: Issuer, other: Issuer) -> None:
    if other.prefix == issuer.prefix:
        raise _refused("prefix-in-use", f"{other.issuer} issues under {issuer.prefix}", "take another prefix")
    shared = sorted(set(issuer.programmes) & set(other.programmes))
    if shared:
        raise _refused("programme-has-issuer", f"{other.issuer} issues for {', '.join(shared)}", "a programme has one")


async def _by_number(connection: Connection, number: str) -> Invoice | None:
    cursor = await connection.execute("SELECT data FROM rewards.invoices WHERE number = %s", (number,))
    row = await cursor.fetchone()
    return None if row is None else decode(row[0])


async def _by_reference(connection: Connection, references: Collection[str]) -> dict[str, Invoice]:
    cursor = await connection.execute(
        "SELECT data FROM rewards.invoices WHERE reference = ANY (%s)", (list(references),)
    )
    invoices = [decode(data) for (data,) in await cursor.fetchall()]
    return {invoice.reference: invoice for invoice in invoices}


async def _keep(connection: Connection, invoice: Invoice, at: datetime) -> None:
    data = encode(invoice)
    await connection.execute(
        _KEEP,
        {
            "number": invoice.number,
            "issuer": invoice.issuer.id,
            "year": invoice.year,
            "no": invoice.no,
            "kind": invoice.kind,
            "reference": invoice.reference,
            "corrects": None if invoice.corrects is None else invoice.corrects.number,
            "supplier": invoice.supplier.id,
            "payout": invoice.payout,
            "currency": invoice.currency,
            "gross_minor": invoice.gross_minor,
            "issued_on": invoice.issued_on,
            "issued_at": at,
            "data": data,
            "sha256": digest(data),
        },
    )


def _refused(code: str, message: str, help: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message, help=help))
