"""What a reward comes to: the share first, then one rounding, half-even; then the ceiling.

A percentage is taken of the shared base and rounded once, of brackets with `marginal` after the exact slices were
summed; a fixed amount is shared. What is given stays in its own currency: a ceiling or bounds in another one are
converted. What cannot be worked out (no base, no value for a lookup, no rate) is no amount at all, with the
reason, never a guess (docs/rules.md#amounts).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from contracts.decisions import TraceLine
from contracts.events import Amount
from contracts.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, PPM, Money, format_minor, is_currency, round_half_even
from contracts.ruleset import Brackets, Give, PercentOf, Reward, givens_of
from services.rules.amounts.lookups import PART, bound_of, branch_text, chooser_of, paths_of
from services.rules.amounts.measures import amount_in_words, number_text
from services.rules.amounts.rates import NO_RATES, Rates, no_rate
from services.rules.deciding.vocabulary import Vocabulary

RAISE: Final = "raise"
_PPM_PER_PERCENT: Final = PPM // 100


Granted = tuple[str, tuple[TraceLine, ...], int | None, str | None, int | None, str | None, int | None, int]
"""What a reward comes to, before anybody is named: why it comes to nothing (else empty), trace, minor units, unit, base
in minor units, its unit, percentage in ppm (None where slices have their own), and what a ceiling took off. Without an
amount, nothing was taken off."""


class AmountRule:
    """The amount of one reward, ready to be worked out.

    Attributes:
        by: The paths that a lookup looks at, in the order in which `work_out` wants their values; empty without one.
        bases: The paths that percentages are taken of, likewise.
        is_fixed: Whether it is one amount, with no ceiling and nothing to show in a trace.
        whole: What a fixed one comes to when nothing is shared; None for any other.
        converts: Whether it has to know the day and its rates.
    """

    def __init__(self, reward: Reward, vocabulary: Vocabulary) -> None:
        give = reward.give
        self._decimals = vocabulary.decimals
        self._at_most = reward.at_most
        self._at_most_text = ""
        if reward.at_most is not None:
            self._at_most_text = f"at_most {self._money(reward.at_most.amount_minor, reward.at_most.unit)}"
        self._given = give if isinstance(give, Money | PercentOf) else None
        self._slices = _Slices(give) if isinstance(give, Brackets) and give.marginal else None
        self._chooser = None if isinstance(give, Money | PercentOf) else chooser_of(give, vocabulary)
        self.by = () if isinstance(give, Money | PercentOf) else paths_of(give)
        self.bases = base_paths(reward)
        self.is_fixed = isinstance(give, Money) and self._at_most is None
        self.converts = _converts(give, self._at_most)
        self.whole: Granted | None = None
        if self.is_fixed and isinstance(give, Money):
            self.whole = self._limited(give.amount_minor, give.unit)

    def work_out(
        self,
        share_ppm: int,
        by: Sequence[Any],
        bases: Sequence[Any],
        day: int = 0,
        rates: Rates = NO_RATES,
        raised_ppm: int = 0,
    ) -> Granted:
        """The amount for this share; `by` and `bases` are what the event shows at the paths of those names.

        `raised_ppm` is added to whatever percentage is given, and to that of every slice.
        """
        if share_ppm == PPM and self.whole is not None:
            return self.whole
        given = self._given
        trace: tuple[TraceLine, ...] = ()
        if self._slices is not None and bases[0] is not None and bases[0].minor >= 0:
            return self._sliced(self._slices, share_ppm, bases[0], day, rates, raised_ppm)
        if self._chooser is not None:
            given, trace, reason = self._chooser.choose(by, day, rates)
            if given is None:
                return _denied(reason, trace)
        assert given is not None
        if isinstance(given, Money):
            return self._limited(shared(given.amount_minor, share_ppm), given.unit, day, rates, trace=trace)
        base = bases[self.bases.index(given.of)]
        if base is None:
            return _nothing(f"{given.of} is missing", given.of, f"{given.of} is missing", trace)
        base_minor = shared(base.minor, share_ppm)
        percent_ppm = given.percent_ppm + raised_ppm
        if raised_ppm:
            trace = (*trace, _raised(raised_ppm))
        minor = round_half_even(base_minor * percent_ppm, PPM)
        return self._limited(minor, base.currency, day, rates, base_minor, base.currency, percent_ppm, trace)

    def _sliced(
        self, slices: _Slices, share_ppm: int, base: Amount, day: int, rates: Rates, raised_ppm: int
    ) -> Granted:
        base_minor = shared(base.minor, share_ppm)
        factor: Fraction | None = Fraction(1)
        if slices.currency != base.currency:
            rate = rates.factor(slices.currency, base.currency, day)
            factor = None if rate is None else Fraction(rate.numerator, rate.denominator)
        if factor is None:
            saw = f"{amount_in_words(base)}, {no_rate(base.currency, slices.currency)}"
            return _nothing(f"{slices.text}: {saw}", slices.text, saw, ())
        total = Fraction(0)
        trace: list[TraceLine] = []
        for text, slice_minor, percent_ppm in slices.of(base_minor, factor):
            total += slice_minor * (percent_ppm + raised_ppm)
            slice_text = amount_in_words(Amount(round(slice_minor), base.currency))
            trace.append(TraceLine(text, f"{slice_text} at {percent_text(percent_ppm + raised_ppm)} %", "met", PART))
        if raised_ppm:
            trace.append(_raised(raised_ppm))
        minor = round_half_even(total.numerator, total.denominator * PPM)
        return self._limited(minor, base.currency, day, rates, base_minor, base.currency, None, tuple(trace))

    def _limited(
        self,
        minor: int,
        unit: str,
        day: int = 0,
        rates: Rates = NO_RATES,
        base_minor: int | None = None,
        base_unit: str | None = None,
        percent_ppm: int | None = None,
        trace: tuple[TraceLine, ...] = (),
    ) -> Granted:
        clamped_minor = 0
        at_most = self._at_most
        if at_most is not None:
            ceiling_minor, note = at_most.amount_minor, ""
            if at_most.unit != unit:
                factor = rates.factor(at_most.unit, unit, day)
                if factor is None:
                    text = self._at_most_text
                    saw = f"{self._money(minor, unit)}, {no_rate(unit, at_most.unit)}"
                    return _nothing(f"{text}: {saw}", text, saw, trace)
                ceiling_minor = factor.of(ceiling_minor)
                note = f", at most {self._money(ceiling_minor, unit)} at {factor.text}"
            if minor > ceiling_minor:
                clamped_minor = minor - ceiling_minor
                trace = (*trace, TraceLine(self._at_most_text, self._money(minor, unit) + note, "not met", PART))
                minor = ceiling_minor
        if 0 < minor <= AMOUNT_MINOR_MAX:
            return "", trace, minor, unit, base_minor, base_unit, percent_ppm, clamped_minor
        reason = "the amount is zero" if minor == 0 else "the amount is negative"
        if minor > 0:
            reason = "the amount is too large"
        return reason, trace, None, None, base_minor, base_unit, percent_ppm, 0

    def _money(self, minor: int, unit: str) -> str:
        return f"{format_minor(minor, self._decimals.get(unit, CURRENCY_DECIMALS.get(unit, 0)))} {unit}"


class _Slices:
    """The brackets of a marginal lookup; the lowest begins at 0."""

    def __init__(self, brackets: Brackets) -> None:
        first = brackets.brackets[0].at
        assert isinstance(first, Money)
        self.currency = first.unit
        self.text = branch_text(brackets, None)
        self._rates: list[tuple[int, str, int]] = []
        for bracket in brackets.brackets:
            assert isinstance(bracket.given, PercentOf)
            self._rates.append((bound_of(bracket), branch_text(brackets, bracket), bracket.given.percent_ppm))

    def of(self, base_minor: int, factor: Fraction) -> list[tuple[str, Fraction, int]]:
        """Name, exact size in the base's currency, and percentage of every slice that the base reaches into."""
        bounds = [bound * factor for bound, _, _ in self._rates]
        ends = [*bounds[1:], Fraction(base_minor)]
        return [
            (text, min(end, Fraction(base_minor)) - start, percent_ppm)
            for start, end, (_, text, percent_ppm) in zip(bounds, ends, self._rates, strict=True)
            if base_minor > start
        ]


