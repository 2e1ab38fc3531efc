"""As of any instant, by either time, the ledger says what a replay from zero says; late events included."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
import psycopg
import pytest

from contracts.events import EPOCH
from contracts.facts import TransferPosted
from runtime.database import Database
from services.rewards.asof.cuts import By, Cut, Period
from services.rewards.asof.snapshots import OVER_MS, Snapshots
from services.rewards.invariants import SnapshotsMatch
from services.rewards.reads import (
    Balance,
    Statement,
    balances,
    each_balance,
    open_ledger,
    statement,
    trial_balance,
)
from services.rewards.reads.connect import Connection
from services.rewards.store import Ledger
from tests.support.ledger import SetClock, assert_sound
from tests.support.replay import HOUR_MS, Line, history, lines, replay, time_of

ACCOUNTS = ("programme:crm-sales:cost", "partner:p0:available")


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"SEED={chosen}")
    return chosen


@pytest.fixture
async def posted(ledger: Ledger, seed: int) -> list[TransferPosted]:
    made = history(random.Random(seed), 40)
    for batch in made:
        await ledger.post(batch)
    return [transfer for batch in made for transfer in batch]


def instants(draw: random.Random, posted: list[TransferPosted], by: By) -> list[datetime]:
    """Moments of transfers, moments right before and after them, and moments beyond all."""
    times = [time_of(draw.choice(posted), by) for _ in range(12)] + [min(time_of(t, by) for t in posted), 0, 2**42]
    return [EPOCH + timedelta(milliseconds=ms, microseconds=draw.choice([-1, 0, 1])) for ms in times]


def by_account(rows: Iterable[Balance]) -> dict[tuple[str, str], int]:
    return {(row["account"], row["unit"]): row["minor"] for row in rows}


def assert_as_replayed(connection: Connection, posted: list[TransferPosted], cut: Cut) -> None:
    want = {place: minor for place, minor in replay(posted, cut.by, cut.until).items() if minor}
    assert by_account(balances(connection, at=cut)) == want
    sides: dict[str, list[int]] = {}
    for (_, unit), minor in want.items():
        sides.setdefault(unit, []).append(minor)
    assert {
        line["unit"]: (line["minor"], line["debits"], line["credits"]) for line in trial_balance(connection, at=cut)
    } == {
        unit: (0, -sum(m for m in minors if m < 0), sum(m for m in minors if m > 0)) for unit, minors in sides.items()
    }


async def test_balances_and_the_trial_balance_of_any_instant_are_those_of_a_replay(
    posted: list[TransferPosted], ledger_url: str, seed: int
) -> None:
    draw = random.Random(seed)
    with open_ledger(ledger_url) as connection:
        for by in By:
            for until in instants(draw, posted, by):
                assert_as_replayed(connection, posted, Cut(by, until))


async def test_snapshots_change_no_answer_whenever_they_are_made_missed_or_dropped(
    ledger: Ledger, database: Database, ledger_url: str, seed: int
) -> None:
    draw = random.Random(seed)
    clock = SetClock()
    snapshots = Snapshots(database, clock=clock, transfers=20)
    posted: list[TransferPosted] = []
    made = 0
    for batch in history(draw, 60):
        await ledger.post(batch)
        posted += batch
        clock.at_ms = max(transfer.posted_at_ms for transfer in batch) + OVER_MS
        chance = draw.random()
        if chance < 0.2:
            made += await snapshots.tick()
        elif chance < 0.25:
            with psycopg.connect(ledger_url, autocommit=True) as owner:
                owner.execute("TRUNCATE rewards.snapshots, rewards.balance_snapshots, rewards.snapshot_totals")
        elif chance < 0.4:
            with open_ledger(ledger_url) as connection:
                by = draw.choice(list(By))
                for until in draw.sample(instants(draw, posted, by), 3):
                    assert_as_replayed(connection, posted, Cut(by, until))
    made += await snapshots.tick()
    assert made > 4
    with open_ledger(ledger_url) as connection:
        for by in By:
            found = connection.execute("SELECT until FROM rewards.snapshots WHERE by_time = %s", (by.value,))
            for until in [*instants(draw, posted, by), *(until for (until,) in found.fetchall())]:
                assert_as_replayed(connection, posted, Cut(by, until))
    await assert_sound(database)


async def test_a_snapshot_or_a_total_that_was_altered_is_named(
    posted: list[TransferPosted], database: Database, ledger_url: str
) -> None:
    clock = SetClock(max(transfer.posted_at_ms for transfer in posted) + OVER_MS)
    assert await Snapshots(database, clock=clock, transfers=20).tick() > 0
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE rewards.balance_snapshots b SET minor = b.minor + 1 FROM rewards.accounts a"
            " WHERE a.id = b.account_id AND a.address = %s AND b.unit = 'USD'",
            (ACCOUNTS[1],),
        )
        owner.execute("UPDATE rewards.snapshot_totals SET credits = credits + 2 WHERE number = 1 AND unit = 'POINTS'")
    async with database.connection() as connection:
        found = await SnapshotsMatch().check(connection)
    assert [(one.where, one.found_minor - one.expected_minor) for one in found] == [
        one for by in By for one in ((f"{ACCOUNTS[1]} USD, {by}", 1), (f"total of POINTS, {by}", 2))
    ]


async def test_snapshots_of_many_processes_at_once_are_those_of_one(
    posted: list[TransferPosted], database: Database, ledger_url: str, seed: int
) -> None:
    clock = SetClock(max(transfer.posted_at_ms for transfer in posted) + OVER_MS)
    several = [Snapshots(database, clock=clock, transfers=20) for _ in range(3)]
    # One that was slower finds its work done, or gives up and would try again.
    made = await asyncio.gather(*(one.tick() for one in several * 3), return_exceptions=True)
    assert {type(one) for one in made} <= {int, psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation}
    assert sum(one for one in made if isinstance(one, int)) > 4
    draw = random.Random(seed)
    with open_ledger(ledger_url) as connection:
        for by in By:
            for until in instants(draw, posted, by):
                assert_as_replayed(connection, posted, Cut(by, until))


def all_pages(connection: Connection, account: str, period: Period, *, newest_first: bool) -> list[Statement]:
    pages: list[Statement] = []
    while not pages or pages[-1]["next_cursor"]:
        cursor = pages[-1]["next_cursor"] if pages else None
        pages.append(statement(connection, account, limit=7, period=period, cursor=cursor, newest_first=newest_first))
    return pages


@pytest.mark.parametrize("snapshot_transfers", [None, 10, 40])
async def test_a_statement_goes_from_its_opening_to_its_closing_balance_from_both_ends(
    posted: list[TransferPosted], database: Database, ledger_url: str, seed: int, snapshot_transfers: int | None
) -> None:
    if snapshot_transfers:
        clock = SetClock(max(transfer.posted_at_ms for transfer in posted) + OVER_MS)
        assert await Snapshots(database, clock=clock, transfers=snapshot_transfers).tick() > 0
    draw = random.Random(seed)
    with open_ledger(ledger_url) as connection:
        for account in ACCOUNTS:
            for by in By:
                for since, until in zip(instants(draw, posted, by)[:6], instants(draw, posted, by)[:6], strict=True):
                    first, last = sorted((since, until))
                    period = Period(by, draw.choice([first, None]), draw.choice([last, None]))
                    newest_first = draw.choice([True, False])
                    pages = all_pages(connection, account, period, newest_first=newest_first)
                    assert_statement(pages, posted, account, period, newest_first=newest_first)


def assert_statement(
    pages: list[Statement], posted: list[TransferPosted], account: str, period: Period, *, newest_first: bool
) -> None:
    def of_account(until: datetime | None) -> dict[str, int]:
        return {unit: minor for (name, unit), minor in replay(posted, period.by, until).items() if name == account}

    inside = {
        t.id
        for t in posted
        if (period.since is None or EPOCH + timedelta(milliseconds=time_of(t, period.by)) >= period.since)
        and (period.until is None or EPOCH + timedelta(milliseconds=time_of(t, period.by)) < period.until)
    }
    want = [line for line in lines(posted, account, period.by) if line.transfer in inside]
    found = [
        Line(p["transfer"]["id"], p["minor"], p["unit"], p["balance_minor"]) for page in pages for p in page["postings"]
    ]
    assert found == (want[::-1] if newest_first else want)
    for page in pages:
        assert page["opening"] == ({} if period.since is None else of_account(period.since))
        assert page["closing"] == of_account(period.until)
        assert page["balances"] == of_account(None)


async def test_balances_come_page_by_page_and_as_a_stream(
    posted: list[TransferPosted], database: Database, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few accounts are looked at, so that there have to be more looks.
    module = sys.modules["services.rewards.reads.balances"]
    monkeypatch.setattr(module, "CANDIDATES_MIN", 1)
    monkeypatch.setattr(module, "STREAM_ACCOUNTS", 2)
    times = sorted(time_of(t, By.EFFECTIVE) for t in posted)
    cuts = [Cut(By.EFFECTIVE, EPOCH + timedelta(milliseconds=times[len(times) * part // 8])) for part in (1, 4)]
    assert_pages_are_the_whole(ledger_url, None)
    for at in cuts:
        assert_pages_are_the_whole(ledger_url, at)
    clock = SetClock(max(transfer.posted_at_ms for transfer in posted) + OVER_MS)
    assert await Snapshots(database, clock=clock, transfers=20).tick() > 0
    for at in cuts:
        assert_pages_are_the_whole(ledger_url, at)


def assert_pages_are_the_whole(ledger_url: str, at: Cut | None) -> None:
    whole = balances(ledger_url, at=at)
    assert [(row["account"], row["unit"]) for row in whole] == sorted((row["account"], row["unit"]) for row in whole)
    assert list(each_balance(ledger_url, at=at)) == whole
    for limit in (1, 3, 500):
        found: list[Balance] = []
        while True:
            after = (found[-1]["account"], found[-1]["unit"]) if found else None
            page = balances(ledger_url, at=at, after=after, limit=limit)
            found += page
            if len(page) < limit:
                break
        assert found == whole
    some = balances(ledger_url, at=at, starting_with="partner:p1")
    assert some == [row for row in whole if row["account"].startswith("partner:p1")]


async def test_an_event_that_comes_late_changes_what_was_effective_and_not_what_was_booked(
    ledger: Ledger, ledger_url: str
) -> None:
    made = history(random.Random(1), 6)
    for batch in made[:5]:
        await ledger.post(batch)
    known = [transfer for batch in made[:5] for transfer in batch]
    then = max(time_of(t, By.BOOKED) for t in known)

    cuts = {by: Cut(by, EPOCH + timedelta(milliseconds=then + HOUR_MS // 2)) for by in By}
    before = {by: by_account(balances(ledger_url, at=cut)) for by, cut in cuts.items()}

    late = [msgspec.structs.replace(t, news_at_ms=then - HOUR_MS, posted_at_ms=then + HOUR_MS) for t in made[5]]
    await ledger.post(late)
    assert by_account(balances(ledger_url, at=cuts[By.BOOKED])) == before[By.BOOKED]
    after = by_account(balances(ledger_url, at=cuts[By.EFFECTIVE]))
    want = replay([*known, *late], By.EFFECTIVE, cuts[By.EFFECTIVE].until)
    assert after == {place: minor for place, minor in want.items() if minor} != before[By.EFFECTIVE]
