"""Conversions explain every fraction: units balance, and the rounding account is what single payouts rounded away.

The pure core, any rates and amounts, payouts entering and leaving in any order: the oracle adds exact fractions.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import TransferPosted
from contracts.money import CURRENCY_DECIMALS, round_half_even
from services.rewards.legs import ByHand
from services.rewards.payouts import moves
from services.rewards.payouts.conversion import PublishedRate, applied_rate, enter, leave
from services.rewards.payouts.payable import Candidate, decide
from services.rewards.payouts.payout import Payout, Run
from services.rewards.payouts.plan import Terms
from tests.support.payouts import payee

DONE = moves.Done(1_000, 1_000, ByHand("test", "ann"))
UNITS = ("JPY", "EUR", "KWD", "CLF")
rates = st.tuples(st.integers(1, 10**7), st.integers(0, 6)).map(
    lambda r: f"{r[0] // 10 ** r[1]}.{r[0] % 10 ** r[1]:0{max(r[1], 1)}d}"
)


@given(
    unit=st.sampled_from(UNITS),
    currency=st.sampled_from(UNITS),
    text=rates.filter(lambda rate: Fraction(rate) > 0),
    is_inverse=st.booleans(),
    amounts=st.lists(st.integers(1, 10**12), min_size=1, max_size=12),
    fee=st.integers(0, 50),
    fates=st.lists(st.sampled_from(("stay", "return", "settle", "cancel")), min_size=12, max_size=12),
)
def test_every_unit_balances_and_rounding_is_explained(
    unit: str, currency: str, text: str, is_inverse: bool, amounts: list[int], fee: int, fates: list[str]
) -> None:
    if unit == currency:
        return
    pair = (currency, unit) if is_inverse else (unit, currency)
    published = PublishedRate(*pair, date(2026, 3, 1), text, "test")
    rate = applied_rate(None if is_inverse else published, published if is_inverse else None, currency)
    assert rate is not None
    exact = Fraction(text) ** (-1 if is_inverse else 1)
    exact *= Fraction(10 ** CURRENCY_DECIMALS[currency], 10 ** CURRENCY_DECIMALS[unit])
    balances: dict[tuple[str, str], int] = defaultdict(int)
    position, live, converted = 0, 0, 0

    def book(made: list[TransferPosted]) -> None:
        for leg in made:
            balances[leg.debit, leg.unit] -= leg.amount_minor
            balances[leg.credit, leg.unit] += leg.amount_minor

    payouts = []
    for number, minor in enumerate(amounts):
        payout = made_of(number, minor, unit, currency, fee, rate)
        if payout is None:
            continue
        assert payout.pay_minor == round_half_even(payout.net_minor * exact.numerator, exact.denominator)
        book(moves.prepare(payout, enter(rate, position, payout.net_minor), DONE))
        position += payout.net_minor
        payouts.append(payout)
    for payout, fate in zip(payouts, fates, strict=False):
        if fate == "cancel":
            book(moves.step(payout, "cancel", leave(rate, position, payout.net_minor), DONE))
            position -= payout.net_minor
            continue
        for step, state in (("approve", "approved"), ("send", "sent"))[: 0 if fate == "stay" else 2]:
            book(moves.step(payout, step, None, DONE))  # type: ignore[arg-type]  # a step of the table above
            payout.state = state  # type: ignore[assignment]  # as above
        if fate == "return":
            book(moves.step(payout, "return", leave(rate, position, payout.net_minor), DONE))
            position -= payout.net_minor
            continue
        if fate == "settle":
            book(moves.step(payout, "settle", None, DONE))
        live += payout.pay_minor
        converted += payout.net_minor
    for each in (unit, currency):
        assert sum(minor for (_, of), minor in balances.items() if of == each) == 0
    whole = round_half_even(converted * exact.numerator, exact.denominator)
    assert balances["programme:p:conversion", unit] == converted == position
    assert balances["programme:p:conversion", currency] == -whole
    assert balances["programme:p:rounding", currency] == whole - live
    # Half a minor unit each, and half of one for all of them together.
    assert abs(whole - live) <= (len(payouts) + 1) / 2


def made_of(number: int, minor: int, unit: str, currency: str, fee: int, rate: object) -> Payout | None:
    run = Run(
        id="r",
        reference=f"p/{unit}/{number}",
        programme="p",
        unit=unit,
        period=str(number),
        state="preparing",
        terms=Terms(fee_minor=fee),
        day="2026-03-05",
        prepared_at_ms=1_000,
        prepared_by="ann",
    )
    to = payee("ann", method="manual", currency=currency)
    made = decide(run, Candidate("partner:ann", minor, minor), to, rate)  # type: ignore[arg-type]  # of applied_rate
    return made if isinstance(made, Payout) else None
