"""A process that pays, to be killed: `python -m tests.integration.rewards.payouts_process URL SEED`.

Everybody earns, in two programmes; then a run of each is prepared, approved, sent and settled, in small transactions
and in an order that each process draws for itself. After each step it prints how far it is.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.errors import PermanentError
from runtime.database import Database
from services.rewards.payouts import desk, preparing
from services.rewards.store import SETUP
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import SetClock, deliver
from tests.support.payouts import DAY_MS, Office, payee

PARTNERS = 20
PROGRAMMES = ("one", "two")
EARNED = 1_000
STEPS = ("prepare", "approve", "send", "settle")


async def main(url: str, seed: int) -> None:
    preparing.BALANCES_OF_A_STEP = desk.PAYOUTS_OF_A_STEP = 3  # type: ignore[misc]  # small, so that there are many
    database = Database(url, application="rewards", setup=SETUP)
    await database.start()
    office = Office(database, SetClock(TIME_MS + 60 * DAY_MS))
    names = [f"p{number}" for number in range(PARTNERS)]
    earned = [
        decided(number, partner=name, amount_minor=EARNED, unit="EUR", programme=programme)
        for programme in PROGRAMMES
        for number, name in enumerate(names)
    ]
    await deliver(database, *earned, at_ms=office.clock.at_ms)
    await office.know(*(payee(name) for name in names))
    say(0)
    draw = random.Random(os.getpid() + seed)
    for step in STEPS:
        for programme in draw.sample(PROGRAMMES, len(PROGRAMMES)):
            with suppress_rival():
                await take(office, step, programme)
            say(STEPS.index(step) + 1)
    await database.stop()
    say("all")


@contextmanager
def suppress_rival() -> Iterator[None]:
    """Another process is further on already."""
    try:
        yield
    except PermanentError as error:
        if error.problem.code != "run-in-other-state":
            raise


async def take(office: Office, step: str, programme: str) -> None:
    """Again and again the same: what is done already is not done twice."""
    run = await office.preparer.prepare(office.asked(programme=programme), who="ann")
    if STEPS.index(step) >= 1 and run.state == "prepared":
        await office.desk.approve(run.id, who="bob")
    if STEPS.index(step) >= 2 and run.state in ("prepared", "approved"):
        await office.desk.send(run.id, who="bob")
    if step == "settle":
        await office.desk.settle_run(run.id, who="bank", reference="statement 7")


def say(line: str | int) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
