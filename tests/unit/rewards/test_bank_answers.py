"""Files of banks are read whatever their version and columns, and what cannot be meant is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import PermanentError
from services.rewards.payouts.bank.camt053 import read_camt053
from services.rewards.payouts.bank.entry import Entry, minor_of, payout_named
from services.rewards.payouts.bank.pain002 import read_pain002
from services.rewards.payouts.bank.statement_csv import read_csv, read_mapping
from services.rewards.payouts.bank.xml import kind_of

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/bank-statement.yaml"
ID = "019b7a0c-1c00-8123-9abc-0123456789ab"
PLAIN = ID.replace("-", "")

NAMED = [
    (PLAIN, ID),
    (PLAIN.upper(), ID),
    (f"EREF+{PLAIN} SVWZ+crm-sales/EUR", ID),
    ("NOTPROVIDED", None),
    (f"a{PLAIN}", None),
    (PLAIN.replace("8123", "4123"), None),
    ("", None),
]


@pytest.mark.parametrize(("text", "id"), NAMED)
def test_a_payout_is_known_by_its_end_to_end_id(text: str, id: str | None) -> None:
    assert payout_named(text) == id


MINORS = [("12.50", "EUR", 1_250), ("-12.5", "EUR", -1_250), ("1200", "JPY", 1_200), ("1.200", "KWD", 1_200)]
MINORS += [("+3", "EUR", 300), ("3.5000", "EUR", 350)]


@pytest.mark.parametrize(("text", "currency", "minor"), MINORS)
def test_an_amount_has_the_decimals_of_its_currency(text: str, currency: str, minor: int) -> None:
    assert minor_of(text, currency, "here") == minor


@pytest.mark.parametrize(("text", "currency"), [("1.234", "EUR"), ("1", "POINTS"), ("one", "EUR"), ("1e3", "EUR")])
def test_an_amount_that_is_none_is_refused_with_its_place(text: str, currency: str) -> None:
    with pytest.raises(PermanentError, match="here: "):
        minor_of(text, currency, "here")


def camt(*entries: str, version: str = "08") -> str:
    return (
        f'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>m</MsgId></GrpHdr><Stmt><Id>s</Id>{''.join(entries)}</Stmt>"
        "</BkToCstmrStmt></Document>"
    )


def booked(
    id: str, amount: str = "12.50", side: str = "DBIT", *, status: str = "<Sts><Cd>BOOK</Cd></Sts>", more: str = ""
) -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{status}'
        "<BookgDt><Dt>2026-03-06</Dt></BookgDt><AcctSvcrRef>B1</AcctSvcrRef><NtryDtls><TxDtls>"
        f"<Refs><EndToEndId>{id}</EndToEndId></Refs>{more}</TxDtls></NtryDtls></Ntry>"
    )


def test_a_statement_tells_what_went_out_what_came_back_and_each_payment_of_a_batch(tmp_path: Path) -> None:
    reason = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed</AddtlInf></RtrInf>"
    part = f'<TxDtls><Refs><EndToEndId>{PLAIN}</EndToEndId></Refs><Amt Ccy="EUR">1.00</Amt></TxDtls>'
    batch = (
        '<Ntry><Amt Ccy="EUR">2.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>'
        f"<BookgDt><DtTm>2026-03-07T10:00:00</DtTm></BookgDt><NtryDtls>{part}{part}</NtryDtls></Ntry>"
    )
    fee = '<Ntry><Amt Ccy="EUR">0.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts></Ntry>'
    text = camt(
        booked(PLAIN),
        booked(PLAIN, side="CRDT", more=reason),
        booked(PLAIN, status="<Sts>PDNG</Sts>"),
        booked(PLAIN, more='<AmtDtls><TxAmt><Amt Ccy="EUR">3.00</Amt></TxAmt></AmtDtls>'),
        batch,
        fee,
    )
    file = tmp_path / "statement.xml"
    file.write_text(text)
    told = [(e.payout, e.answer, e.amount_minor, e.day, e.reference, e.reason) for e in read_camt053(file)]
    assert told == [
        (ID, "paid", 1_250, "2026-03-06", "B1", ""),
        (ID, "returned", 1_250, "2026-03-06", "B1", "AC04 closed"),
        (ID, "paid", 300, "2026-03-06", "B1", ""),
        (ID, "paid", 100, "2026-03-07", "", ""),
        (ID, "paid", 100, "2026-03-07", "", ""),
        (None, "paid", 50, "", "", ""),
    ]
    assert kind_of(file) == "camt.053"


def test_a_status_report_tells_what_is_settled_rejected_or_on_its_way(tmp_path: Path) -> None:
    def one(status: str, more: str = "") -> str:
        return f"<TxInfAndSts><OrgnlEndToEndId>{PLAIN}</OrgnlEndToEndId><TxSts>{status}</TxSts>{more}</TxInfAndSts>"

    why = "<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn><AddtlInf>no such account</AddtlInf></StsRsnInf>"
    amount = '<OrgnlTxRef><Amt><InstdAmt Ccy="EUR">12.50</InstdAmt></Amt></OrgnlTxRef>'
    file = tmp_path / "status.xml"
    file.write_text(
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr/>'
        "<OrgnlGrpInfAndSts/><OrgnlPmtInfAndSts>"
        f"{one('ACSC', amount)}{one('RJCT', why)}{one('ACSP')}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    )
    assert [(e.answer, e.amount_minor, e.currency, e.reason) for e in read_pain002(file)] == [
        ("paid", 1_250, "EUR", ""),
        ("returned", None, "", "AC01 no such account"),
        ("pending", None, "", ""),
    ]
    assert kind_of(file) == "pain.002"


BAD_XML = [
    ("<Document><Ntry>", "not XML"),
    ('<!DOCTYPE x [<!ENTITY a "aaa">]><Document/>', "document type"),
    (camt(booked(PLAIN, amount="12,50")), "entry 1: .* is no amount"),
]


@pytest.mark.parametrize(("text", "message"), BAD_XML)
def test_a_statement_that_is_none_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "statement.xml"
    file.write_text(text)
    with pytest.raises(PermanentError, match=message):
        list(read_camt053(file))


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.xml"
    file.write_text("<Document/>")
    with pytest.raises(PermanentError, match="neither a statement"):
        kind_of(file)


CSV = (
    "Buchungstag;Betrag;Währung;Verwendungszweck;Referenz;Rückgabegrund\r\n"
    f"06.03.2026;-1.234,50;EUR;EREF+{PLAIN};R1;\r\n"
    f"07.03.2026;12,50;EUR;RETURN {PLAIN};R2;AC04\r\n"
    "07.03.2026;-0,50;EUR;'=fee;R3;\r\n"
)


def test_csv_is_read_by_its_mapping(tmp_path: Path) -> None:
    file = tmp_path / "statement.csv"
    file.write_text(CSV, encoding="utf-8-sig")
    entries = list(read_csv(file, read_mapping(EXAMPLE)))
    assert [(e.payout, e.answer, e.amount_minor, e.day, e.reference, e.reason) for e in entries] == [
        (ID, "paid", 123_450, "2026-03-06", "R1", ""),
        (ID, "returned", 1_250, "2026-03-07", "R2", "AC04"),
        (None, "paid", 50, "2026-03-07", "R3", ""),
    ]
    assert entries[0].where == "statement.csv, line 2"
    assert isinstance(entries[0], Entry)


def test_the_status_says_what_became_of_it_where_the_mapping_says_so(tmp_path: Path) -> None:
    mapping = tmp_path / "bank.yaml"
    mapping.write_text(
        "columns: {payment: id, amount: amount, day: day, status: status}\n"
        "currency: EUR\nanswers: {done: paid, back: returned, later: pending}\n"
    )
    file = tmp_path / "statement.csv"
    lines = [f"{PLAIN},5,2026-03-06,{status}" for status in ("done", "back", "later")]
    file.write_text("\n".join(["id,amount,day,status", *lines]))
    assert [e.answer for e in read_csv(file, read_mapping(mapping))] == ["paid", "returned", "pending"]
    file.write_text(f"id,amount,day,status\n{PLAIN},5,2026-03-06,odd\n")
    with pytest.raises(PermanentError, match=r"line 2: .*'odd'"):
        list(read_csv(file, read_mapping(mapping)))
    file.write_text("id,amount\n")
    with pytest.raises(PermanentError, match="has no columns day, status"):
        list(read_csv(file, read_mapping(mapping)))


BAD_MAPPINGS = [
    ("columns: {payment: a, amount: b, day: c}", "name the column of the currency"),
    ("columns: {payment: a, amount: b}", "missing required field"),
    ("columns: {payment: a, amount: b, day: c, status: d}\ncurrency: EUR", "say in answers"),
    ("columns: {payment: a, amount: b, day: c}\ncurrency: EUR\ndelimiter: ';;'", "one character"),
    ("columns: [", "not YAML"),
]


@pytest.mark.parametrize(("text", "message"), BAD_MAPPINGS)
def test_a_bad_mapping_is_refused(text: str, message: str, tmp_path: Path) -> None:
    mapping = tmp_path / "bank.yaml"
    mapping.write_text(text)
    with pytest.raises(PermanentError, match=message):
        read_mapping(mapping)
