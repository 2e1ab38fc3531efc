"""Invoices over HTTP: an issuer is written down, a run is invoiced once, papers are listed, drawn and corrected."""

from __future__ import annotations

import hashlib
import io

from pypdf import PdfReader

from runtime.database import Database
from tests.integration.rewards.over_http import asking
from tests.integration.rewards.test_papers_of_payouts import sent, taxed
from tests.support.ledger import assert_sound
from tests.support.payouts import Office

ISSUER = {
    "issuer": "acme",
    "name": "Acme sp. z o.o.",
    "address": ["ul. Prosta 1", "00-838 Warszawa"],
    "country": "PL",
    "vat_id": "PL5260001246",
    "prefix": "SB",
    "zone": "Europe/Warsaw",
    "programmes": ["crm-sales"],
}


async def test_a_run_is_invoiced_drawn_and_corrected(ledger_url: str, database: Database) -> None:
    office = Office(database)
    await office.earn("ann", 11_900)
    await office.earn("bob", 5_000)
    await office.know(taxed(), taxed("bob", tax=None))
    run = await sent(office)
    async with asking(ledger_url, database, clock=office.clock) as http:
        early = await http("fay", "POST", "/v1/invoices", json={"payout_run": run.reference})
        assert (early.status_code, early.json()["code"]) == (422, "issuer-missing")
        bad = await http("fay", "POST", "/v1/issuers", json=ISSUER | {"vat_id": "PL1"})
        assert (bad.status_code, bad.json()["code"]) == (422, "issuer-malformed")
        assert (await http("fay", "POST", "/v1/issuers", json=ISSUER)).status_code == 200
        (issuer,) = (await http("vic", "GET", "/v1/issuers")).json()["issuers"]
        assert issuer == ISSUER | {"language": "en", "tax_id": ""}

        done = (await http("fay", "POST", "/v1/invoices", json={"payout_run": run.reference})).json()
        (issued,) = done["issued"]
        assert (issued["number"], issued["gross_minor"], issued["is_new"]) == ("SB-2026-000001", 11_900, True)
        assert [one["beneficiary"] for one in done["left_out"]] == ["partner:bob"]
        again = (await http("fay", "POST", "/v1/invoices", json={"payout_run": run.reference})).json()
        assert again["issued"] == [issued | {"is_new": False}]

        page = (await http("vic", "GET", "/v1/invoices?of=partner:ann")).json()
        assert ([row["number"] for row in page["invoices"]], page["next"]) == (["SB-2026-000001"], None)
        paper = (await http("vic", "GET", "/v1/invoices/SB-2026-000001")).json()
        assert (paper["data"]["net_minor"], paper["data"]["tax_minor"]) == (10_000, 1_900)
        drawn = await http.client.get(
            "/v1/invoices/SB-2026-000001/pdf", headers={"authorization": f"Bearer {http.tokens['vic']}"}
        )
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, "application/pdf")
        ((attached,),) = PdfReader(io.BytesIO(drawn.content)).attachments.values()
        assert hashlib.sha256(attached).hexdigest() == paper["sha256"] == page["invoices"][0]["sha256"]

        asked = {"reason": "one deal too many", "reference": "ticket-7", "minor": 1_900}
        for is_new in (True, False):
            note = (await http("fay", "POST", "/v1/invoices/SB-2026-000001/credit-notes", json=asked)).json()
            assert (note["number"], note["kind"], note["is_new"]) == ("SB-2026-000002", "credit-note", is_new)
        too_much = await http(
            "fay", "POST", "/v1/invoices/SB-2026-000001/credit-notes", json=asked | {"reference": "x", "minor": 10_001}
        )
        assert (too_much.status_code, too_much.json()["code"]) == (422, "not-creditable")
        unknown = await http("vic", "GET", "/v1/invoices/SB-2026-000009")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "invoice-unknown")
        first = (await http("vic", "GET", "/v1/invoices?limit=1")).json()
        rest = (await http("vic", "GET", f"/v1/invoices?limit=1&cursor={first['next']}")).json()
        assert [row["number"] for row in (*first["invoices"], *rest["invoices"])] == [
            "SB-2026-000002",
            "SB-2026-000001",
        ]
    await assert_sound(database)
