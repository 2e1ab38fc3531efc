"""A payout run crashes after any statement, and is done again; and processes that pay are killed at random moments.

Promise: what was begun becomes what it would have been, to the cent; nothing is paid twice. Every place is tried: the
first run crashes before its first statement, the next before its second, and so on until one comes through.
"""

from __future__ import annotations

import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import psycopg
import pytest

from contracts.errors import TransientError
from runtime.database import Connection, Database
from services.rewards.payouts import store
from services.rewards.payouts.payout import Run
from services.rewards.store import SETUP
from tests.integration.rewards.payouts_process import EARNED, PARTNERS, PROGRAMMES
from tests.integration.rewards.test_posting_killed import durable_after, posting
from tests.support.ledger import assert_sound, found_balances
from tests.support.payouts import Office, payee

PROCESS = "tests.integration.rewards.payouts_process"


class Crashing(Database):
    """Connections that are lost before a statement, counted over all of them."""

    def __init__(self, url: str, statements: int) -> None:
        super().__init__(url, application="crashing", connections_max=1, setup=SETUP)
        self.left = statements

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            execute = connection.execute

            async def counted(*arguments: Any, **options: Any) -> Any:
                self.left -= 1
                if self.left < 0:
                    await connection.close()
                    raise psycopg.OperationalError("the server is gone")
                return await execute(*arguments, **options)

            connection.execute = counted  # type: ignore[method-assign]  # what a crash looks like from inside
            try:
                yield connection
            finally:
                del connection.execute


async def pay(office: Office, programme: str) -> Run:
    """All steps of a run that are still to be taken; one payout is returned."""
    run = await office.preparer.prepare(office.asked("USD", programme, fee_minor=10), who="ann")
    if run.state == "prepared":
        run = await office.desk.approve(run.id, who="bob")
    if run.state == "approved":
        await office.desk.send(run.id, who="bob")
    async with office.database.connection() as connection:
        returned = (await store.payouts_of(connection, run.id))[0]
    await office.desk.return_(returned.id, office.clock.at_ms, "AC04", who="bank")
    return await office.desk.settle_run(run.id, who="bank", reference="statement 7")


@pytest.mark.timeout(120)
async def test_a_crash_between_any_two_statements_changes_nothing_in_the_end(
    database: Database, ledger_url: str
) -> None:
    office = Office(database)
    for number in count():
        programme, names = f"p{number}", [f"x{number}", f"y{number}"]
        await office.know(payee(names[0]), payee(names[1], method="manual", currency="USD"))
        await office.rate("EUR/USD", "1.0842", programme=programme)
        for name in names:
            await office.earn(name, 10_001, "USD", programme)
        crashing = Crashing(ledger_url, number)
        await crashing.start()
        try:
            await pay(Office(crashing, office.clock), programme)
        except (TransientError, psycopg.OperationalError):
            is_whole = False
        else:
            is_whole = True
        finally:
            await crashing.stop()
        run = await pay(office, programme)
        assert run.state == "finished"
        async with database.connection() as connection:
            paid = {p.beneficiary: (p.gross_minor, p.state) for p in await store.payouts_of(connection, run.id)}
        assert sorted(state for _, state in paid.values()) == ["returned", "settled"], number
        assert {minor for minor, _ in paid.values()} == {10_001}
        if is_whole:
            break
        office.clock.at_ms += 1_000
    assert number > 40
    await assert_sound(database)


@pytest.mark.timeout(180)
async def test_whatever_is_killed_whenever_everybody_is_paid_once(ledger_url: str, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(3):
        processes = [posting(ledger_url, seed, PROCESS) for _ in range(2)]
        for process in processes:
            durable_after(process, draw.randrange(1, 6))
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    output, _ = posting(ledger_url, seed, PROCESS).communicate(timeout=120)
    assert output.endswith("all\n")
    found = found_balances(ledger_url)
    for number in range(PARTNERS):
        mine = {
            a.rpartition(":")[2]: minor
            for (a, _), minor in found.items()
            if a.startswith(f"partner:p{number}:") and minor
        }
        assert mine == {"paid": EARNED * len(PROGRAMMES)}, number
    database = Database(ledger_url, application="rewards", setup=SETUP)
    await database.start()
    await assert_sound(database)
    assert await database.fetch_all("SELECT count(*) FROM rewards.conflicts") == [(0,)]
    await database.stop()
