"""Papers as PDF: what a reader can select is what the data say, in four languages, in the same bytes each time."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from pypdf import PdfReader

from contracts.errors import PermanentError
from services.rewards import legs
from services.rewards.papers import speaker
from services.rewards.papers.invoice import Invoice, Part, credit, encode, numbered
from services.rewards.papers.parties import Party, Tax
from services.rewards.papers.render import pdf_of
from services.rewards.papers.shown import Entry, StatementOf, invoice_sheet, statement_sheet
from tests.support.papers import SUPPLIER, issued

STATEMENT = StatementOf(
    account="partner:ann:available",
    holder=("Ann Łącka",),
    unit="KWD",
    decimals=3,
    from_on="2026-10-01",
    to_on="2026-10-31",
    opening_minor=-1_500,
    closing_minor=1_234_567,
    entries=(Entry("2026-10-02", "clawed_back", "commission", "crm/opp-1-won", -1_236_067, 1_234_567),),
)


def text_of(pdf: bytes) -> str:
    """With every kind of blank as a space."""
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return re.sub(r"\s+", " ", " ".join(pages))


def drawn(invoice: Invoice) -> bytes:
    return pdf_of(invoice_sheet(invoice), dated=invoice.issued_on)


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("en", ["Invoice (self-billing)", "November 3, 2026", "1,054.00", "VAT 23 %", "1,004.00 EUR", "October 2026"]),
        ("pl", ["Faktura (samofakturowanie)", "3 listopada 2026", "1 054,00", "VAT 23%", "październik 2026"]),
        ("pt-BR", ["Fatura (autofaturamento)", "3 de novembro de 2026", "1.054,00", "IVA 23%", "outubro de 2026"]),
        ("id", ["Faktur (self-billing)", "3 November 2026", "1.054,00", "PPN 23%", "Oktober 2026"]),
    ],
)
def test_an_invoice_says_what_its_data_say_in_its_language(language: str, wanted: list[str]) -> None:
    text = text_of(drawn(issued(language=language)))
    always = ["SB-2026-000001", "Ação & Irmãos *Ltda* #x", "Acme Łódź sp. z o.o.", "PL5260001246", "PT123456789"]
    for part in [*wanted, *always, "crm-sales/EUR/2026-11", "EUR/USD 1.12", "2006/112/"]:
        assert part in text


@pytest.mark.parametrize(
    ("tax", "said"),
    [
        (Tax(kind="reverse-charge"), "Reverse charge"),
        (Tax(kind="exempt", reason="Article 113"), "Exempt from VAT: Article 113"),
        (Tax(kind="outside"), "Outside the scope of VAT"),
    ],
)
def test_an_invoice_without_tax_says_why(tax: Tax, said: str) -> None:
    assert said in text_of(drawn(issued(tax=tax)))


def test_a_credit_note_names_the_invoice_and_the_reason() -> None:
    draft = credit(issued(), credited_minor=0, gross_minor=None, reference="r", reason="account closed")
    text = text_of(drawn(numbered(draft, prefix="SB", year=2026, no=2, issued_on="2026-11-09")))
    for part in (
        "Credit note",
        "SB-2026-000002",
        "Corrects invoice SB-2026-000001 of November 3, 2026",
        "account closed",
    ):
        assert part in text


def test_the_same_data_give_the_same_bytes() -> None:
    assert drawn(issued()) == drawn(issued())


def test_an_invoice_carries_its_data_and_is_dated_as_it_says() -> None:
    invoice = issued()
    reader = PdfReader(io.BytesIO(drawn(invoice)))
    assert reader.attachments["SB-2026-000001.json"] == [encode(invoice)]
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice (self-billing) SB-2026-000001"
    assert str(reader.metadata["/CreationDate"]) == "D:20261103000000Z"
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"


def test_a_long_invoice_has_pages_and_long_words_stay_on_them() -> None:
    supplier = Party(id=SUPPLIER.id, name="x-" * 90, address=("y",), country="PT", vat_id="PT123456789")
    long_name = "a-rule-with-a-rather-long-name/" * 4
    parts = [Part("crm-sales", long_name, "2026-11", number + 1) for number in range(120)]
    invoice = issued(supplier=supplier, parts=parts)
    assert len(PdfReader(io.BytesIO(drawn(invoice))).pages) > 2


def test_a_letter_without_a_font_is_an_error_that_says_what_to_do() -> None:
    party = Party(id="partner:ann", name="東京商事", address=("y",), country="JP")
    with pytest.raises(PermanentError) as raised:
        drawn(issued(supplier=party, tax=Tax(kind="outside")))
    assert raised.value.problem.code == "paper-undrawable"
    assert "--fonts" in raised.value.problem.help


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("en", ["Statement of account", "-1.500 KWD", "1,234.567 KWD", "Taken back: commission", "-1,236.067"]),
        ("pl", ["Wyciąg z konta", "1 234,567 KWD", "Cofnięto: commission", "-1 236,067"]),
        ("pt-BR", ["Extrato de conta", "1.234,567 KWD", "Estornado: commission"]),
        ("id", ["Rekening koran", "1.234,567 KWD", "Ditarik kembali: commission"]),
    ],
)
def test_a_statement_says_what_was_posted(language: str, wanted: list[str]) -> None:
    text = text_of(pdf_of(statement_sheet(STATEMENT, language), dated="2026-11-03"))
    for part in [*wanted, "partner:ann:available", "Ann Łącka", "crm/opp-1-won"]:
        assert part in text


def test_an_empty_statement_says_so() -> None:
    sheet = statement_sheet(STATEMENT._replace(entries=(), holder=()), "en")
    assert "Nothing was posted" in text_of(pdf_of(sheet, dated="2026-11-03"))


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("pt-PT", "pt-BR"), ("PT_br", "pt-BR"), ("pl-PL", "pl"), ("xx", "en"), (None, "en"), ("../etc", "en")],
)
def test_a_language_we_lack_falls_back(wanted: str | None, language: str) -> None:
    assert speaker.language_of(wanted) == language


def test_every_stage_that_the_ledger_has_has_a_word() -> None:
    stages = {value for name, value in vars(legs).items() if name.startswith("STAGE_")}
    not_of_beneficiaries = {legs.STAGE_ALLOTTED, legs.STAGE_CLAIMED}
    assert stages - not_of_beneficiaries == set(speaker._words("en")["stages"])


def test_every_language_says_everything_with_the_same_blanks() -> None:
    def blanks(value: object) -> object:
        if isinstance(value, dict):
            return {name: blanks(part) for name, part in value.items()}
        return sorted(re.findall(r"\{\w+\}", str(value)))

    expected = blanks(speaker._words("en"))
    for language in speaker.LANGUAGES:
        assert blanks(speaker._words(language)) == expected, language
