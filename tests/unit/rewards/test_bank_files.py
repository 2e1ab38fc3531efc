"""Bank files: ISO 20022 pain.001 by the order of elements of its schema, and CSV; the same run gives the same bytes."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import pytest

from contracts.errors import PermanentError
from services.rewards.payouts.csv_file import payouts_csv
from services.rewards.payouts.pain import Version, pain_001
from services.rewards.payouts.payable import Candidate, decide
from services.rewards.payouts.payout import Payout, Run
from services.rewards.payouts.plan import Terms
from tests.support.payouts import PAYER, payee

# The sequences of pain.001.001.03 and .09 as far as they are used, in the order in which the schema wants them.
SEQUENCES = {
    "Document": ["CstmrCdtTrfInitn"],
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"],
    "PmtInf": [
        *("PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct"),
        *("DbtrAgt", "ChrgBr", "CdtTrfTxInf"),
    ],
    "PmtTpInf": ["SvcLvl"],
    "CdtTrfTxInf": ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"],
    "PmtId": ["InstrId", "EndToEndId"],
    "Cdtr": ["Nm", "PstlAdr"],
}


def run(**fields: object) -> Run:
    known: dict[str, object] = {
        "id": "00000000-0000-8c32-867e-5f026016a841",
        "reference": "crm-sales/EUR/2026-03-05",
        "programme": "crm-sales",
        "unit": "EUR",
        "period": "2026-03-05",
        "state": "approved",
        "terms": Terms(payer=PAYER),
        "day": "2026-03-05",
        "prepared_at_ms": 1_772_668_800_000,
        "prepared_by": "ann",
        "approved_by": "bob",
        "approved_at_ms": 1_772_755_200_123,
    } | fields
    return Run(**known)  # type: ignore[arg-type]  # a table of keywords


def payouts() -> list[Payout]:
    made = []
    for name, minor, unit, fields in (
        ("ann", 9_850, "EUR", {"name": "Ann Müller & Söhne GmbH"}),
        ("bob", 100_001, "EUR", {"bic": "COBADEFFXXX", "name": "=cmd|' /C calc'!A0"}),
        (
            "cid",
            1_200,
            "JPY",
            {"method": "swift", "currency": "JPY", "bic": "BOTKJPJT", "iban": None, "account": "1234567"},
        ),
        (
            "dan",
            1_500,
            "KWD",
            {"method": "swift", "currency": "KWD", "bic": "NBOKKWKW", "iban": "KW81CBKU0000000000001234560101"},
        ),
        ("eve", 700, "EUR", {"method": "manual", "iban": None}),
    ):
        one = decide(run(unit=unit), Candidate(f"partner:{name}", minor, minor), payee(name, **fields), None)
        assert isinstance(one, Payout), one
        one.state = "approved"
        made.append(one)
    return made


def names_of(element: ET.Element) -> list[str]:
    return [child.tag.partition("}")[2] for child in element]


@pytest.mark.parametrize("version", ["09", "03"])
def test_a_pain_file_keeps_the_order_of_its_schema_and_its_sums(version: Version) -> None:
    made = pain_001(run(), payouts(), version=version)
    root = ET.fromstring(made)
    space = f"urn:iso:std:iso:20022:tech:xsd:pain.001.001.{version}"
    assert root.tag == f"{{{space}}}Document"
    for element in root.iter():
        assert element.tag.startswith(f"{{{space}}}")
        wanted = SEQUENCES.get(element.tag.partition("}")[2])
        if wanted:
            places = [wanted.index(name) for name in names_of(element)]
            assert places == sorted(places), names_of(element)
        if element.text and element.text.strip():
            assert element.text.isascii()
    at = {"p": space}
    groups = root.findall(".//p:PmtInf", at)
    assert len(groups) == 3
    for part in (*groups, root.find(".//p:CstmrCdtTrfInitn", at)):
        assert part is not None
        amounts = [Decimal(amount.text or "") for amount in part.findall(".//p:InstdAmt", at)]
        head = part if part in groups else part.find("p:GrpHdr", at)
        assert head is not None
        assert head.findtext("p:NbOfTxs", namespaces=at) == str(len(amounts))
        assert Decimal(head.findtext("p:CtrlSum", namespaces=at) or "") == sum(amounts)
    told = {amount.get("Ccy"): amount.text for amount in root.findall(".//p:InstdAmt", at)}
    assert (told["JPY"], told["KWD"]) == ("1200", "1.500")
    ids = [
        id.text or ""
        for name in ("MsgId", "PmtInfId", "InstrId", "EndToEndId")
        for id in root.findall(f".//p:{name}", at)
    ]
    assert all(1 <= len(id) <= 35 for id in ids)
    assert "Ann Muller + Sohne GmbH" in {name.text for name in root.findall(".//p:Nm", at)}
    day = root.findtext(".//p:ReqdExctnDt/p:Dt" if version == "09" else ".//p:ReqdExctnDt", namespaces=at)
    assert day == "2026-03-06"


def test_the_same_run_gives_the_same_bytes_whatever_the_bank_has_done_since() -> None:
    before = [pain_001(run(), payouts()), payouts_csv(run(), payouts())]
    later = list(reversed(payouts()))
    later[0].state, later[1].state, later[2].state = "settled", "returned", "sent"
    assert [pain_001(run(state="finished"), later), payouts_csv(run(state="finished"), later)] == before


def test_a_csv_file_has_everybody_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(payouts_csv(run(), payouts()).decode(), newline="")))
    told = {row["beneficiary"].partition(":")[2]: (row["currency"], row["amount"]) for row in rows}
    assert told == {
        "ann": ("EUR", "98.50"),
        "bob": ("EUR", "1000.01"),
        "cid": ("JPY", "1200"),
        "dan": ("KWD", "1.500"),
        "eve": ("EUR", "7.00"),
    }
    assert {row["name"][0] for row in rows if row["beneficiary"] == "partner:bob"} == {"'"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"approved_at_ms": None, "state": "prepared"}, "run-not-approved"),
        ({"terms": Terms()}, "payer-missing"),
    ],
)
def test_what_no_bank_should_get_is_refused(fields: dict[str, object], code: str) -> None:
    with pytest.raises(PermanentError) as refused:
        pain_001(run(**fields), payouts())
    assert refused.value.problem.code == code


def test_payouts_by_hand_are_in_no_bank_file() -> None:
    by_hand = [msgspec.structs.replace(payouts()[4])]
    with pytest.raises(PermanentError, match="nothing-to-send"):
        pain_001(run(), by_hand)
