"""Terms of memberships: calendar months that do not wander, and refunds by days that never exceed the fee."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import format_time, parse_time_ms
from services.rewards.lots.spending import Part
from services.rewards.memberships.terms import DAY_MS, Membership, newest_parts, term_end, tier_afterwards, unused_minor

JAN_31 = parse_time_ms("2026-01-31T12:00:00Z")


def membership(**fields: Any) -> Membership:
    known: dict[str, Any] = {
        "id": "",
        "programme": "saas",
        "key": "k",
        "beneficiary": "partner:ann",
        "tier": "plus",
        "back_to": "bronze",
        "per": "month",
        "price_minor": 31_00,
        "unit": "USD",
        "bought_at_ms": JAN_31,
        "bought_by": "bob",
        "from_ms": JAN_31,
        "until_ms": JAN_31 + 31 * DAY_MS,
    }
    return Membership(**(known | fields))


ENDS: list[tuple[Any, int, str | None]] = [
    ("month", 0, "2026-02-28T12:00:00.000Z"),
    ("month", 1, "2026-03-31T12:00:00.000Z"),
    ("month", 12, "2027-02-28T12:00:00.000Z"),
    ("quarter", 0, "2026-04-30T12:00:00.000Z"),
    ("year", 1, "2028-01-31T12:00:00.000Z"),
    ("ever", 0, None),
]


@pytest.mark.parametrize(("per", "term", "ends"), ENDS)
def test_terms_are_counted_from_the_first(per: Any, term: int, ends: str | None) -> None:
    found = term_end(JAN_31, per, term)
    assert (None if found is None else format_time(found)) == ends


UNUSED = [
    # Days into a term of 31 days of 31.00, and what is owed back
    (-0.5, 0),
    (0, 30_00),
    (0.9, 30_00),
    (1, 29_00),
    (29.99, 1_00),
    (30, 0),
    (31, 0),
    (400, 0),
]


@pytest.mark.parametrize(("days", "owed_minor"), UNUSED)
def test_days_that_have_not_begun_are_owed_back(days: float, owed_minor: int) -> None:
    assert unused_minor(membership(), JAN_31 + round(days * DAY_MS)) == owed_minor


def test_what_never_ends_is_not_owed_back() -> None:
    assert unused_minor(membership(per="ever", until_ms=None), JAN_31) == 0


@given(
    price=st.integers(1, 10**15), days=st.integers(1, 1_000), early=st.integers(0, 10**11), more=st.integers(0, 10**9)
)
def test_less_is_owed_the_later_it_ends_and_never_more_than_the_fee(
    price: int, days: int, early: int, more: int
) -> None:
    one = membership(price_minor=price, until_ms=JAN_31 + days * DAY_MS)
    first, second = unused_minor(one, JAN_31 + early), unused_minor(one, JAN_31 + early + more)
    assert 0 <= second <= first <= price


@given(parts=st.lists(st.integers(1, 100), max_size=5), amount=st.integers(0, 600))
def test_the_longest_lasting_comes_back_first(parts: list[int], amount: int) -> None:
    taken = [Part(str(number), minor) for number, minor in enumerate(parts)]
    back = newest_parts(taken, amount)
    assert sum(part.minor for part in back) == min(amount, sum(parts))
    # All but the oldest of them are whole.
    assert list(back[1:]) == taken[len(taken) - len(back) + 1 :] if back else amount == 0 or not parts


@pytest.mark.parametrize(
    ("stands_in", "tier"), [(None, "bronze"), ("plus", "bronze"), ("gold", "gold"), ("ambassador", "ambassador")]
)
def test_whoever_stands_elsewhere_by_then_stays_there(stands_in: str | None, tier: str) -> None:
    assert tier_afterwards(membership(), stands_in) == tier
