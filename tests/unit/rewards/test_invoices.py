"""Invoices as data: every cent is in one line, the tax is what the rate says, and what is stored can be read again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvariantBroken, PermanentError
from services.rewards.papers.invoice import (
    Part,
    credit,
    decode,
    digest,
    encode,
    net_of,
    shared_out,
)
from services.rewards.papers.parties import Party, Tax, is_vat_id, issuer_faults
from tests.support.papers import ISSUER, STANDARD, SUPPLIER, drafted, issued

amounts = st.integers(-(10**12), 10**12)
taxes = st.builds(Tax, kind=st.just("standard"), rate_ppm=st.integers(0, 1_000_000))


@given(st.lists(amounts, min_size=1, max_size=30), taxes)
def test_net_amounts_of_lines_sum_to_the_net_amount_of_the_total(grosses: list[int], tax: Tax) -> None:
    lines = shared_out([Part("p", "r", "", gross) for gross in grosses], tax)
    assert [line.gross_minor for line in lines] == grosses
    assert sum(line.net_minor for line in lines) == net_of(sum(grosses), tax)
    assert all(abs(line.net_minor - net_of(line.gross_minor, tax)) <= 1 for line in lines)


@given(st.integers(1, 10**15), taxes)
def test_the_tax_is_that_of_the_rate_within_half_a_minor_unit(gross_minor: int, tax: Tax) -> None:
    net_minor = net_of(gross_minor, tax)
    assert abs(net_minor * (1_000_000 + tax.rate_ppm) - gross_minor * 1_000_000) * 2 <= 1_000_000 + tax.rate_ppm


@pytest.mark.parametrize(
    ("gross", "rate_ppm", "net"),
    [(12_300, 230_000, 10_000), (100_400, 230_000, 81_626), (3, 1_000_000, 2), (1, 1_000_000, 0), (5, 0, 5)],
)
def test_half_of_a_minor_unit_goes_to_the_even_one(gross: int, rate_ppm: int, net: int) -> None:
    assert net_of(gross, Tax(kind="standard", rate_ppm=rate_ppm)) == net


def test_an_invoice_adds_up() -> None:
    invoice = issued()
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (81_626, 18_774, 100_400)
    assert invoice.number == "SB-2026-000001"


@given(st.lists(st.integers(1, 50_000), min_size=1, max_size=5))
def test_credit_notes_of_an_invoice_take_its_tax_back_exactly(parts: list[int]) -> None:
    invoice = issued()
    taken, tax_minor = 0, 0
    for part in [*parts, None]:
        if part is not None and taken + part >= invoice.gross_minor:
            continue
        note = credit(invoice, credited_minor=taken, gross_minor=part, reference="r", reason="returned")
        taken += note.gross_minor
        tax_minor += note.tax_minor
        assert note.corrects is not None
        assert note.corrects.number == invoice.number
    assert (taken, tax_minor) == (invoice.gross_minor, invoice.tax_minor)


@pytest.mark.parametrize(("credited", "amount"), [(100_400, None), (0, 100_401), (400, 100_001), (0, 0), (0, -1)])
def test_no_more_is_credited_than_is_left(credited: int, amount: int | None) -> None:
    with pytest.raises(PermanentError, match="are left of it"):
        credit(issued(), credited_minor=credited, gross_minor=amount, reference="r", reason="x")


def test_a_credit_note_has_no_credit_note() -> None:
    note = credit(issued(), credited_minor=0, gross_minor=None, reference="r", reason="x")
    again = msgspec.convert({**msgspec.to_builtins(issued()), **msgspec.to_builtins(note)}, type(issued()))
    with pytest.raises(PermanentError, match="is credit-note"):
        credit(again, credited_minor=0, gross_minor=None, reference="r2", reason="x")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"supplier": msgspec.structs.replace(SUPPLIER, address=())}, "address: a party has a full address"),
        ({"supplier": msgspec.structs.replace(SUPPLIER, vat_id="")}, "who charges tax has a VAT number"),
        ({"supplier": msgspec.structs.replace(SUPPLIER, vat_id="PT12345678")}, "is no VAT number of PT"),
        ({"supplier": msgspec.structs.replace(SUPPLIER, country="pt")}, "'pt' is no country"),
        ({"supplier": msgspec.structs.replace(SUPPLIER, name="a\nb")}, "a party has a full name"),
        (
            {"tax": Tax(kind="reverse-charge"), "issuer": msgspec.structs.replace(ISSUER.party, vat_id="")},
            "the VAT numbers of both",
        ),
        ({"tax": Tax(kind="exempt")}, "an exemption says on what it rests"),
        ({"tax": Tax(kind="exempt", reason="x", rate_ppm=1)}, "exempt has no rate"),
        ({"tax": Tax(kind="standard", rate_ppm=1_000_001)}, "1000001 is no rate"),
        ({"parts": []}, "more than nothing"),
        ({"parts": [Part("p", "r", "", -5)]}, "more than nothing"),
    ],
)
def test_what_the_law_wants_to_see_must_be_there(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PermanentError) as raised:
        drafted(**changes)
    assert said in raised.value.problem.message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(PermanentError) as raised:
        drafted(supplier=Party(id="partner:x", name="", address=(), country=""))
    assert raised.value.problem.message.count(";") == 3


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"prefix": "lower"}, "prefix"),
        ({"prefix": ""}, "prefix"),
        ({"zone": "Mars/Base"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"language": "xx"}, "language"),
        ({"programmes": ()}, "programmes"),
        ({"programmes": ("a", "a")}, "programmes[1]"),
        ({"issuer": "a:b"}, "issuer"),
        ({"vat_id": "DE123"}, "vat_id"),
        ({"tax_id": "a\nb"}, "tax_id"),
    ],
)
def test_an_issuers_data_are_checked(changes: dict[str, Any], where: str) -> None:
    assert issuer_faults(ISSUER) == []
    assert where in [fault.where for fault in issuer_faults(msgspec.structs.replace(ISSUER, **changes))]


@pytest.mark.parametrize(
    ("vat_id", "country", "is_one"),
    [
        ("PL5260001246", "PL", True),
        ("5260001246", "PL", False),
        ("EL123456789", "GR", True),
        ("GR123456789", "GR", False),
        ("XI123456789", "GB", True),
        ("GB123456789", "GB", True),
        ("ATU12345678", "AT", True),
        ("NL123456789B01", "NL", True),
        ("DE12345678", "DE", False),
        ("01.234.567.8-901.000", "ID", True),
        ("12.345.678/0001-95", "BR", True),
        ("<x>", "BR", False),
    ],
)
def test_vat_numbers_have_the_form_of_their_country(vat_id: str, country: str, is_one: bool) -> None:
    assert is_vat_id(vat_id, country) is is_one


def test_what_is_stored_is_read_again_and_its_bytes_are_frozen() -> None:
    """A change here makes stored papers unreadable, or their hashes wrong: add a format instead."""
    invoice = issued()
    assert decode(encode(invoice)) == invoice
    assert digest(encode(invoice)) == "aeddcc2b05dfefb1e44003bcd5c7aee8b183edc288b6f93debdf3366e9fcde48"
    with pytest.raises(InvariantBroken, match="format 2"):
        decode(encode(invoice).replace(b'"format":1', b'"format":2'))
    with pytest.raises(InvariantBroken, match="cannot be read"):
        decode(b"{}")


def test_a_tax_that_no_rate_has_changes_nothing() -> None:
    assert issued(tax=Tax(kind="outside")).tax_minor == 0
    assert issued(tax=STANDARD).tax_minor > 0
