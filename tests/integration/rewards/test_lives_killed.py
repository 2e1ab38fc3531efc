"""kill -9 of processes that settle, release, expire and resume, at random moments, two at a time.

Promise: whatever was killed between which statements, in the end every hold was resolved once, every lot closed once,
every claim made once: balances equal those of plain Python, to the cent.
"""

from __future__ import annotations

import random
import signal
from collections import defaultdict

import pytest

from contracts.decisions import Decision
from goodword.embedded.postgres import PostgresServer
from runtime.database import Database
from services.rewards.store import SETUP
from tests.integration.rewards.lives_process import CLAIM, stream
from tests.integration.rewards.test_posting_killed import durable_after, posting
from tests.support.ledger import assert_sound, found_balances

LIVES = "tests.integration.rewards.lives_process"


def expected(decisions: list[Decision]) -> dict[tuple[str, str], int]:
    """After the last hold and the last lot: in which order things happened makes no difference any more."""
    grants = {one.id: one for one in decisions if one.takes_back is None}
    taken: dict[str, int] = defaultdict(int)
    for one in {one.id: one for one in decisions if one.takes_back is not None}.values():
        taken[one.takes_back or ""] -= one.amount_minor or 0
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for id, one in grants.items():
        granted = one.amount_minor or 0
        if one.budgets:
            sums[f"programme:crm-sales:spent:{CLAIM.budget}:{CLAIM.period}", "USD"] += granted
        if one.unit == "USD":
            left = granted - min(granted, taken[id])
            sums[f"{one.beneficiary}:available", "USD"] += left
            sums["programme:crm-sales:cost", "USD"] -= left
    return {key: minor for key, minor in sums.items() if minor}


@pytest.mark.timeout(240)
async def test_whatever_is_killed_whenever_each_hold_and_lot_is_resolved_once(
    postgres_server: PostgresServer, ledger_url: str, seed: int
) -> None:
    draw = random.Random(seed)
    for _ in range(3):
        processes = [posting(ledger_url, seed, LIVES) for _ in range(2)]
        for process in processes:
            durable_after(process, draw.randrange(1, 15))
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    output, _ = posting(ledger_url, seed, LIVES).communicate(timeout=150)
    assert output.endswith("all\n")
    kinds = (":available", ":pending", ":cost", f":spent:{CLAIM.budget}:{CLAIM.period}")
    found = {key: minor for key, minor in found_balances(ledger_url).items() if minor and key[0].endswith(kinds)}
    assert found == expected(stream(seed))
    database = Database(ledger_url, application="rewards", setup=SETUP)
    await database.start()
    await assert_sound(database)
    rows = await database.fetch_all(
        "SELECT (SELECT count(*) FROM rewards.lives WHERE state = 'waiting' OR pending_minor + lot_minor > 0),"
        " (SELECT count(*) FROM rewards.conflicts), (SELECT count(*) FROM rewards.refusals)"
    )
    assert rows == [(0, 0, 0)]
    await database.stop()
