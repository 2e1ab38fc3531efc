"""Numbers of bank accounts and of banks: what is wrong with an IBAN (ISO 13616) or a BIC (ISO 9362). Pure.

An IBAN is right when its country uses IBANs, its length is that country's, and its check digits agree (ISO 7064,
MOD 97-10): so two digits swapped by mistake are noticed, an account that does not exist is not.
"""

from __future__ import annotations

import re
from typing import Final

# The registry of ISO 13616, by SWIFT: country and length.
_IBAN_LENGTHS: Final = {
    entry[:2]: int(entry[2:])
    for entry in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    ).split()
}
SEPA_COUNTRIES: Final = frozenset(
    (
        "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO "
        "RS SE SI SK SM VA"
    ).split()
)
"""Whose IBANs a SEPA credit transfer reaches: the list of the European Payments Council (EPC409-09)."""

_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC: Final = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)


def normal_iban(text: str) -> str:
    """As it travels between machines: without the blanks that it is printed with."""
    return "".join(text.split()).upper()


def iban_fault(iban: str) -> str | None:
    """What is wrong with it, in words that do not repeat it; None when it is right."""
    if not _IBAN.fullmatch(iban):
        return "an IBAN is a country's two letters, two check digits, then letters and digits"
    length = _IBAN_LENGTHS.get(iban[:2])
    if length is None:
        return f"no bank in {iban[:2]} has IBANs"
    if len(iban) != length:
        return f"an IBAN of {iban[:2]} has {length} characters, not {len(iban)}"
    digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return None if int(digits) % 97 == 1 else "its check digits do not agree with the rest: some character is mistyped"


def bic_fault(bic: str) -> str | None:
    """What is wrong with it; None when it has the form of one."""
    return None if _BIC.fullmatch(bic) else "a BIC has 8 or 11 characters, the first six of them letters"


def masked(number: str) -> str:
    """As it may be shown: enough to recognise it, too little to use it."""
    if len(number) < 10:
        return "…" + number[-2:] if len(number) > 4 else "…"
    return f"{number[:4]}…{number[-4:]}"
