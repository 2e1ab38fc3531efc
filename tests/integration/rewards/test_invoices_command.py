"""`goodword invoices` writes down issuers, lists and shows what was issued, draws it and corrects it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from goodword.cli import app
from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.papers.store import Papers
from services.rewards.store import SETUP
from tests.support.papers import drafted

ISSUER_FILE = """\
issuer: acme
name: Acme sp. z o.o.
address: [ul. Prosta 1, 00-838 Warszawa]
country: PL
vat_id: PL5260001246
prefix: SB
zone: Europe/Warsaw
programmes: [crm-sales]
"""


@pytest.fixture
def run(ledger_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "issuer.yaml").write_text(ISSUER_FILE)

    def run(*words: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["invoices", *words])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    return run


def issue(url: str, *references: str) -> str:
    """As a payout run does it; returns the year of the numbers."""

    async def work() -> str:
        database = Database(url, application="rewards", setup=SETUP)
        await database.start()
        papers = Papers(database, clock=SystemClock())
        issued = await papers.issue("acme", [drafted(reference) for reference in references])
        await database.stop()
        return str(issued[0].invoice.year)

    return asyncio.run(work())


# Commands run an event loop of their own.
def test_what_was_issued_is_listed_shown_drawn_and_corrected(ledger_url: str, run: Any, tmp_path: Path) -> None:
    assert "Acme sp. z o.o. issues papers for crm-sales" in run("issuer", "set", "issuer.yaml")
    (issuer,) = run("issuer", "list", "--json")
    assert issuer["vat_id"] == "PL5260001246"
    year = issue(ledger_url, "payout/1", "payout/2")
    first, second = f"SB-{year}-000001", f"SB-{year}-000002"

    page = run("list", "--limit", "1", "--json")
    assert [row["number"] for row in page["invoices"]] == [second]
    rest = run("list", "--limit", "1", "--cursor", page["next_cursor"], "--json")
    assert ([row["number"] for row in rest["invoices"]], rest["next_cursor"]) == ([first], None)
    assert run("list", "--of", "partner:bob", "--json")["invoices"] == []
    assert len(run("list", "--payout", "crm-sales/EUR", "--json")["invoices"]) == 2
    shown = run("show", first)
    for part in ("Invoice (self-billing)", "1,004.00 EUR", "PT123456789", "VAT 23 %: 187.74 EUR"):
        assert part in shown

    run("pdf", first, "--out", "one.pdf")
    run("pdf", first)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / f"{first}.pdf").read_bytes()
    assert first in PdfReader(io.BytesIO((tmp_path / "one.pdf").read_bytes())).pages[0].extract_text()

    words = ("correct", first, "--amount", "4.00 EUR", "--reason", "one deal too many")
    note = run(*words, "--json")
    assert (note["number"], note["gross_minor"], note["corrects"]["number"]) == (f"SB-{year}-000003", 400, first)
    assert f"SB-{year}-000003 was issued before" in run(*words)
    (row,) = [row for row in run("list", "--json")["invoices"] if row["number"] == first]
    assert row["credited_minor"] == 400
    assert "Corrects invoice" in run("show", note["number"])


def test_what_is_wrong_is_said(ledger_url: str, run: Any, tmp_path: Path) -> None:
    assert "invoice-unknown" in run("show", "SB-2026-000009", exit_code=1)
    assert "invoice-unknown" in run("pdf", "SB-2026-000009", exit_code=1)
    assert "bad-cursor" in run("list", "--cursor", "x", exit_code=1)
    for text, said in (
        (ISSUER_FILE.replace("PL5260001246", "PL1"), "is no VAT number of PL"),
        (ISSUER_FILE.replace("zone", "zoen"), "zoen"),
        ("a: [", "issuer-unreadable"),
    ):
        (tmp_path / "issuer.yaml").write_text(text)
        assert said in run("issuer", "set", "issuer.yaml", exit_code=1)
