"""A process that redeems, sells and gives, to be killed: `python -m tests.….redeeming_process URL SEED`.

It carries out `wishes(SEED)` from the beginning, each under its own key, so that what an earlier process did is met
again. After each it prints how many are durable.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any, Literal, NamedTuple

from contracts.errors import PermanentError
from contracts.money import Money
from runtime.database import Database
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import Limits
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.store import SETUP, Ledger
from tests.support.catalogues import PROGRAMME, redeeming
from tests.support.ledger import SetClock

WISHES = 80
PEOPLE = 4
ITEMS = {"card": 7, "gift": 5, "perk": 3}
"""With their prices in USD."""
FEE_MINOR = 31_00
GIFT_MINOR = 2_00


Kind = Literal["fulfilled", "cancelled", "reserved", "membership", "gift"]
KINDS: tuple[Kind, ...] = ("fulfilled", "fulfilled", "cancelled", "reserved", "membership", "gift")


class Wish(NamedTuple):
    """What somebody wants; `what` is an item, or empty for the others."""

    key: str
    whom: str
    kind: Kind
    what: str = ""


def wishes(seed: int) -> list[Wish]:
    draw = random.Random(seed)
    made = []
    for number in range(WISHES):
        whom = f"partner:p{draw.randrange(PEOPLE)}"
        kind = draw.choice(KINDS)
        made.append(Wish(f"k{number}", whom, kind, draw.choice(list(ITEMS))))
    return made


async def carry_out(wish: Wish, database: Database, clock: SetClock) -> None:
    ledger = Ledger(database)
    if wish.kind == "gift":
        gifts = Gifts(database, ledger, clock=clock, limits=Limits({}, {}))
        reasons: dict[str, Any] = {"budget": "goodwill", "period": "", "reason": "a test"}
        money = Money(GIFT_MINOR, "USD")
        gift = await gifts.propose(PROGRAMME, wish.whom, money, key=wish.key, by="ann", **reasons)
        await gifts.approve(gift.id, by="bob")
    elif wish.kind == "membership":
        offer = Offer("plus", "bronze", "month", FEE_MINOR, "USD", renews=True)
        try:
            await Memberships(database, ledger, clock=clock).buy(PROGRAMME, wish.whom, offer, key=wish.key, by="ann")
        except PermanentError as error:
            # One at a time: the others are refused, whichever of them comes first.
            if error.problem.code != "membership-active":
                raise
    else:
        on = redeeming(database, clock)
        made = await on.reserve(PROGRAMME, wish.what, wish.whom, quantity=1, key=wish.key, by="ann")
        if wish.kind == "fulfilled":
            await on.fulfil(made.id, by="ann")
        elif wish.kind == "cancelled":
            await on.cancel(made.id, reason="a test", by="ann")


async def main(url: str, seed: int) -> None:
    database = Database(url, application="rewards", setup=SETUP)
    await database.start()
    clock = SetClock()
    for done, wish in enumerate(wishes(seed), 1):
        await carry_out(wish, database, clock)
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
    await database.stop()
    sys.stdout.write("all\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
