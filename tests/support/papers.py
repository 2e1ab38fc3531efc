"""Parties and drafts that tests of papers share."""

from __future__ import annotations

from typing import Any

from services.rewards.papers.invoice import Draft, Invoice, Part, Settlement, draft, numbered
from services.rewards.papers.parties import Issuer, Party, Tax

ISSUER = Issuer(
    issuer="acme",
    name="Acme Łódź sp. z o.o.",
    address=("ul. Prosta 1", "00-838 Warszawa"),
    country="PL",
    vat_id="PL5260001246",
    prefix="SB",
    zone="Europe/Warsaw",
    programmes=("crm-sales",),
)
SUPPLIER = Party(
    id="partner:ann",
    name="Ação & Irmãos *Ltda* #x",
    address=("Rua A, 1", "Lisboa"),
    country="PT",
    vat_id="PT123456789",
)
STANDARD = Tax(kind="standard", rate_ppm=230_000)
PARTS = (Part("crm-sales", "commission", "2026-10", 105_400), Part("crm-sales", "spiff", "2026-11", -5_000))


def drafted(reference: str = "payout/1", **changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "issuer": ISSUER.party,
        "supplier": SUPPLIER,
        "tax": STANDARD,
        "language": "en",
        "currency": "EUR",
        "decimals": 2,
        "parts": PARTS,
        "supplied": ("2026-10-01", "2026-11-03"),
        "payout": "crm-sales/EUR/2026-11",
        "settlement": Settlement(fee_minor=100, paid_minor=112_345, currency="USD", decimals=2, rate="EUR/USD 1.12"),
    }
    return draft(reference, **(fields | changes))


def issued(reference: str = "payout/1", *, no: int = 1, **changes: Any) -> Invoice:
    return numbered(drafted(reference, **changes), prefix="SB", year=2026, no=no, issued_on="2026-11-03")
