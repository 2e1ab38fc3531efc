"""Issued papers: numbered without gaps whatever is killed, once for each reference, and never altered."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from contracts.errors import PermanentError
from runtime.database import Database
from services.rewards.papers.store import Papers
from services.rewards.store import ROLE
from tests.support.ledger import SetClock, assert_sound
from tests.support.papers import ISSUER, drafted

ROOT = Path(__file__).resolve().parents[3]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
async def papers(database: Database) -> Papers:
    made = Papers(database, clock=SetClock(at("2026-11-03T10:00")))
    await made.set_issuer(ISSUER)
    return made


async def numbers(database: Database) -> list[str]:
    rows = await database.fetch_all("SELECT number FROM rewards.invoices ORDER BY year, no")
    return [number for (number,) in rows]


async def test_papers_are_numbered_in_the_order_in_which_they_are_issued(papers: Papers, database: Database) -> None:
    first = await papers.issue("acme", [drafted("a"), drafted("b")])
    note = await papers.correct("SB-2026-000001", gross_minor=400, reference="back/a", reason="one deal too many")
    assert [one.invoice.number for one in first] == ["SB-2026-000001", "SB-2026-000002"]
    assert (note.invoice.number, note.invoice.gross_minor, note.is_new) == ("SB-2026-000003", 400, True)
    await assert_sound(database)


async def test_what_is_issued_already_is_returned_and_takes_no_number(papers: Papers, database: Database) -> None:
    first = await papers.issue("acme", [drafted("a")])
    again = await papers.issue("acme", [drafted("a", language="pl"), drafted("b"), drafted("b")])
    assert [(one.invoice.number, one.is_new) for one in again] == [("SB-2026-000001", False), ("SB-2026-000002", True)]
    assert again[0].invoice == first[0].invoice
    note = await papers.correct("SB-2026-000001", gross_minor=None, reference="back/a", reason="x")
    same = await papers.correct("SB-2026-000001", gross_minor=None, reference="back/a", reason="y")
    assert (same.is_new, same.invoice) == (False, note.invoice)
    assert await numbers(database) == ["SB-2026-000001", "SB-2026-000002", "SB-2026-000003"]


async def test_each_year_begins_at_one_by_the_issuers_own_midnight_and_no_day_goes_back(database: Database) -> None:
    clock = SetClock(at("2026-12-31T22:59"))
    papers = Papers(database, clock=clock)
    await papers.set_issuer(ISSUER)
    found = []
    for time in ("2026-12-31T22:59", "2026-12-31T23:00", "2026-12-31T22:00", "2027-01-01T23:30"):
        clock.at_ms = at(time)
        ((invoice, _),) = await papers.issue("acme", [drafted(time)])
        found.append((invoice.number, invoice.issued_on))
    assert found == [
        ("SB-2026-000001", "2026-12-31"),
        ("SB-2027-000001", "2027-01-01"),
        ("SB-2027-000002", "2027-01-01"),
        ("SB-2027-000003", "2027-01-02"),
    ]
    await assert_sound(database)


async def test_what_cannot_be_issued_takes_no_number(papers: Papers, database: Database) -> None:
    await papers.issue("acme", [drafted("a")])
    for number, amount, reason in (("SB-2026-000001", 10**9, "x"), ("SB-2026-000009", None, "x"), ("a", None, " ")):
        with pytest.raises(PermanentError):
            await papers.correct(number, gross_minor=amount, reference="r", reason=reason)
    with pytest.raises(PermanentError, match="there is no issuer"):
        await papers.issue("nobody", [drafted("b")])
    assert await numbers(database) == ["SB-2026-000001"]
    await assert_sound(database)


async def test_issuers_share_neither_prefixes_nor_programmes(papers: Papers) -> None:
    other = msgspec.structs.replace(ISSUER, issuer="other", prefix="X", programmes=("else",))
    await papers.set_issuer(other)
    for changes, code in (
        ({"prefix": "SB"}, "prefix-in-use"),
        ({"programmes": ("else", "crm-sales")}, "programme-has-issuer"),
        ({"zone": "nowhere"}, "issuer-malformed"),
    ):
        with pytest.raises(PermanentError) as raised:
            await papers.set_issuer(msgspec.structs.replace(other, **changes))
        assert raised.value.problem.code == code
    await papers.issue("acme", [drafted("a")])
    with pytest.raises(PermanentError, match="has issued numbers that begin with SB"):
        await papers.set_issuer(msgspec.structs.replace(ISSUER, prefix="SC"))
    await papers.set_issuer(msgspec.structs.replace(ISSUER, name="Acme SA"))
    assert (await papers.issuer_of("crm-sales")).name == "Acme SA"
    with pytest.raises(PermanentError, match="nobody issues papers for nothing"):
        await papers.issuer_of("nothing")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rewards.invoices SET gross_minor = 1",
        "DELETE FROM rewards.invoices",
        "TRUNCATE rewards.invoices CASCADE",
        "INSERT INTO rewards.invoices SELECT * FROM rewards.invoices ON CONFLICT (number) DO UPDATE SET year = 1",
    ],
)
async def test_nobody_alters_what_was_issued(papers: Papers, ledger_url: str, statement: str) -> None:
    await papers.issue("acme", [drafted("a")])
    with psycopg.connect(ledger_url) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(statement)
    with psycopg.connect(ledger_url) as service:
        service.execute(f"SET ROLE {ROLE}")
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)):
            service.execute(statement)


async def test_the_database_takes_no_paper_whose_hash_is_not_its_own(papers: Papers, ledger_url: str) -> None:
    await papers.issue("acme", [drafted("a")])
    with psycopg.connect(ledger_url) as owner, pytest.raises(psycopg.errors.CheckViolation, match="sha256"):
        owner.execute(
            "INSERT INTO rewards.invoices SELECT 'SB-2026-000002', issuer, year, 2, kind, 'b', corrects, supplier,"
            " payout, currency, gross_minor, issued_on, issued_at, data || 'x', sha256 FROM rewards.invoices"
        )


async def test_a_missing_number_is_found(papers: Papers, database: Database, ledger_url: str) -> None:
    await papers.issue("acme", [drafted("a"), drafted("b"), drafted("c")])
    with psycopg.connect(ledger_url) as owner:
        owner.execute("ALTER TABLE rewards.invoices DISABLE TRIGGER invoices_append_only")
        owner.execute("DELETE FROM rewards.invoices WHERE no = 2")
    with pytest.raises(AssertionError, match="papers-without-gaps"):
        await assert_sound(database)


async def test_eight_writers_leave_no_gap_and_repeat_no_number(database: Database) -> None:
    papers = [Papers(database, clock=SetClock(at("2026-11-03T10:00"))) for _ in range(8)]
    await papers[0].set_issuer(ISSUER)
    drafts = [drafted(f"payout/{number}") for number in range(40)]
    answers = await asyncio.gather(
        *(one.issue("acme", random.Random(index).sample(drafts, len(drafts))) for index, one in enumerate(papers))
    )
    assert len({tuple(sorted(one.invoice.number for one in answer)) for answer in answers}) == 1
    assert sum(one.is_new for answer in answers for one in answer) == 40
    assert await numbers(database) == [f"SB-2026-{no:06d}" for no in range(1, 41)]
    await assert_sound(database)


def rounds_of_killing(url: str, seed: int) -> Iterator[None]:
    """Eight processes killed in the middle, then one that is left alone."""
    draw = random.Random(seed)
    command = [sys.executable, "-m", "tests.integration.rewards.papers_process", url, str(seed)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        for _ in range(draw.randrange(1, 6)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate()
    yield
    last = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert last.stdout.endswith("all\n")
    yield


async def test_eight_processes_killed_at_random_moments_leave_no_gap(
    papers: Papers, database: Database, ledger_url: str, seed: int
) -> None:
    """Faults: SIGKILL to processes that issue the same papers side by side, each after a random number of batches.

    Verdict: after each round the invariant holds; after a last pass every reference is there, once.
    """
    for _ in rounds_of_killing(ledger_url, seed):
        await assert_sound(database)
    found = await numbers(database)
    assert [int(number[-6:]) for number in found] == list(range(1, len(found) + 1))
    ((invoices, references),) = await database.fetch_all(
        "SELECT count(*) FILTER (WHERE kind = 'invoice'), count(DISTINCT reference) FROM rewards.invoices"
    )
    assert (invoices, references) == (160, len(found))
