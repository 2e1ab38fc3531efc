"""How a beneficiary is paid, and what tax law wants to know of whoever is. Pure.

Promises: `payee_faults` finds everything that would keep a bank from paying, at once; what is shown or logged of a
payee (`shown`) never holds a whole account number.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, get_args

import msgspec

from contracts.errors import Problem
from contracts.money import PPM, is_currency
from services.rewards import chart
from services.rewards.payouts.bank_ids import SEPA_COUNTRIES, bic_fault, iban_fault, masked

Method = Literal["sepa", "swift", "manual"]
"""`sepa`: a credit transfer in euro; `swift`: any other bank transfer; `manual`: by somebody, from the CSV file."""
TaxScheme = Literal["standard", "reverse-charge", "exempt", "outside"]
"""What is owed on it: the tax of the rate, by whoever receives the service, none by law, or nothing to do with tax."""

METHODS: Final = get_args(Method)
TAX_SCHEMES: Final = get_args(TaxScheme)
NAME_LENGTH_MAX: Final = 140
"""`Max140Text` of ISO 20022, for a party's name."""
ADDRESS_LINES_MAX: Final = 7
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9 ./-]{1,34}", re.ASCII)
_VAT_ID: Final = re.compile(r"[A-Z0-9][A-Z0-9 ./-]{1,31}", re.ASCII)


class Tax(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What papers say of a payee.

    Attributes:
        legal_name, address, country: As in the commercial register; the address in lines.
        vat_id: With its country's letters: `DE811193231`. None without one.
        scheme: See TaxScheme.
        rate_ppm: Of `standard`, in millionths: 19 % is 190000.
        exempt_reason: Of `exempt`: the words that the law wants on an invoice.
    """

    legal_name: str
    address: tuple[str, ...] = ()
    country: str = ""
    vat_id: str | None = None
    scheme: TaxScheme = "outside"
    rate_ppm: int = 0
    exempt_reason: str = ""


class Payee(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How, and in which currency, one beneficiary is paid.

    Attributes:
        beneficiary: `partner:moses-frase`.
        currency: What the bank is told to pay in; balances of another one are converted.
        name, country: Of the holder of the account.
        iban, bic: `sepa` needs an IBAN; `swift` a BIC, and an IBAN or an account number.
        account: Where banks have no IBANs.
    """

    beneficiary: str
    method: Method
    currency: str
    name: str
    country: str
    iban: str | None = None
    bic: str | None = None
    account: str | None = None
    tax: Tax | None = None


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Payee)


def encode_payee(payee: Payee) -> str:
    return _encoder.encode(payee).decode()


def decode_payee(text: str) -> Payee:
    return _decoder.decode(text)


def payee_faults(payee: Payee) -> list[Problem]:
    """Everything that is wrong with it; account numbers are not repeated."""
    found = [problem for problem in (chart.fault(f"{payee.beneficiary}:available"),) if problem]
    if payee.beneficiary.startswith("programme:"):
        found.append(_bad("beneficiary", "a programme is nobody's partner", "write partner:…, customer:… or member:…"))
    if payee.method not in METHODS:
        found.append(_bad("method", f"{payee.method!r} is no way to pay", f"write one of {', '.join(METHODS)}"))
    if not is_currency(payee.currency):
        found.append(_bad("currency", f"{payee.currency!r} is not a currency of ISO 4217", "write one like EUR"))
    found += _text_faults("name", payee.name, is_needed=True)
    if not _COUNTRY.fullmatch(payee.country):
        found.append(_bad("country", f"{payee.country!r} is not a country", "write the two letters of ISO 3166: DE"))
    if payee.iban is not None and (reason := iban_fault(payee.iban)):
        found.append(_bad("iban", reason, "copy it from the bank's own papers"))
    if payee.bic is not None and (reason := bic_fault(payee.bic)):
        found.append(_bad("bic", reason, "copy it from the bank's own papers"))
    if payee.account is not None and not _ACCOUNT.fullmatch(payee.account):
        found.append(
            _bad("account", "an account number has 1 to 34 letters, digits, blanks, dots, slashes, hyphens", "")
        )
    found += _method_faults(payee)
    return found + ([] if payee.tax is None else _tax_faults(payee.tax))


def shown(payee: Payee) -> dict[str, Any]:
    """As lists and logs have it: numbers masked."""
    fields: dict[str, Any] = msgspec.to_builtins(payee)
    for name in ("iban", "account"):
        if fields.get(name):
            fields[name] = masked(fields[name])
    return fields


def account_shown(payee: Payee) -> str:
    """The account in one word, masked."""
    return masked(payee.iban or payee.account or "") if payee.iban or payee.account else ""


def _method_faults(payee: Payee) -> list[Problem]:
    if payee.method == "sepa":
        found = []
        if payee.iban is None:
            found.append(_bad("iban", "sepa needs an IBAN", "or pay by swift, or by hand (manual)"))
        elif payee.iban[:2] not in SEPA_COUNTRIES:
            found.append(_bad("iban", f"sepa does not reach banks in {payee.iban[:2]}", "pay by swift"))
        if payee.currency != "EUR":
            found.append(_bad("currency", "sepa pays in EUR only", "pay in EUR, or by swift"))
        return found
    if payee.method == "swift":
        found = [] if payee.bic else [_bad("bic", "swift needs the bank's BIC", "")]
        if not payee.iban and not payee.account:
            found.append(_bad("account", "swift needs an IBAN or an account number", ""))
        return found
    return []


def _tax_faults(tax: Tax) -> list[Problem]:
    found = _text_faults("tax.legal_name", tax.legal_name, is_needed=True)
    if len(tax.address) > ADDRESS_LINES_MAX:
        found.append(_bad("tax.address", f"an address has at most {ADDRESS_LINES_MAX} lines", ""))
    for line in tax.address:
        found += _text_faults("tax.address", line, is_needed=False)
    if tax.country and not _COUNTRY.fullmatch(tax.country):
        found.append(_bad("tax.country", f"{tax.country!r} is not a country", "write the two letters of ISO 3166: DE"))
    if tax.vat_id is not None and not _VAT_ID.fullmatch(tax.vat_id):
        found.append(_bad("tax.vat_id", f"{tax.vat_id!r} is not a VAT id", "write it with its country: DE811193231"))
    if tax.scheme not in TAX_SCHEMES:
        found.append(_bad("tax.scheme", f"{tax.scheme!r} is no scheme", f"write one of {', '.join(TAX_SCHEMES)}"))
    if not 0 <= tax.rate_ppm <= PPM or (tax.rate_ppm > 0) != (tax.scheme == "standard"):
        found.append(_bad("tax.rate_ppm", "a rate is of the scheme standard, above 0 and up to 100 %", ""))
    if tax.scheme == "exempt" and not tax.exempt_reason:
        found.append(_bad("tax.exempt_reason", "an exemption says by which law", "such as: § 19 UStG"))
    return found + _text_faults("tax.exempt_reason", tax.exempt_reason, is_needed=False)


def _text_faults(where: str, text: str, *, is_needed: bool) -> list[Problem]:
    if is_needed and not text.strip():
        return [_bad(where, "it is empty", "")]
    if len(text) > NAME_LENGTH_MAX or not text.isprintable():
        return [_bad(where, f"it is longer than {NAME_LENGTH_MAX} characters, or has some that nobody sees", "")]
    return []


def _bad(where: str, message: str, help: str) -> Problem:
    return Problem(code="bad-payee", message=message, where=where, help=help)
