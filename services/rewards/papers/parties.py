"""Who stands on an invoice: the operator of a programme, who issues it, and the partner, who supplies; and the tax.

Pure. Self-billing (Directive 2006/112/EC, Article 224): the customer writes the invoice in the name of the supplier. So
the partner is the supplier here, and the operator, for whom it worked, the customer and the issuer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from contracts.errors import Problem
from contracts.ids import is_id
from contracts.money import PPM
from services.rewards.papers.speaker import LANGUAGES

LINES_MAX: Final = 6
TEXT_LENGTH_MAX: Final = 200
TaxKind = Literal["standard", "reverse-charge", "exempt", "outside"]

_PREFIX: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,11}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_OTHER_TAX_ID: Final = re.compile(r"[A-Z0-9][A-Z0-9 ./-]{1,31}", re.ASCII | re.IGNORECASE)
_VAT_ID_OF: Final = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"\d{9}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
    "FI": r"\d{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"\d[A-Z0-9+*]\d{5}[A-Z]{1,2}",
    "IT": r"\d{11}",
    "LT": r"(\d{9}|\d{12})",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "NL": r"[A-Z0-9+*]{12}",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"\d{2,10}",
    "SE": r"\d{12}",
    "SI": r"\d{8}",
    "SK": r"\d{10}",
    "XI": r"(\d{9}|\d{12}|GD\d{3}|HA\d{3})",
}
"""What follows the prefix of the member state (VIES), Greece's being EL and Northern Ireland's XI."""


class Tax(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the supplier is taxed.

    Attributes:
        kind: `standard`: at `rate_ppm`; `reverse-charge`: the customer owes it (Article 196); `exempt`: none by law;
            `outside`: the supply, or its place, is nothing to do with the tax.
        rate_ppm: 230,000 is 23 %; 0 is the zero rate.
        reason: Of an exemption: the provision it rests on (Article 226(11)).
    """

    kind: TaxKind
    rate_ppm: int = 0
    reason: str = ""


class Party(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A party of an invoice.

    Attributes:
        id: `partner:moses-frase`, or the issuer's id.
        address: Lines as they are printed, without the country.
        country: ISO 3166-1, two letters.
        vat_id: With its country prefix; of a country without VAT, what stands in its place.
        tax_id: Another number that the law of its country wants to see (NIP, NPWP, CNPJ, a register's).
    """

    id: str
    name: str
    address: tuple[str, ...]
    country: str
    vat_id: str = ""
    tax_id: str = ""


class Issuer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The operator of programmes, as finance writes it down.

    Attributes:
        prefix: Begins the numbers of its invoices (`SB-2026-000001`); stays once one is issued.
        zone: Whose days are the days of issue.
        programmes: Whose invoices it issues.
        language: Of its papers.
    """

    issuer: str
    name: str
    address: tuple[str, ...]
    country: str
    prefix: str
    programmes: tuple[str, ...]
    zone: str = "UTC"
    language: str = "en"
    vat_id: str = ""
    tax_id: str = ""

    @property
    def party(self) -> Party:
        return Party(
            id=self.issuer,
            name=self.name,
            address=self.address,
            country=self.country,
            vat_id=self.vat_id,
            tax_id=self.tax_id,
        )


def issuer_faults(issuer: Issuer) -> list[Problem]:
    """All that is wrong with an issuer's data, in the order of its fields."""
    return [*_issuer_faults(issuer), *party_faults(issuer.party)]


def _issuer_faults(issuer: Issuer) -> Iterator[Problem]:
    if not is_id(issuer.issuer):
        yield _fault("issuer", f"{issuer.issuer!r} is no id", "1–128 of A–Z a–z 0–9 . _ ~ / @ + -")
    if not _PREFIX.fullmatch(issuer.prefix):
        yield _fault("prefix", f"{issuer.prefix!r} cannot begin a number", "1–12 of A–Z 0–9 -, like SB")
    try:
        ZoneInfo(issuer.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield _fault("zone", f"there is no time zone {issuer.zone!r}", "one like Europe/Warsaw")
    if issuer.language not in LANGUAGES:
        yield _fault("language", f"there are no papers in {issuer.language!r}", f"one of {', '.join(LANGUAGES)}")
    if not issuer.programmes:
        yield _fault("programmes", "it issues for no programme", "list at least one")
    for index, programme in enumerate(issuer.programmes):
        if not is_id(programme) or programme in issuer.programmes[:index]:
            yield _fault(
                f"programmes[{index}]", f"{programme!r} is no id, or is there twice", "each once, as events say"
            )


def party_faults(party: Party) -> list[Problem]:
    """What an invoice could not say of a party."""
    return list(_party_faults(party))


def _party_faults(party: Party) -> Iterator[Problem]:
    if not _is_line(party.name):
        yield _fault("name", "a party has a full name", f"one line of up to {TEXT_LENGTH_MAX} characters")
    if not 1 <= len(party.address) <= LINES_MAX or not all(map(_is_line, party.address)):
        yield _fault("address", "a party has a full address", f"1 to {LINES_MAX} lines, without the country")
    if not _COUNTRY.fullmatch(party.country):
        yield _fault("country", f"{party.country!r} is no country", "two letters of ISO 3166-1, like PL")
    if party.vat_id and not is_vat_id(party.vat_id, party.country):
        yield _fault("vat_id", f"{party.vat_id!r} is no VAT number of {party.country}", "with its country's prefix")
    if party.tax_id and not _is_line(party.tax_id):
        yield _fault("tax_id", "not one line of text", f"up to {TEXT_LENGTH_MAX} characters")


def tax_faults(tax: Tax, supplier: Party, customer: Party) -> list[Problem]:
    """What keeps two parties from being invoiced like this."""
    return list(_tax_faults(tax, supplier, customer))


def _tax_faults(tax: Tax, supplier: Party, customer: Party) -> Iterator[Problem]:
    if not 0 <= tax.rate_ppm <= PPM:
        yield _fault("tax.rate_ppm", f"{tax.rate_ppm} is no rate", "millionths: 230000 is 23 %")
    elif tax.kind != "standard" and tax.rate_ppm:
        yield _fault("tax.rate_ppm", f"{tax.kind} has no rate", "leave it out")
    if tax.kind == "standard" and tax.rate_ppm and not supplier.vat_id:
        yield _fault("vat_id", "who charges tax has a VAT number", "set the payee's, or its tax as exempt")
    if tax.kind == "reverse-charge" and not (supplier.vat_id and customer.vat_id):
        yield _fault("vat_id", "a reverse charge needs the VAT numbers of both", "set the payee's and the issuer's")
    if tax.kind == "exempt" and not _is_line(tax.reason):
        yield _fault("tax.reason", "an exemption says on what it rests", "like: Article 113 of the Polish VAT Act")


def is_vat_id(text: str, country: str) -> bool:
    """Whether it has the form of a VAT number: of a member state by its pattern, elsewhere any number."""
    prefix = {"GR": "EL"}.get(country, country)
    pattern = _VAT_ID_OF.get(text[:2] if text[:2] in ("XI", prefix) else prefix)
    if pattern is None:
        return _OTHER_TAX_ID.fullmatch(text) is not None
    return re.fullmatch(f"({prefix}|XI){pattern}", text, re.ASCII) is not None


def _is_line(text: str) -> bool:
    return bool(text.strip()) and len(text) <= TEXT_LENGTH_MAX and text.isprintable()


def _fault(where: str, message: str, help: str) -> Problem:
    return Problem(code="paper-field-malformed", message=message, where=where, help=help)
