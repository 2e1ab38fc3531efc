"""What lots lose and get back, against plain Python that knows of each point which lot it is of.

Promise: through any run of grants, spendings, reservations, cancellations and expiries, the oldest goes first, nothing
reserved expires, what comes back after its date expires then, and every point ends exactly once.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.rewards.lives.life import Life
from services.rewards.lots.oldest_first import Place, left_of
from services.rewards.lots.spending import Part, Purse, purse_of, put_back, take_oldest

ANN = Place("partner:ann", "POINTS")


class Ledger:
    """As the store does it: one balance, lots with what their dates have still to close."""

    def __init__(self) -> None:
        self.available, self.reserved, self.expired = 0, 0, 0
        self.lots: dict[str, Life] = {}
        self.parts: list[tuple[int, tuple[Part, ...]]] = []

    def grant(self, minor: int, day: int) -> None:
        id = f"{len(self.lots):03}"
        self.lots[id] = Life(
            decision=id, state="posted", beneficiary=ANN[0], unit=ANN[1], granted_minor=minor, lot_minor=minor,
            expires_at_ms=day,
        )  # fmt: skip
        self.available += minor

    def open_lots(self) -> list[Life]:
        lots = [lot for lot in self.lots.values() if lot.lot_minor]
        return sorted(lots, key=lambda lot: (lot.expires_at_ms or 0, lot.decision))

    def purse(self, now: int) -> Purse:
        lots = self.open_lots()
        return purse_of(self.available, lots, left_of(lots, {ANN: self.available}, {}), now_ms=now)

    def reserve(self, minor: int, now: int) -> None:
        purse = self.purse(now)
        if minor <= purse.spendable_minor:
            self.parts.append((minor, take_oldest(purse, minor, self.lots)))
            self.available -= minor
            self.reserved += minor

    def end(self, index: int, *, is_fulfilled: bool) -> None:
        if self.parts:
            minor, parts = self.parts.pop(index % len(self.parts))
            self.reserved -= minor
            if not is_fulfilled:
                self.available += minor
                put_back(parts, self.lots)

    def tick(self, now: int) -> None:
        for lot in [lot for lot in self.open_lots() if (lot.expires_at_ms or 0) <= now]:
            others = sum(other.lot_minor for other in self.open_lots() if other is not lot)
            (left,) = left_of([lot], {ANN: self.available}, {ANN: others})
            lot.lot_minor, lot.expired_minor = 0, lot.expired_minor + left
            self.available -= left
            self.expired += left


class Model:
    """Each point by itself: the day it expires, and where it is."""

    def __init__(self) -> None:
        self.available: list[int] = []
        self.reservations: list[list[int]] = []
        self.expired = 0

    def reserve(self, minor: int, now: int) -> None:
        good = sorted(day for day in self.available if day > now)
        if minor <= len(good):
            self.reservations.append(good[:minor])
            for day in good[:minor]:
                self.available.remove(day)

    def end(self, index: int, *, is_fulfilled: bool) -> None:
        if self.reservations:
            points = self.reservations.pop(index % len(self.reservations))
            self.available += [] if is_fulfilled else points

    def tick(self, now: int) -> None:
        self.expired += sum(day <= now for day in self.available)
        self.available = [day for day in self.available if day > now]


STEPS = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 9), st.integers(1, 12)),
    st.tuples(st.just("reserve"), st.integers(1, 12), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 9), st.integers(0, 1)),
    st.tuples(st.just("day"), st.integers(1, 4), st.just(0)),
)


@given(steps=st.lists(STEPS, max_size=30))
def test_every_point_ends_once_the_oldest_first(steps: list[tuple[Any, int, int]]) -> None:
    ledger, model, now = Ledger(), Model(), 0
    for what, number, more in steps:
        if what == "grant":
            ledger.grant(number, now + more)
            model.available += [now + more] * number
        elif what == "reserve":
            ledger.reserve(number, now)
            model.reserve(number, now)
        elif what == "end":
            ledger.end(number, is_fulfilled=bool(more))
            model.end(number, is_fulfilled=bool(more))
            # What has come back too late is not there any more, whether or not the clock has been by.
            assert ledger.purse(now).spendable_minor == sum(day > now for day in model.available)
        else:
            now += number
            ledger.tick(now)
            model.tick(now)
        assert ledger.reserved == sum(map(len, model.reservations))
    ledger.tick(now)
    model.tick(now)
    assert (ledger.available, ledger.expired) == (len(model.available), model.expired)
