"""What all subjects of the machine share: one database for all examples, a programme and partners of one's own each.

Every step is held against the model twice: whether it is refused, and why, and what accounts hold afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from contracts.decisions import Decision
from contracts.errors import PermanentError
from runtime.database import Database
from services.rewards.legs import ByHand
from services.rewards.store import Ledger
from tests.property.ledger_machine.lives_model import Lives
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver

DAY_MS = 86_400_000
ANN = ByHand("model", "ann")
PARTNERS = 3
WHICH: Final = st.integers(0, 99)
"""One of what is there, counted round."""
numbers = itertools.count()

T = TypeVar("T")
Chore = Callable[[int], None]


@dataclass
class House:
    """What outlives an example.

    Attributes:
        reached: Stages, refusals and turns, each with in how many examples it was reached.
        examples, steps: How many there were.
    """

    database: Database
    runner: asyncio.Runner
    reached: Counter[str] = field(default_factory=Counter)
    examples: int = 0
    steps: int = 0


def calls(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A method of the machine with its arguments; a rule is one of those of a subject.

    One rule a subject, because hypothesis leaves some of the rules out of each example: so that what is left, of all
    that there is to do, goes together.
    """
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


class Office(RuleBasedStateMachine):
    """One example, which begins with something in everybody's account."""

    house: ClassVar[House]

    def __init__(self) -> None:
        super().__init__()
        self.name = f"m{next(numbers)}"
        self.database = self.house.database
        self.clock = SetClock(POSTED_AT_MS)
        self.ledger = Ledger(self.database)
        self.model = Lives(self.name)
        self.chores: list[Chore] = []
        self.made: list[Decision] = []
        self.partners = [f"partner:{self.name}-{number}" for number in range(PARTNERS)]
        self.reached: set[str] = set()
        for number in range(PARTNERS):
            # Some of it expires soon, in lots so small that whatever is spent takes of several.
            self.decide(number, 350)
            for days, minor in ((2, 5), (6, 15), (30, 20), (40, 30)):
                self.decide(number, minor, expires_at_ms=POSTED_AT_MS + days * DAY_MS)
        self.take(self.made)

    def decide(self, number: int, minor: int, **fields: Any) -> Decision:
        """Of a partner by number, unless the fields say whose."""
        made = decided(
            next(numbers), amount_minor=minor, programme=self.name, **({"partner": f"{self.name}-{number}"} | fields)
        )
        self.made.append(made)
        return made

    def take(self, batch: list[Decision]) -> None:
        """As the consumer does it: grants of which nothing is to be known come first."""
        now = self.now()
        self.run(deliver(self.database, *batch, at_ms=now))
        for decision in sorted(batch, key=lambda one: not _is_first(one, now)):
            self.model.take_decision(decision, now)

    def richest(self) -> int:
        return max(range(PARTNERS), key=lambda number: self.model.available(self.partners[number]))

    def now(self) -> int:
        """Time goes on from step to step."""
        self.clock.at_ms += 1
        return self.clock.at_ms

    def call(self, work: tuple[str, dict[str, Any]]) -> None:
        name, arguments = work
        getattr(self, name)(**arguments)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.house.runner.run(work)

    def agree(self, reasons: set[str], work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Done where the model has no reason against it; else refused, for one of the model's reasons."""
        if not reasons:
            return self.run(work())
        with pytest.raises(PermanentError) as refused:
            self.run(work())
        assert refused.value.problem.code in reasons
        self.reached.add(refused.value.problem.code)
        return None

    @invariant(check_during_init=True)
    def balances_are_the_models(self) -> None:
        self.house.steps += 1
        rows = self.run(
            self.database.fetch_all(
                "SELECT a.address, b.unit, b.minor FROM rewards.balances b"
                " JOIN rewards.accounts a ON a.id = b.account_id WHERE b.minor <> 0"
                " AND (split_part(a.address, ':', 2) = %(name)s OR a.address LIKE 'partner:' || %(name)s || '-%%')",
                {"name": self.name},
            )
        )
        assert {(address, unit): minor for address, unit, minor in rows} == {
            place: minor for place, minor in self.model.balances.items() if minor
        }
        for unit in {unit for _, unit, _ in rows}:
            assert sum(minor for _, each, minor in rows if each == unit) == 0

    def teardown(self) -> None:
        self.run(assert_sound(self.database))
        stages = self.run(
            self.database.fetch_all(
                "SELECT DISTINCT stage FROM rewards.transfers WHERE programme = %(name)s", {"name": self.name}
            )
        )
        self.house.examples += 1
        for reached in sorted({str(stage) for (stage,) in stages} | self.reached):
            self.house.reached[reached] += 1
            event(reached)


def _is_first(decision: Decision, now: int) -> bool:
    if decision.budgets or decision.expires_at_ms is not None or decision.takes_back is not None:
        return False
    return decision.available_at_ms is None or decision.available_at_ms <= now