def base_paths(reward: Reward) -> list[str]:
    """The paths that percentages of the reward are taken of."""
    givens = givens_of(reward.give)
    return sorted({given.of for given in givens if isinstance(given, PercentOf)})


def shared(minor: int, share_ppm: int) -> int:
    """The share of an amount in minor units, rounded half-even."""
    return minor if share_ppm == PPM else round_half_even(minor * share_ppm, PPM)


def percent_text(percent_ppm: int) -> str:
    """75_000 as `7.5`."""
    return number_text(percent_ppm * PPM // _PPM_PER_PERCENT)


def _raised(raised_ppm: int) -> TraceLine:
    return TraceLine("raised", f"+{percent_text(raised_ppm)}", "met", RAISE)


def _converts(give: Give, at_most: Money | None) -> bool:
    """Whether an amount of the event may meet one of the file that is in another currency."""
    if isinstance(give, Brackets) and isinstance(give.brackets[0].at, Money):
        return True
    if at_most is None or not is_currency(at_most.unit):
        return False
    return any(isinstance(given, PercentOf) or given.unit != at_most.unit for given in givens_of(give))


def _denied(reason: str, trace: tuple[TraceLine, ...]) -> Granted:
    return reason, trace, None, None, None, None, None, 0


def _nothing(reason: str, condition: str, saw: str, trace: tuple[TraceLine, ...]) -> Granted:
    return _denied(f"{PART}: {reason}", (*trace, TraceLine(condition, saw, "unknown", PART)))
