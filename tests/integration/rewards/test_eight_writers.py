"""Eight writers do everything at once between the same few accounts, each as a process of its own would.

Seeded mix: batches of decisions (grants, holds, lots, budgets, clawbacks, some again), the clockwork, bookings by hand,
payouts in every step, redemptions, memberships and gifts. Promise: nobody waits in a circle, so PostgreSQL never breaks
a deadlock; whoever was refused was refused for a reason; every invariant holds afterwards, and nobody has spent what
was not there.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.decisions import BudgetClaim
from contracts.errors import PermanentError
from contracts.money import Money
from runtime.database import Database
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.clockwork import Clockwork
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import Limits
from services.rewards.legs import ByHand
from services.rewards.lives.settling import Settler
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.payouts import store
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.directory import set_payee
from services.rewards.payouts.plan import Terms
from services.rewards.payouts.preparing import Asked, Preparer
from services.rewards.store import SETUP, Ledger
from tests.support.catalogues import PROGRAMME, publish, redeeming
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances
from tests.support.payouts import payee

WRITERS = 8
WORKS_OF_EACH = 30
PARTNERS = 4
DAY_MS = 86_400_000
HELD = [number for number in range(1, 150) if number % 5 == 1 and number % 9 > 5]
"""Those that are on hold for all of the test."""
ANN = ByHand("all at once", "ann")
PLUS = Offer("plus", "bronze", "month", 3_00, "USD", renews=True)
BOUGHT_AT_MS = POSTED_AT_MS - 30 * DAY_MS
"""Of what is overdue when the writers begin: memberships to be renewed, redemptions to be cancelled."""
KEY = BudgetKey(PROGRAMME, "shared", "", "USD")
CLAIM = BudgetClaim("shared", "", 50_000, "USD", "hold")


def id_of(number: int) -> str:
    """Of the decision that everybody delivers under this number."""
    return decided(number, partner=f"p{number % PARTNERS}").id


class Writer:
    """One process: a ledger of its own, and everything that can be done to it."""

    def __init__(self, database: Database, clock: SetClock, seed: int, number: int) -> None:
        self.database, self.clock, self.number = database, clock, number
        self.draw = random.Random(seed * 100 + number)
        ledger = Ledger(database)
        self.bookings = Bookings(database, clock=clock)
        self.preparer = Preparer(database, ledger, clock=clock)
        self.desk = PayoutDesk(database, ledger, clock=clock)
        self.redemptions = redeeming(database, clock)
        self.gifts = Gifts(database, ledger, clock=clock, limits=Limits({}, {}))
        self.memberships = Memberships(database, ledger, clock=clock)
        self.clockwork = Clockwork(
            database,
            Settler(database, ledger),
            clock=clock,
            batch_max=20,
            expiry_notice_days=5,
            chores=[self.redemptions.cancel_overdue, self.memberships.end_terms],
        )
        self.did: Counter[str] = Counter()

    @property
    def partner(self) -> str:
        return f"partner:p{self.draw.randrange(PARTNERS)}"

    async def work(self) -> None:
        works: list[Callable[[], Awaitable[object]]] = [
            *(self.deliver,) * 6,
            *(self.clockwork.tick, self.book, self.top_up, self.write_off),
            *(self.prepare, self.step, self.step, self.reserve, self.finish, self.give, self.buy, self.leave),
        ]
        for _ in range(WORKS_OF_EACH):
            work = self.draw.choice(works)
            try:
                await work()
            except PermanentError as refused:
                self.did[refused.problem.code] += 1
            else:
                self.did[work.__name__] += 1

    async def deliver(self) -> None:
        """Decisions that other writers deliver as well, in another order."""
        made = []
        for number in self.draw.sample(range(1, 150), 12):
            whose: dict[str, Any] = {"partner": f"p{number % PARTNERS}", "amount_minor": 100 * (number % 17 + 1)}
            day_ms = POSTED_AT_MS + (number % 9 - 2) * DAY_MS
            kinds: list[dict[str, Any]] = [
                {},
                {"available_at_ms": day_ms},
                {"expires_at_ms": day_ms},
                {"budgets": (CLAIM,)},
                {"takes_back": id_of(number - 4), "partner": f"p{(number - 4) % PARTNERS}", "amount_minor": -50},
            ]
            made.append(decided(number, **whose | kinds[number % 5]))
        await deliver(self.database, *made, at_ms=self.clock.at_ms)

    async def book(self) -> None:
        work = self.draw.choice((self.bookings.void, self.bookings.release))
        await work(id_of(self.draw.choice(HELD)), Money(1, "USD"), ANN)

    async def top_up(self) -> None:
        await self.bookings.top_up(KEY, 500, ANN)

    async def write_off(self) -> None:
        await self.bookings.write_off(f"{self.partner}:available", "USD", PROGRAMME, None, ANN)

    async def prepare(self) -> None:
        period = f"r{self.draw.randrange(6)}"
        terms = Terms(minimum_minor=100, fee_minor=5)
        await self.preparer.prepare(Asked(programme=PROGRAMME, unit="USD", period=period, terms=terms), who="ann")

    async def step(self) -> None:
        """A run a step further, or one payout of it out of its way."""
        run = f"{PROGRAMME}/USD/r{self.draw.randrange(6)}"
        match self.draw.randrange(6):
            case 0:
                await self.desk.cancel(run, who="bob", note="no")
            case 1:
                await self.desk.settle_run(run, who="bob", reference="bank")
            case 2:
                async with self.database.connection() as connection:
                    found = await store.find_run(connection, run)
                    paid = [] if found is None else await store.payouts_of(connection, found.id)
                if paid:
                    await self.desk.return_(self.draw.choice(paid).id, None, "AC04", who="bob")
            case number:
                await (self.desk.approve if number == 3 else self.desk.send)(run, who="bob")

    async def reserve(self) -> None:
        key = f"k{self.number}-{self.draw.randrange(1_000)}"
        await self.redemptions.reserve(PROGRAMME, "thing", self.partner, quantity=1, key=key, by="ann")

    async def finish(self) -> None:
        found = await self.redemptions.listed(state="reserved")
        if found:
            one = self.draw.choice(found)
            if self.draw.randrange(2):
                await self.redemptions.fulfil(one.id, by="bob")
            else:
                await self.redemptions.cancel(one.id, reason="no", by="bob")

    async def buy(self) -> None:
        """Under keys that others use as well."""
        number = self.draw.randrange(PARTNERS)
        await self.memberships.buy(
            PROGRAMME, f"partner:p{number}", PLUS, key=f"m{number}-{self.draw.randrange(8)}", by="bob"
        )

    async def leave(self) -> None:
        found = await self.memberships.listed(state="active")
        if found:
            await self.memberships.cancel(self.draw.choice(found).id, reason="no", by="bob")

    async def give(self) -> None:
        gift = await self.gifts.propose(
            PROGRAMME,
            self.partner,
            Money(10, "USD"),
            budget="shared",
            reason="thanks",
            key=f"g{self.draw.randrange(30)}",
            by="ann",
        )
        await self.gifts.approve(gift.id, by="bob")


async def begin(database: Database) -> None:
    """What has become due before anybody ticks."""
    clock = SetClock(BOUGHT_AT_MS)
    redemptions = redeeming(database, clock)
    memberships = Memberships(database, Ledger(database), clock=clock)
    first = [decided(1_000 + number, partner=f"p{number}", amount_minor=200_00) for number in range(PARTNERS)]
    await deliver(database, *first, at_ms=clock.at_ms)
    for number in range(PARTNERS):
        whose = f"partner:p{number}"
        await memberships.buy(PROGRAMME, whose, PLUS, key=f"old-{number}", by="bob")
        await redemptions.reserve(PROGRAMME, "thing", whose, quantity=2, key=f"old-{number}", by="ann")


@pytest.mark.timeout(240)
async def test_eight_writers_do_everything_at_once(database: Database, ledger_url: str, seed: int) -> None:
    clock = SetClock(POSTED_AT_MS + 3 * DAY_MS)
    await publish(database, clock, thing={"price": "1.00 USD", "stock": 20})
    for number in range(PARTNERS):
        one = payee(f"p{number}", method="manual", currency="USD", iban=None)
        await set_payee(database, one, who="ann", clock=clock)
    await begin(database)
    pools = [Database(ledger_url, application=f"w{n}", connections_max=3, setup=SETUP) for n in range(WRITERS)]
    writers = [Writer(pool, clock, seed, number) for number, pool in enumerate(pools)]
    try:
        for pool in pools:
            await pool.start()
        await asyncio.gather(*(writer.work() for writer in writers))
    finally:
        for pool in pools:
            await pool.stop()
    did = sum((writer.did for writer in writers), Counter[str]())
    for work in ("deliver", "tick", "book", "top_up", "prepare", "step", "reserve", "finish", "give", "buy", "leave"):
        assert did[work], did
    # The server counts for itself, a little later than it happens.
    await database.fetch_all("SELECT pg_stat_force_next_flush()")
    rows = await database.fetch_all("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert rows == [(0,)]
    await assert_sound(database)
    rows = await database.fetch_all(
        "SELECT (SELECT count(*) FROM rewards.memberships WHERE key LIKE 'old-%%' AND state = 'active' AND term = 0),"
        " (SELECT count(*) FROM rewards.redemptions WHERE key LIKE 'old-%%' AND state = 'reserved'),"
        " (SELECT sum(term + 1) FROM rewards.memberships)"
        " - (SELECT count(*) FROM rewards.transfers WHERE stage = 'fee_charged'),"
        " (SELECT count(*) FROM rewards.payouts) > 0"
    )
    # What was overdue is ended or renewed, each term has one fee, and somebody was to be paid.
    assert rows == [(0, 0, 0, True)]
    found = found_balances(ledger_url)
    reserved = [minor for (account, _), minor in found.items() if account.endswith((":reserved", ":paid", ":pending"))]
    assert min(reserved, default=0) >= 0
    taken = await database.fetch_all(
        "SELECT coalesce(sum(quantity), 0) FROM rewards.redemptions WHERE state <> 'cancelled'"
    )
    assert taken[0][0] <= 20
