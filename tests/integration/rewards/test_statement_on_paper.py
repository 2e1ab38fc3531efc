"""`goodword ledger statement --pdf` draws what the statement says, in the same bytes each time."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from goodword.cli import app
from runtime.database import Database
from services.rewards.payouts.directory import set_payee
from services.rewards.payouts.payee import Tax
from services.rewards.store import SETUP
from tests.support.decisions import decided
from tests.support.ledger import SetClock, deliver
from tests.support.payouts import payee

MINE = "partner:ann:available"


def delivered(url: str) -> None:
    async def work() -> None:
        database = Database(url, application="rewards", setup=SETUP)
        await database.start()
        tax = Tax(legal_name="Ann Łącka GmbH", address=("Hauptstraße 1", "10115 Berlin"))
        await set_payee(database, payee("ann", tax=tax), who="finance", clock=SetClock())
        await deliver(database, *(decided(n, amount_minor=100_000 + n, rule=f"rule-{n % 3}") for n in range(60)))
        await deliver(database, decided(100, amount_minor=5, unit="POINTS"))
        await database.stop()

    asyncio.run(work())


def statement(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["ledger", "statement", MINE, *words])
    assert result.exit_code == exit_code, result.output
    return result.output


# Commands run an event loop of their own.
def test_a_statement_is_drawn_whole_and_the_same_each_time(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    delivered(ledger_url)
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    period = ("--from", "2026-01-01", "--to", "2026-01-31", "--unit", "USD", "--lang", "pl")
    files = [tmp_path / name for name in ("one.pdf", "two.pdf")]
    for file in files:
        assert file.name in statement(*period, "--pdf", str(file))
    assert files[0].read_bytes() == files[1].read_bytes()
    pages = PdfReader(io.BytesIO(files[0].read_bytes())).pages
    text = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))
    for part in ("Wyciąg z konta", "Ann Łącka GmbH", "10115 Berlin", "1 stycznia 2026", "60 017,70 USD", "rule-2"):
        assert part in text
    assert (text.count("Przyznano: rule-"), len(pages) > 1, "POINTS" in text) == (60, True, False)

    never = str(tmp_path / "never.pdf")
    assert "unit-missing" in statement("--pdf", never, exit_code=1)
    assert "language-unknown" in statement(*period[:-1], "xx", "--pdf", never, exit_code=1)
    assert not Path(never).exists()
