"""The rewards service's operations as the command line uses them: on the store itself, with the service's settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from goodword.amounts import Amounts
from goodword.asking import ask
from goodword.target import find_target
from goodword.terminal import emit_json, print_fields, problems_shown
from runtime.clock import Clock, SystemClock
from runtime.database import Database
from services.rewards.by_hand import Bookings
from services.rewards.catalogue.publishing import Catalogues
from services.rewards.gifts.desk import Gifts
from services.rewards.memberships.selling import Memberships
from services.rewards.papers.store import Papers
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.preparing import Preparer
from services.rewards.redemptions.redeeming import Redemptions
from services.rewards.settings import RewardsSettings
from services.rewards.store import SETUP, Ledger

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Rewards:
    """A stack's ledger, and all that people do there."""

    database: Database
    clock: Clock

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.database)

    @cached_property
    def settings(self) -> RewardsSettings:
        return RewardsSettings()

    @property
    def bookings(self) -> Bookings:
        return Bookings(self.database, clock=self.clock)

    @property
    def catalogues(self) -> Catalogues:
        return Catalogues(self.database, clock=self.clock)

    @property
    def redemptions(self) -> Redemptions:
        days_max = self.settings.rewards_reserved_days_max
        return Redemptions(self.database, self.ledger, clock=self.clock, reserved_days_max=days_max)

    @property
    def memberships(self) -> Memberships:
        return Memberships(self.database, self.ledger, clock=self.clock)

    @property
    def gifts(self) -> Gifts:
        return Gifts(self.database, self.ledger, clock=self.clock, limits=self.settings.gift_limits)

    @property
    def papers(self) -> Papers:
        return Papers(self.database, clock=self.clock)

    @property
    def preparer(self) -> Preparer:
        return Preparer(self.database, self.ledger, clock=self.clock)

    @property
    def desk(self) -> PayoutDesk:
        return PayoutDesk(self.database, self.ledger, clock=self.clock)


@asynccontextmanager
async def rewards_at(postgres: str) -> AsyncIterator[Rewards]:
    """A stack's ledger, in the role of its service."""
    database = Database(postgres, application="command-line", setup=SETUP)
    await database.start()
    try:
        yield Rewards(database, SystemClock())
    finally:
        await database.stop()


def with_rewards(postgres: str, work: Callable[[Rewards], Awaitable[Answer]]) -> Answer:
    """Do something to a stack's ledger, outside of an event loop."""

    async def do() -> Answer:
        async with rewards_at(postgres) as rewards:
            return await work(rewards)

    return asyncio.run(do())


def done(data: Path | None, work: Callable[[Rewards], Awaitable[Answer]]) -> Answer:
    """What a command did, or asked; problems end it."""
    with problems_shown():
        return with_rewards(find_target(data).postgres, work)


def done_in_amounts(data: Path | None, work: Callable[[Rewards], Awaitable[Answer]]) -> tuple[Answer, Amounts]:
    """The same, with what it takes to show amounts of it."""
    return ask(data, lambda postgres: with_rewards(postgres, work))


def show_one(row: dict[str, object], *, as_json: bool) -> None:
    """One thing as the API shows it, field by field."""
    if as_json:
        emit_json(row)
    else:
        print_fields(row)
