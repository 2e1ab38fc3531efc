"""Statements: every posting with the balance after it, from both ends, page by page."""

from __future__ import annotations

import random
from typing import Any

import pytest

from contracts.errors import PermanentError
from contracts.facts import TransferPosted
from services.rewards.reads import Posting, balances, open_ledger, statement, trial_balance
from services.rewards.store import Ledger
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, transfers

ACCOUNTS = ("programme:crm-sales:cost", "partner:p0:available", "partner:p1:available", "programme:other:cost")


@pytest.fixture
async def posted(ledger: Ledger) -> list[TransferPosted]:
    """Batches with equal and with falling posting times, two units, a transfer against the usual direction."""
    draw = random.Random(5)
    made: list[TransferPosted] = []
    for batch in range(12):
        decisions = [
            decided(
                batch * 10 + n,
                partner=f"p{draw.randrange(2)}",
                programme=draw.choice(["crm-sales", "other"]),
                unit=draw.choice(["USD", "POINTS"]),
                amount_minor=draw.randrange(1, 1000),
            )
            for n in range(7)
        ]
        made += transfers(*decisions, posted_at_ms=POSTED_AT_MS + (batch // 2) * 1_000)
    await ledger.post(made)
    return made


def expected(posted: list[TransferPosted], account: str, unit: str | None) -> list[tuple[str, int, str, int]]:
    """(id, minor, unit, balance after), oldest first, by plain Python."""
    running: dict[str, int] = {}
    rows = []
    for transfer in sorted(posted, key=lambda t: (t.posted_at_ms, t.id)):
        if account in (transfer.debit, transfer.credit) and unit in (None, transfer.unit):
            minor = transfer.amount_minor if transfer.credit == account else -transfer.amount_minor
            running[transfer.unit] = running.get(transfer.unit, 0) + minor
            rows.append((transfer.id, minor, transfer.unit, running[transfer.unit]))
    return rows


def rows_of(postings: list[Posting]) -> list[tuple[str, int, str, int]]:
    return [(p["transfer"]["id"], p["minor"], p["unit"], p["balance_minor"]) for p in postings]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_the_running_balance_is_the_same_from_both_ends_and_on_every_page(
    posted: list[TransferPosted], ledger_url: str, newest_first: bool
) -> None:
    questions = [
        (account, unit, limit) for account in ACCOUNTS for unit in (None, "USD", "POINTS") for limit in (3, 500)
    ]
    with open_ledger(ledger_url) as connection:
        for account, unit, limit in questions:
            want = expected(posted, account, unit)
            if newest_first:
                want.reverse()
            assert want
            found: list[Posting] = []
            cursor = None
            while True:
                page = statement(connection, account, unit=unit, limit=limit, cursor=cursor, newest_first=newest_first)
                found += page["postings"]
                assert len(page["postings"]) <= limit
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            assert rows_of(found) == want


async def test_balances_and_the_trial_balance_are_those_of_the_postings(
    posted: list[TransferPosted], ledger_url: str
) -> None:
    found = balances(ledger_url)
    assert [(row["account"], row["unit"]) for row in found] == sorted((row["account"], row["unit"]) for row in found)
    for row in found:
        assert row["minor"] == expected(posted, row["account"], row["unit"])[-1][3]
        assert row["minor"] == statement(ledger_url, row["account"])["balances"][row["unit"]]
    for line in trial_balance(ledger_url):
        total = sum(transfer.amount_minor for transfer in posted if transfer.unit == line["unit"])
        assert line == {"unit": line["unit"], "minor": 0, "debits": total, "credits": total}


async def test_an_account_without_postings_has_an_empty_statement(ledger_url: str) -> None:
    assert statement(ledger_url, "partner:nobody:available") == {
        "account": "partner:nobody:available",
        "by": "booked",
        "balances": {},
        "opening": {},
        "closing": {},
        "postings": [],
        "next_cursor": None,
    }
    assert balances(ledger_url) == trial_balance(ledger_url) == []


async def test_what_is_wrong_with_a_question_is_said(posted: list[TransferPosted], ledger_url: str) -> None:
    account = ACCOUNTS[0]
    cursor = statement(ledger_url, account, limit=1)["next_cursor"]
    questions: list[tuple[str, str, dict[str, Any]]] = [
        ("account-outside-chart", "partner:ann", {}),
        ("bad-limit", account, {"limit": 0}),
        ("bad-limit", account, {"limit": 10_001}),
        ("bad-cursor", account, {"cursor": "?"}),
        ("bad-cursor", account, {"cursor": "e30="}),
        ("bad-cursor", account, {"cursor": "ä"}),
        ("bad-cursor", account, {"cursor": cursor, "newest_first": False}),
    ]
    for code, asked, options in questions:
        with pytest.raises(PermanentError) as refused:
            statement(ledger_url, asked, **options)
        assert refused.value.problem.code == code
