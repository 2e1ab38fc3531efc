"""From the currency of a balance into that of its owner's bank account, at a published rate. Pure.

Promises: exact fractions, and one rounding of each payout, half-even, to the minor unit that the bank pays in. What
rounding each payout on its own gives or takes beyond rounding all payouts of one rate at once is known to the minor
unit, and is booked (`moves.py`): so the conversion account stands at what was taken in, times the rate, rounded once.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

import msgspec

from contracts.money import CURRENCY_DECIMALS, round_half_even


class PublishedRate(NamedTuple):
    """What one unit of `base` is in `quote`, from that day on: an exact decimal as text."""

    base: str
    quote: str
    day: date
    rate: str
    source: str


class AppliedRate(msgspec.Struct, frozen=True, kw_only=True):
    """The rate of one payout, as it is kept with it.

    Attributes:
        text: For people: `EUR/USD 1.0842 of 2026-03-01`.
        day: Of the rate.
        source: Who published it.
        numerator, denominator: What minor units are multiplied by, as text: they may be longer than 64 bits.
    """

    text: str
    day: str
    source: str
    numerator: str
    denominator: str

    def of(self, minor: int) -> int:
        """Minor units converted, rounded half-even."""
        return round_half_even(minor * int(self.numerator), int(self.denominator))


class Rounded(NamedTuple):
    """What one payout does to its rate's position.

    Attributes:
        exact_minor: By how much the conversion account moves, in minor units converted to.
        rounding_minor: What the payout has beyond that: 1, 0 or -1.
    """

    exact_minor: int
    rounding_minor: int


def applied_rate(direct: PublishedRate | None, inverse: PublishedRate | None, to_unit: str) -> AppliedRate | None:
    """The newer of a pair told the one way and the other way, of one day the direct one; None without either.

    `direct` is the newest on the day from the balance's currency into `to_unit`, `inverse` the newest the other way,
    whose exact reciprocal is taken, as in the rules (docs/rules.md#rates).
    """
    chosen = direct if inverse is None or (direct is not None and direct.day >= inverse.day) else inverse
    if chosen is None:
        return None
    from_unit = chosen.quote if chosen.base == to_unit else chosen.base
    exact = Fraction(chosen.rate) if chosen.quote == to_unit else 1 / Fraction(chosen.rate)
    exact *= Fraction(10 ** CURRENCY_DECIMALS[to_unit], 10 ** CURRENCY_DECIMALS[from_unit])
    return AppliedRate(
        text=f"{chosen.base}/{chosen.quote} {chosen.rate} of {chosen.day.isoformat()}",
        day=chosen.day.isoformat(),
        source=chosen.source,
        numerator=str(exact.numerator),
        denominator=str(exact.denominator),
    )


def enter(rate: AppliedRate, position_minor: int, minor: int) -> Rounded:
    """What converting `minor` does, where `position_minor` was converted at that very rate before."""
    exact_minor = rate.of(position_minor + minor) - rate.of(position_minor)
    return Rounded(exact_minor, rate.of(minor) - exact_minor)


def leave(rate: AppliedRate, position_minor: int, minor: int) -> Rounded:
    """What taking `minor` out of a position again does; the signs are those of `enter`."""
    return enter(rate, position_minor - minor, minor)
