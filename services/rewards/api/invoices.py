"""Self-billing invoices and credit notes: issued for payout runs, listed, drawn and corrected; who issues them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from runtime.api.pages import Asked, Cursor, Limit
from services.rewards.api.bodies import NO_NUL, Minor, Of, Reason, Text
from services.rewards.api.books import Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.papers.invoice import Invoice, correction_reference, digest, encode
from services.rewards.papers.issuing import issue_run
from services.rewards.papers.parties import Issuer
from services.rewards.papers.render import pdf_of
from services.rewards.papers.shown import invoice_sheet
from services.rewards.papers.store import Papers
from services.rewards.reads import InvoiceLine, invoice, invoices, issuers

router = APIRouter()
Number = Annotated[str, Path(max_length=64, pattern=NO_NUL, description="Such as SB-2026-000001.")]


class InvoicesPage(BaseModel):
    invoices: list[InvoiceLine]
    next: str | None = None


class Paper(BaseModel):
    """What a paper says: `data` as it was issued, and the SHA-256 of its canonical JSON (docs/ledger.md#papers)."""

    number: str
    sha256: str
    data: dict[str, Any]


class RunToInvoice(Asked):
    payout_run: Annotated[Text, Field(description="Its reference or id.")]
    language: Annotated[Text | None, Field(description="en, id, pl or pt-BR; else the issuer's.")] = None


class IssuedPaper(BaseModel):
    """`is_new` is false for one that was issued before."""

    number: str
    kind: str
    supplier: str
    payout: str
    currency: str
    gross_minor: int
    is_new: bool


class WithoutPaper(BaseModel):
    """A payout that could not be invoiced, and why."""

    payout: str
    beneficiary: str
    code: str
    message: str


class PapersOfRun(BaseModel):
    issued: list[IssuedPaper]
    left_out: list[WithoutPaper]


class Correction(Asked):
    """An invoice is credited, or a part of it."""

    reason: Reason
    reference: Annotated[Text, Field(description="Asked again under the same one, the same note is returned.")]
    minor: Annotated[Minor | None, Field(description="A part, gross, in minor units; else what is left.")] = None


class IssuerBody(Asked):
    """Who issues papers for some programmes."""

    issuer: Text
    name: Text
    address: list[Text]
    country: Text
    prefix: Text
    programmes: list[Text]
    zone: Text = "UTC"
    language: Text = "en"
    vat_id: Text = ""
    tax_id: Text = ""


class IssuersList(BaseModel):
    issuers: list[IssuerBody]


@router.get("/invoices")
async def list_invoices(
    books: TheBooks,
    caller: Viewer,
    of: Of = None,
    payout: Annotated[
        str | None, Query(max_length=512, pattern=NO_NUL, description="Only of payouts whose reference begins so.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> InvoicesPage:
    """Issued papers, newest first."""
    page = await books.ask(invoices, supplier=of, payout=payout, limit=limit, cursor=cursor)
    return InvoicesPage(invoices=page["invoices"], next=page["next_cursor"])


@router.get("/invoices/{number}")
async def show_invoice(books: TheBooks, caller: Viewer, number: Number) -> Paper:
    """What one says; checked against its hash."""
    return _paper(await books.ask(invoice, number))


@router.get(
    "/invoices/{number}/pdf",
    response_class=Response,
    responses={200: {"description": "PDF/A-3a and PDF/UA-1, its data attached", "content": {"application/pdf": {}}}},
)
async def draw_invoice(books: TheBooks, caller: Viewer, number: Number) -> Response:
    """One on paper; the same bytes each time."""
    found = await books.ask(invoice, number)
    drawn = await asyncio.to_thread(pdf_of, invoice_sheet(found), dated=found.issued_on)
    headers = {"content-disposition": f'attachment; filename="{found.number}.pdf"'}
    return Response(drawn, media_type="application/pdf", headers=headers)


@router.post("/invoices", **answers(PapersOfRun))
async def issue(books: TheBooks, caller: Finance, once: Once, body: RunToInvoice) -> Response:
    """Invoice what a payout run has sent, and credit what came back; again, it issues only what is missing."""

    async def work(hand: Hand) -> PapersOfRun:
        done = await issue_run(hand.connections, body.payout_run, clock=books.clock, language=body.language)
        return PapersOfRun(
            issued=[_issued(one.invoice, is_new=one.is_new) for one in done.issued],
            left_out=[WithoutPaper(**msgspec.structs.asdict(one)) for one in done.left_out],
        )

    return await once(work)


@router.post("/invoices/{number}/credit-notes", **answers(IssuedPaper))
async def correct(books: TheBooks, caller: Finance, once: Once, number: Number, body: Correction) -> Response:
    """Issue a credit note. Nothing is paid or taken back by that."""

    async def work(hand: Hand) -> IssuedPaper:
        done = await Papers(hand.connections, clock=books.clock).correct(
            number,
            gross_minor=body.minor,
            reference=correction_reference(number, body.reference),
            reason=body.reason,
        )
        return _issued(done.invoice, is_new=done.is_new)

    return await once(work)


@router.get("/issuers")
async def list_issuers(books: TheBooks, caller: Viewer) -> IssuersList:
    """Who issues papers, for which programmes."""
    found = await books.ask(issuers)
    return IssuersList(issuers=[IssuerBody(**msgspec.to_builtins(one)) for one in found])


@router.post("/issuers", **answers(IssuerBody))
async def set_issuer(books: TheBooks, caller: Finance, once: Once, body: IssuerBody) -> Response:
    """Write down who issues papers for some programmes; papers that are issued keep what they say."""

    async def work(hand: Hand) -> IssuerBody:
        await Papers(hand.connections, clock=books.clock).set_issuer(msgspec.convert(body.model_dump(), Issuer))
        return body

    return await once(work)


def _paper(found: Invoice) -> Paper:
    return Paper(number=found.number, sha256=digest(encode(found)), data=msgspec.to_builtins(found))


def _issued(found: Invoice, *, is_new: bool) -> IssuedPaper:
    return IssuedPaper(
        number=found.number,
        kind=found.kind,
        supplier=found.supplier.id,
        payout=found.payout,
        currency=found.currency,
        gross_minor=found.gross_minor,
        is_new=is_new,
    )
