"""How beneficiaries are paid: account numbers are taken whole and shown masked."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from contracts.money import PPM
from runtime.api.pages import Asked, Cursor, Limit, page_of, texts_of
from services.rewards.api.bodies import Of, Text
from services.rewards.api.books import Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.payouts import directory
from services.rewards.payouts.bank_ids import normal_iban
from services.rewards.payouts.payee import Method, Payee, Tax, TaxScheme, shown

router = APIRouter()


class TaxBody(Asked):
    """What papers say of a payee; the rate in millionths."""

    legal_name: Text
    address: Annotated[tuple[Text, ...], Field(max_length=7)] = ()
    country: Text = ""
    vat_id: Text | None = None
    scheme: TaxScheme = "outside"
    rate_ppm: Annotated[int, Field(ge=0, le=PPM)] = 0
    exempt_reason: Text = ""


class PayeeBody(Asked):
    """How to pay somebody, in place of what was said before. Runs that are prepared keep what they have."""

    beneficiary: Annotated[Text, Field(description="Such as partner:moses-frase.")]
    method: Method
    currency: Annotated[Text, Field(description="What the bank is to pay in.")]
    name: Annotated[Text, Field(description="Of the holder of the account.")]
    country: Annotated[Text, Field(description="Of the holder: two letters.")]
    iban: Text | None = None
    bic: Text | None = None
    account: Annotated[Text | None, Field(description="Where banks have no IBANs.")] = None
    tax: TaxBody | None = None


class PayeeRow(BaseModel):
    """A payee, account numbers masked."""

    beneficiary: str
    method: Method
    currency: str
    name: str
    country: str
    iban: str | None = None
    bic: str | None = None
    account: str | None = None
    tax: dict[str, Any] | None = None


class PayeePage(BaseModel):
    payees: list[PayeeRow]
    next: str | None = None


class SetBody(BaseModel):
    """`changed` is false where that was known already."""

    changed: bool
    payee: PayeeRow


@router.get("/payees")
async def list_payees(
    books: TheBooks, caller: Viewer, of: Of = None, limit: Limit = 100, cursor: Cursor = None
) -> PayeePage:
    """Payees, by beneficiary; or how one of them is paid."""
    after = "" if cursor is None else texts_of(cursor, 1)[0]
    async with books.database.connection() as connection:
        if of is not None:
            known = await directory.payees_of(connection, [of])
            return PayeePage(payees=[PayeeRow.model_validate(shown(payee)) for payee in known.values()])
        rows = await directory.list_payees(connection, after=after, count_max=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row.beneficiary,))
    return PayeePage(payees=[PayeeRow.model_validate(shown(row)) for row in page], next=then)


@router.post("/payees", **answers(SetBody))
async def set_payee(books: TheBooks, caller: Finance, once: Once, body: PayeeBody) -> Response:
    """Say how to pay somebody."""

    async def work(hand: Hand) -> SetBody:
        fields = body.model_dump(exclude={"tax", "iban"})
        payee = Payee(
            **fields,
            iban=None if body.iban is None else normal_iban(body.iban),
            tax=None if body.tax is None else msgspec.convert(body.tax.model_dump(), Tax),
        )
        is_news = await directory.set_payee(hand.connections, payee, who=caller.who, clock=books.clock)
        return SetBody(changed=is_news, payee=PayeeRow.model_validate(shown(payee)))

    return await once(work)
