"""A process that settles while days pass, to be killed: `python -m tests.integration.rewards.lives_process URL SEED`.

It delivers `stream(SEED)` from the beginning, in batches whose sizes it draws anew, while days pass with every batch
and the clockwork ticks beside. After each batch it prints how many decisions are durable; in the end it lets all holds
end, all lots expire, and tops the budget up until nobody waits.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from typing import Any

from contracts.decisions import BudgetClaim, Decision
from runtime.database import Database
from runtime.rounds import Rounds
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.clockwork import Clockwork
from services.rewards.legs import ByHand
from services.rewards.lives.settling import Settler
from services.rewards.store import SETUP, Ledger
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import SetClock, deliver

DECISIONS = 1_500
DAY_MS = 86_400_000
LAST_DAY = 100
CLAIM = BudgetClaim("yearly", "2026", 200_000, "USD", "hold")


def stream(seed: int) -> list[Decision]:
    """Grants on hold, of a budget, or of points that expire; some taken back in parts; a tenth of it all twice."""
    draw = random.Random(seed)
    made: list[Decision] = []
    for number in range(DECISIONS):
        partner = f"p{draw.randrange(20)}"
        day_ms = TIME_MS + draw.randrange(60) * DAY_MS
        kind = draw.randrange(4)
        if kind == 0 and made:
            taken = draw.choice(made)
            if taken.takes_back is None and taken.amount_minor is not None:
                part = -draw.randrange(1, taken.amount_minor + 1)
                fields: dict[str, Any] = {"partner": taken.partner, "unit": taken.unit, "takes_back": taken.id}
                made.append(decided(number, amount_minor=part, **fields))
        elif kind == 1:
            made.append(decided(number, partner=partner, unit="POINTS", amount_minor=50, expires_at_ms=day_ms))
        elif kind == 2:
            made.append(decided(number, partner=partner, amount_minor=draw.randrange(1, 10**4), budgets=(CLAIM,)))
        else:
            made.append(decided(number, partner=partner, amount_minor=draw.randrange(1, 10**4), available_at_ms=day_ms))
    for decision in draw.sample(made, len(made) // 10):
        made.insert(draw.randrange(len(made)), decision)
    return made


async def main(url: str, seed: int) -> None:
    decisions = stream(seed)
    sizes = random.Random(os.getpid())
    database = Database(url, application="rewards", setup=SETUP)
    await database.start()
    clock = SetClock(TIME_MS)
    work = Clockwork(
        database,
        Settler(database, Ledger(database)),
        clock=clock,
        batch_max=20,
        expiry_notice_days=5,
    )
    rounds = Rounds("clockwork", work.tick, every_s=0.01)
    await rounds.start()
    done = 0
    while done < len(decisions):
        batch = decisions[done : done + sizes.randrange(1, 80)]
        await deliver(database, *batch, at_ms=clock.at_ms)
        done += len(batch)
        clock.at_ms = TIME_MS + LAST_DAY * DAY_MS * done // len(decisions)
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
    await rounds.stop()
    bookings = Bookings(database, clock=clock)
    key = BudgetKey("crm-sales", CLAIM.budget, CLAIM.period, CLAIM.unit)
    await bookings.top_up(key, 10**9, ByHand("the end", "test"))
    while await work.tick():
        pass
    await database.stop()
    sys.stdout.write("all\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
