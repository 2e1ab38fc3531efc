"""kill -9 of processes that redeem, sell and give, at random moments, two at a time.

Promise: whatever was killed between which statements, in the end every wish was carried out once: balances, stock and
codes are what plain Python says, to the cent.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from typing import Any

import pytest

from goodword.embedded.postgres import PostgresServer
from runtime.database import Database
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.catalogue.publishing import Catalogues
from services.rewards.legs import ByHand
from services.rewards.store import SETUP
from tests.integration.rewards.redeeming_process import FEE_MINOR, GIFT_MINOR, ITEMS, PEOPLE, wishes
from tests.integration.rewards.test_posting_killed import durable_after, posting
from tests.support.catalogues import publish
from tests.support.decisions import decided
from tests.support.ledger import SetClock, assert_sound, deliver, found_balances

PROCESS = "tests.integration.rewards.redeeming_process"
EARNED_MINOR = 1_000_00


@pytest.mark.timeout(240)
async def test_whatever_is_killed_whenever_each_wish_is_carried_out_once(
    postgres_server: PostgresServer, ledger_url: str, seed: int
) -> None:
    database = Database(ledger_url, application="rewards", setup=SETUP)
    await database.start()
    await deliver(database, *(decided(n, partner=f"p{n}", amount_minor=EARNED_MINOR) for n in range(PEOPLE)))
    stocks: dict[str, Any] = {name: {"price": f"{price} USD", "stock": 500} for name, price in ITEMS.items()}
    await publish(database, **(stocks | {"gift": {"price": f"{ITEMS['gift']} USD", "stock": "codes"}}))
    codes = [f"CODE-{number}" for number in range(200)]
    await Catalogues(database, clock=SetClock()).load_codes("crm-sales", "gift", codes, by="ann")
    goodwill = BudgetKey("crm-sales", "goodwill", "", "USD")
    await Bookings(database, clock=SetClock()).top_up(goodwill, 1_000_00, ByHand("for the test", "ann"))
    draw = random.Random(seed)
    for _ in range(2):
        processes = [posting(ledger_url, seed, PROCESS) for _ in range(2)]
        for process in processes:
            durable_after(process, draw.randrange(1, 40))
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    output, _ = posting(ledger_url, seed, PROCESS).communicate(timeout=150)
    assert output.endswith("all\n")
    await assert_sound(database)
    found = {address: minor for (address, _), minor in found_balances(ledger_url).items() if minor}
    assert {address: minor for address, minor in found.items() if address.startswith("partner:")} == expected(seed)
    rows = await database.fetch_all("SELECT item, taken FROM rewards.catalogue_items")
    taken = Counter(wish.what for wish in wishes(seed) if wish.kind in ("fulfilled", "reserved"))
    assert {item: count for item, count in rows if count} == dict(taken)
    await database.stop()


def expected(seed: int) -> dict[str, int]:
    """Each wish once; of memberships, the first of each partner."""
    sums: Counter[str] = Counter({f"partner:p{number}:available": EARNED_MINOR for number in range(PEOPLE)})
    members = set()
    for wish in wishes(seed):
        available = f"{wish.whom}:available"
        price_minor = ITEMS[wish.what] * 100
        if wish.kind == "gift":
            sums[available] += GIFT_MINOR
        elif wish.kind == "membership" and wish.whom not in members:
            members.add(wish.whom)
            sums[available] -= FEE_MINOR
        elif wish.kind in ("fulfilled", "reserved"):
            sums[available] -= price_minor
            if wish.kind == "reserved":
                sums[f"{wish.whom}:reserved"] += price_minor
    return {address: minor for address, minor in sums.items() if minor}
