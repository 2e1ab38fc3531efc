"""The ledger against a small model: every way in which money moves, in any order.

A state machine delivers decisions (each possibly again, in any batch), lets days pass and the clockwork tick, books by
hand, pays out, redeems, sells memberships and gives. The model keeps plain dictionaries and does one thing after the
other. After every step balances, shelves and what the rules are told are the same; whatever is refused is refused for
one of the model's reasons; in the end every invariant holds, and the chain from end to end. One database for all
examples; each has names of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from runtime.database import Database
from runtime.migrations import migrate
from services.rewards import legs
from services.rewards.chain.verify import verify_chain
from services.rewards.store import SETUP
from tests.property.ledger_machine.gifts import GiftsRules
from tests.property.ledger_machine.memberships import MembershipsRules
from tests.property.ledger_machine.office import House
from tests.property.ledger_machine.payouts import PayoutsRules

EXAMPLES = 16
STEPS = 34
ELSEWHERE = {legs.STAGE_CONVERTED, legs.STAGE_ROUNDED}
"""Exchange rates have a model of their own, in `test_payout_conversion.py`."""
NOT_ALWAYS = (legs.STAGE_EXPIRED, legs.STAGE_VOIDED, legs.STAGE_FEE_REFUNDED, "renewed", "overdue", "resumed")
"""Reached by some of the runs; everything else by most of them, because they all begin with it."""


class Machine(PayoutsRules, MembershipsRules, GiftsRules):
    """All of it at once."""


@pytest.fixture
def house(postgres_module_url: str) -> Iterator[House]:
    migrate(postgres_module_url, "rewards")
    with asyncio.Runner() as runner:
        database = Database(postgres_module_url, application="rewards", connections_max=3, setup=SETUP)
        runner.run(database.start())
        yield House(database, runner)
        runner.run(database.stop())


@pytest.mark.timeout(300)
def test_the_ledger_does_what_the_model_says(house: House, postgres_module_url: str, seed: int) -> None:
    machine = hypothesis.seed(seed)(type("BoundMachine", (Machine,), {"house": house}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            # A minimal example would take minutes of database work; the seed replays the failure as it was.
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    told = ", ".join(f"{name} {count}" for name, count in house.reached.most_common())
    print(f"{house.steps} steps of {house.examples} runs reached {told}")
    verified = verify_chain(postgres_module_url)
    assert verified.findings.first == []
    assert [turn for turn in NOT_ALWAYS if turn not in house.reached] == []
    always = set(legs.STAGES) - ELSEWHERE - set(NOT_ALWAYS)
    assert [stage for stage in sorted(always) if house.reached[stage] * 2 <= house.examples] == []
