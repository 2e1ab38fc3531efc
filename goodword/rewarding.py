"""The rewards service's operations as the command line uses them: on the store itself, with the service's settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from goodword.target import Target
from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.catalogue.publishing import Catalogues
from services.rewards.gifts.desk import Gifts
from services.rewards.memberships.selling import Memberships
from services.rewards.redemptions.redeeming import Redemptions
from services.rewards.settings import RewardsSettings
from services.rewards.store import SETUP, Ledger

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Rewards:
    """What can be done."""

    catalogues: Catalogues
    redemptions: Redemptions
    memberships: Memberships
    gifts: Gifts


def with_rewards(target: Target, work: Callable[[Rewards], Awaitable[Answer]]) -> Answer:
    """Do something to a stack's ledger, outside of an event loop."""

    async def do() -> Answer:
        settings = RewardsSettings()
        clock = SystemClock()
        database = Database(target.postgres, application="command-line", setup=SETUP)
        await database.start()
        try:
            ledger = Ledger(database)
            rewards = Rewards(
                catalogues=Catalogues(database, clock=clock),
                redemptions=Redemptions(
                    database, ledger, clock=clock, reserved_days_max=settings.rewards_reserved_days_max
                ),
                memberships=Memberships(database, ledger, clock=clock),
                gifts=Gifts(database, ledger, clock=clock, limits=settings.gift_limits),
            )
            return await work(rewards)
        finally:
            await database.stop()

    return asyncio.run(do())
