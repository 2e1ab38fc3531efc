"""Whatever the batching, the order and the repeats of deliveries: the same balances, debits equal to credits.

Against the real ledger, one database for all examples: each has partners and a programme of its own, so that
balances of one are not those of another. The oracle adds up each decision once, in plain Python.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.decisions import Decision
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.reads import trial_balance
from services.rewards.store import SETUP
from tests.support.decisions import decided, denied
from tests.support.ledger import assert_sound, expected_balances, found_balances, transfers, writer_on

numbers = itertools.count()


class OpenLedger:
    """A ledger with an event loop of its own, because hypothesis runs many examples in one test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runner = asyncio.Runner()
        self.database = Database(url, application="rewards", connections_max=3, setup=SETUP)
        self.runner.run(self.database.start())

    def deliver(self, batches: list[list[Decision]], *, side_by_side: int) -> None:
        async def deliver() -> None:
            writer = writer_on(self.database, posting_transfers_max=20)
            for at in range(0, len(batches), side_by_side):
                await asyncio.gather(*(writer.post(transfers(*b)) for b in batches[at : at + side_by_side]))

        self.runner.run(deliver())

    def close(self) -> None:
        self.runner.run(self.database.stop())
        self.runner.close()


@pytest.fixture(scope="module")
def open_ledger(postgres_module_url: str) -> Iterator[OpenLedger]:
    migrate(postgres_module_url, "rewards")
    made = OpenLedger(postgres_module_url)
    yield made
    made.close()


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Decision], list[list[Decision]], int]:
    """Decisions; how they are delivered, each at least once; how many batches are in hand at a time."""
    example = next(numbers)
    amounts = st.one_of(st.none(), st.integers(1, 5), st.integers(1, 2**40))
    made = []
    for number, (amount, partner, unit) in enumerate(
        draw(
            st.lists(st.tuples(amounts, st.integers(0, 3), st.sampled_from(["USD", "POINTS"])), min_size=1, max_size=25)
        )
    ):
        names = {"partner": f"x{example}-{partner}", "programme": f"x{example}"}
        made.append(
            denied(number, **names) if amount is None else decided(number, amount_minor=amount, unit=unit, **names)
        )
    repeats = draw(st.lists(st.sampled_from(made), max_size=20))
    order = draw(st.permutations(made + repeats))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=8)) | {0, len(order)})
    batches = [order[start:end] for start, end in itertools.pairwise(cuts)]
    return made, batches, draw(st.integers(1, 4))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivered=deliveries())
def test_any_delivery_gives_the_same_balances(
    open_ledger: OpenLedger, delivered: tuple[list[Decision], list[list[Decision]], int]
) -> None:
    made, batches, side_by_side = delivered
    open_ledger.deliver(batches, side_by_side=side_by_side)
    own = {
        key: minor
        for key, minor in found_balances(open_ledger.url).items()
        if key[0].startswith((f"partner:{made[0].programme}-", f"programme:{made[0].programme}:"))
    }
    assert own == expected_balances(made)


def test_in_the_end_debits_equal_credits_in_every_unit(open_ledger: OpenLedger) -> None:
    for line in trial_balance(open_ledger.url):
        assert (line["minor"], line["debits"]) == (0, line["credits"])
    open_ledger.runner.run(assert_sound(open_ledger.database))
