"""Payees, schedules, amounts and bank text, as tables."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.rewards.payouts.bank_ids import iban_fault, masked, normal_iban
from services.rewards.payouts.conversion import PublishedRate, applied_rate
from services.rewards.payouts.latin import bank_text
from services.rewards.payouts.payee import Payee, Tax, account_shown, decode_payee, encode_payee, payee_faults, shown
from services.rewards.payouts.plan import Payer, Plan, Terms, plan_faults
from services.rewards.payouts.schedule import is_schedule, newest_due
from tests.support.payouts import IBAN, payee

RIGHT_IBANS = """
DE89 3704 0044 0532 0130 00
GB29 NWBK 6016 1331 9268 19
NO93 8601 1117 947
MT84 MALT 0110 0001 2345 MTLC AST0 01S
PL61 1090 1014 0000 0712 1981 2874
BR18 0036 0305 0000 1000 9795 493C 1
""".strip().splitlines()
WRONG_IBANS = [
    ("DE89370400440532013001", "check digits"),
    ("DE98370400440532013000", "check digits"),
    ("DE8937040044053201300", "22 characters, not 21"),
    ("US89370400440532013000", "no bank in US"),
    ("DE89 3704", "two letters"),
    ("", "two letters"),
]


@pytest.mark.parametrize("iban", RIGHT_IBANS)
def test_an_iban_of_the_registry_is_right(iban: str) -> None:
    assert iban_fault(normal_iban(iban)) is None


@pytest.mark.parametrize(("iban", "why"), WRONG_IBANS)
def test_a_wrong_iban_is_told_from_a_right_one(iban: str, why: str) -> None:
    assert why in (iban_fault(iban) or "")


PAYEES = [
    ({}, set()),
    ({"iban": "FR1420041010050500013M02606", "bic": "PSSTFRPPPAR"}, set()),
    ({"method": "swift", "currency": "USD", "bic": "CHASUS33", "iban": None, "account": "000123456789"}, set()),
    ({"method": "manual", "currency": "JPY", "iban": None}, set()),
    ({"iban": None}, {"iban"}),
    ({"currency": "USD"}, {"currency"}),
    ({"iban": "BR1800360305000010009795493C1"}, {"iban"}),
    ({"method": "swift", "iban": None}, {"bic", "account"}),
    ({"method": "cheque"}, {"method"}),
    ({"currency": "POINTS", "method": "manual"}, {"currency"}),
    ({"beneficiary": "programme:crm-sales"}, {"programme:crm-sales:available", "beneficiary"}),
    ({"name": " ", "country": "Germany", "bic": "DEUT"}, {"name", "country", "bic"}),
    ({"name": "Ann\nBob"}, {"name"}),
    ({"tax": Tax(legal_name="Ann GmbH", scheme="standard", rate_ppm=190_000, vat_id="DE811193231")}, set()),
    ({"tax": Tax(legal_name="Ann", scheme="standard")}, {"tax.rate_ppm"}),
    ({"tax": Tax(legal_name="Ann", scheme="exempt")}, {"tax.exempt_reason"}),
]


@pytest.mark.parametrize(("fields", "faults"), PAYEES)
def test_everything_that_is_wrong_with_a_payee_is_told_at_once(fields: dict[str, Any], faults: set[str]) -> None:
    assert {problem.where for problem in payee_faults(payee(**fields))} == faults


def test_a_payee_is_kept_whole_and_shown_without_its_number() -> None:
    whole = payee(tax=Tax(legal_name="Ann GmbH", address=("Weg 1", "10115 Berlin"), country="DE"))
    assert decode_payee(encode_payee(whole)) == whole
    assert IBAN not in str(shown(whole))
    assert account_shown(whole) == "DE89…3000"
    assert [masked(number) for number in ("12345", "123")] == ["…45", "…"]
    assert account_shown(Payee(beneficiary="partner:a", method="manual", currency="EUR", name="a", country="DE")) == ""


DUE = [
    ("monthly on 5", "2026-03-05", "2026-03-05"),
    ("monthly on 5", "2026-03-04", "2026-02-05"),
    ("monthly on 31", "2026-03-04", "2026-02-28"),
    ("monthly on last", "2028-03-01", "2028-02-29"),
    ("monthly on 1", "2026-01-01", "2026-01-01"),
    ("monthly on 2", "2026-01-01", None),
    ("weekly on monday", "2026-03-05", "2026-03-02"),
    ("weekly on thursday", "2026-03-05", "2026-03-05"),
    ("daily", "2026-03-05", "2026-03-05"),
    ("on request", "2026-03-05", None),
]


@pytest.mark.parametrize(("schedule", "today", "due"), DUE)
def test_the_newest_day_that_is_due(schedule: str, today: str, due: str | None) -> None:
    assert is_schedule(schedule)
    found = newest_due(schedule, date.fromisoformat(today), since=date(2026, 1, 1))
    assert (found.isoformat() if found else None) == due


@pytest.mark.parametrize("schedule", ["monthly", "monthly on 32", "monthly on 0", "weekly on Monday", "yearly", ""])
def test_what_is_no_schedule(schedule: str) -> None:
    assert not is_schedule(schedule)


def test_everything_that_is_wrong_with_a_plan_is_told_at_once() -> None:
    good = Plan(programme="p", currency="EUR", schedule="daily", zone="Europe/Berlin")
    assert plan_faults(good) == []
    payer = Payer(name="", iban="DE1", bic="x")
    terms = Terms(minimum_minor=-1, fee_minor=-1, fee_borne_by="me", method="cash", payer=payer)  # type: ignore[arg-type]  # what people write
    bad = Plan(programme="a b", currency="POINTS", schedule="often", zone="Berlin", terms=terms)
    assert [problem.where for problem in plan_faults(bad)] == [
        *("programme", "currency", "schedule", "zone", "minimum", "fee", "fee_borne_by", "method"),
        *("payer.name", "payer.iban", "payer.bic"),
    ]


def published(pair: str, rate: str, day: int) -> PublishedRate:
    base, quote = pair.split("/")
    return PublishedRate(base, quote, date(2026, 3, day), rate, "goodword/rules")


RATES = [
    # Decimals are those of ISO 4217: none of JPY, three of KWD. Both ways: the newer one counts, else the direct one.
    ("USD", "JPY", ("USD/JPY", "150.5", 1), None, 10_000, 15_050),
    ("JPY", "KWD", None, ("KWD/JPY", "490", 1), 1_000, 2_041),
    ("KWD", "EUR", ("KWD/EUR", "3", 1), None, 1_001, 300),
    ("EUR", "USD", ("EUR/USD", "1.1", 1), ("USD/EUR", "0.5", 2), 100, 200),
    ("EUR", "USD", ("EUR/USD", "1.1", 2), ("USD/EUR", "0.5", 2), 100, 110),
    # Half-even: 0.5 and 1.5 minor units.
    ("EUR", "USD", ("EUR/USD", "0.5", 1), None, 1, 0),
    ("EUR", "USD", ("EUR/USD", "0.5", 1), None, 3, 2),
]


@pytest.mark.parametrize(("unit", "currency", "direct", "inverse", "minor", "paid"), RATES)
def test_what_a_balance_is_in_the_currency_of_its_payee(
    unit: str,
    currency: str,
    direct: tuple[str, str, int] | None,
    inverse: tuple[str, str, int] | None,
    minor: int,
    paid: int,
) -> None:
    rate = applied_rate(published(*direct) if direct else None, published(*inverse) if inverse else None, currency)
    assert rate is not None
    assert rate.of(minor) == paid, unit


def test_there_is_no_rate_where_none_is_told() -> None:
    assert applied_rate(None, None, "EUR") is None


TEXTS = [
    ("Müller & Söhne GmbH", "Muller + Sohne GmbH"),
    ("Łódź Straße", "Lodz Strasse"),
    ("//a//b/", "a/b"),
    ("株式会社", "...."),
    ("a\tb\n c", "a b c"),
    ("Anaïs O'Neil (x)", "Anais O'Neil (x)"),
    ("", "."),
    ("x" * 80, "x" * 70),
]


@pytest.mark.parametrize(("text", "taken"), TEXTS)
def test_banks_get_the_characters_that_they_take(text: str, taken: str) -> None:
    assert bank_text(text, 70) == taken
