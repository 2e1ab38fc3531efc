"""Issued papers: which there are, and what one says; who issues them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import msgspec
from typing_extensions import TypedDict

from contracts.errors import InvariantBroken, PermanentError, Problem
from services.rewards.papers.invoice import Invoice, decode, digest
from services.rewards.papers.parties import Issuer
from services.rewards.reads.connect import Source, reading

LIMIT_MAX: Final = 10_000


class InvoiceLine(TypedDict):
    """One paper. `credited_minor` is what credit notes of it took back so far; `corrects` names what one corrects."""

    number: str
    kind: str
    issued_on: str
    issuer: str
    supplier: str
    payout: str
    currency: str
    gross_minor: int
    credited_minor: int
    corrects: str | None
    sha256: str


class InvoicePage(TypedDict):
    """Papers, newest first. `next_cursor` is None on the last page."""

    invoices: list[InvoiceLine]
    next_cursor: str | None


def invoices(
    postgres: Source,
    *,
    supplier: str | None = None,
    payout: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> InvoicePage:
    """A page of papers.

    Args:
        postgres: URL or connection.
        supplier: Only of `partner:moses-frase`.
        payout: Only of payouts whose reference begins like this: one, or those of a run.
        limit: Up to LIMIT_MAX.
        cursor: `next_cursor` of the page before.

    Raises:
        PermanentError: `bad-limit`, `bad-cursor`.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise PermanentError(Problem(code="bad-limit", message=f"a page has 1 to {LIMIT_MAX} papers", where="limit"))
    after = None if cursor is None else _read_cursor(cursor)
    with reading(postgres) as database:
        database.execute(
            "SELECT i.number, i.kind, i.issued_on, i.issuer, i.supplier, i.payout, i.currency, i.gross_minor,"
            " (SELECT coalesce(sum(n.gross_minor), 0)::bigint FROM rewards.invoices n WHERE n.corrects = i.number)"
            " AS credited_minor, i.corrects, encode(i.sha256, 'hex') AS sha256, i.no FROM rewards.invoices i"
            " WHERE (%(supplier)s::text IS NULL OR i.supplier = %(supplier)s)"
            " AND (%(payout)s::text IS NULL OR starts_with(i.payout, %(payout)s))"
            " AND (%(on)s::date IS NULL OR (i.issued_on, i.issuer, i.no) < (%(on)s, %(issuer)s, %(no)s))"
            " ORDER BY i.issued_on DESC, i.issuer DESC, i.no DESC LIMIT %(limit)s",
            {
                "supplier": supplier,
                "payout": payout,
                "limit": limit + 1,
                "on": None if after is None else after[0],
                "issuer": None if after is None else after[1],
                "no": None if after is None else after[2],
            },
        )
        found = database.fetchall()
    page = found[:limit]
    more = len(found) > limit
    return InvoicePage(
        invoices=[_line(row) for row in page],
        next_cursor=f"{page[-1]['issued_on']}:{page[-1]['issuer']}:{page[-1]['no']}" if more else None,
    )


def invoice(postgres: Source, number: str) -> Invoice:
    """What a paper says.

    Raises:
        PermanentError: `invoice-unknown`.
        InvariantBroken: What is stored is not what was issued.
    """
    with reading(postgres) as database:
        database.execute(
            "SELECT data, encode(sha256, 'hex') AS sha256 FROM rewards.invoices WHERE number = %s", (number,)
        )
        row = database.fetchone()
    if row is None:
        problem = Problem(code="invoice-unknown", message=f"no {number} was issued", help="goodword invoices list")
        raise PermanentError(problem)
    found = decode(row["data"])
    if digest(row["data"]) != row["sha256"] or found.number != number:
        raise InvariantBroken(f"what is stored of {number} is not what was issued")
    return found


def issuers(postgres: Source) -> list[Issuer]:
    """Who issues papers."""
    with reading(postgres) as database:
        database.execute('SELECT data FROM rewards.issuers ORDER BY issuer COLLATE "C"')
        return [msgspec.json.decode(row["data"], type=Issuer) for row in database.fetchall()]


def _line(row: dict[str, Any]) -> InvoiceLine:
    return InvoiceLine(
        number=row["number"],
        kind=row["kind"],
        issued_on=row["issued_on"].isoformat(),
        issuer=row["issuer"],
        supplier=row["supplier"],
        payout=row["payout"],
        currency=row["currency"],
        gross_minor=row["gross_minor"],
        credited_minor=row["credited_minor"],
        corrects=row["corrects"],
        sha256=row["sha256"],
    )


def _read_cursor(text: str) -> tuple[date, str, int]:
    try:
        on, issuer, no = text.replace("\0", ":").split(":")
        return date.fromisoformat(on), issuer, int(no)
    except ValueError as error:
        raise PermanentError(Problem(code="bad-cursor", message="not a cursor of ours", where="cursor")) from error
