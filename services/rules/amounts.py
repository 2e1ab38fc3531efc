"""What a reward comes to: the share first, then one rounding, half-even; then the ceiling.

A percentage is taken of the shared base and rounded once; a fixed amount is shared. What cannot be worked out (no
base, no value for a lookup, a ceiling in another currency without a rate) is no amount at all, with the reason,
never a guess (docs/rules.md#amounts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.decisions import TraceLine
from contracts.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, PPM, Money, format_minor, round_half_even
from contracts.ruleset import Given, Lookup, PercentOf, Reward, givens_of
from services.rules.judge import number_text

PART: Final = "amount"
RAISE: Final = "raise"
_PPM_PER_PERCENT: Final = PPM // 100


Granted = tuple[str, tuple[TraceLine, ...], int | None, str | None, int | None, str | None, int | None, int]
"""What a reward comes to, before anybody is named: why it comes to nothing (else empty), trace, minor units, unit, base
in minor units, its unit, percentage in ppm, and what a ceiling took off. Without an amount, nothing was taken off."""


class AmountRule:
    """The amount of one reward, ready to be worked out.

    Attributes:
        by: The path that a lookup looks at; None without one.
        bases: The paths that percentages are taken of, in the order in which `work_out` wants their values.
        is_fixed: Whether it is one amount, with no ceiling and nothing to show in a trace.
    """

    def __init__(self, reward: Reward, decimals: Mapping[str, int]) -> None:
        self._decimals = decimals
        self._at_most = reward.at_most
        self._given: Given | None = None
        self._choices: dict[str, tuple[Given, TraceLine]] = {}
        self.by: str | None = None
        self.bases = base_paths(reward)
        give = reward.give
        if isinstance(give, Lookup):
            self.by = give.by
            self._choices = {
                value: (given, TraceLine(f"by {give.by}", value, "met", PART)) for value, given in reversed(give.values)
            }
            self._otherwise = give.otherwise
        elif isinstance(give, Money | PercentOf):
            self._given = give
        self.is_fixed = isinstance(give, Money) and self._at_most is None
        self._whole = self._limited(give.amount_minor, give.unit) if self.is_fixed and isinstance(give, Money) else None

    def work_out(self, share_ppm: int, by: Any, bases: Sequence[Any], raised_ppm: int = 0) -> Granted:
        """The amount for this share; `by` and `bases` are what the event shows at the paths of those names.

        `raised_ppm` adds to whatever percentage is given.
        """
        if share_ppm == PPM and self._whole is not None:
            return self._whole
        given = self._given
        trace: tuple[TraceLine, ...] = ()
        if given is None:
            given, trace, reason = self._look_up(by)
            if given is None:
                return _denied(reason, trace)
        if isinstance(given, Money):
            return self._limited(shared(given.amount_minor, share_ppm), given.unit, trace=trace)
        base = bases[self.bases.index(given.of)]
        if base is None:
            return self._nothing(f"{given.of} is missing", given.of, f"{given.of} is missing", trace)
        base_minor = shared(base.minor, share_ppm)
        percent_ppm = given.percent_ppm + raised_ppm
        if raised_ppm:
            trace = (*trace, TraceLine("raised", f"+{percent_text(raised_ppm)}", "met", RAISE))
        minor = round_half_even(base_minor * percent_ppm, PPM)
        return self._limited(minor, base.currency, base_minor, base.currency, percent_ppm, trace)

    def _look_up(self, value: Any) -> tuple[Given | None, tuple[TraceLine, ...], str]:
        chosen = self._choices.get(value)
        if chosen is not None:
            return chosen[0], (chosen[1],), ""
        saw = f"{self.by} is missing" if value is None else str(value)
        line = f"by {self.by}"
        if self._otherwise is not None:
            return self._otherwise, (TraceLine(line, saw, "not met", PART),), ""
        reason = saw if value is None else f"nothing is given for {self.by} {saw}"
        return None, (TraceLine(line, saw, "unknown" if value is None else "not met", PART),), f"{PART}: {reason}"

    def _limited(
        self,
        minor: int,
        unit: str,
        base_minor: int | None = None,
        base_unit: str | None = None,
        percent_ppm: int | None = None,
        trace: tuple[TraceLine, ...] = (),
    ) -> Granted:
        clamped_minor = 0
        at_most = self._at_most
        if at_most is not None:
            if at_most.unit != unit:
                text = f"at_most {self._money(at_most.amount_minor, at_most.unit)}"
                saw = f"{self._money(minor, unit)}, no rate from {unit} to {at_most.unit}"
                return self._nothing(f"{text}: {saw}", text, saw, trace)
            if minor > at_most.amount_minor:
                clamped_minor = minor - at_most.amount_minor
                text = f"at_most {self._money(at_most.amount_minor, unit)}"
                trace = (*trace, TraceLine(text, self._money(minor, unit), "not met", PART))
                minor = at_most.amount_minor
        if 0 < minor <= AMOUNT_MINOR_MAX:
            return "", trace, minor, unit, base_minor, base_unit, percent_ppm, clamped_minor
        reason = "the amount is zero" if minor == 0 else "the amount is negative"
        if minor > 0:
            reason = "the amount is too large"
        return reason, trace, None, None, base_minor, base_unit, percent_ppm, 0

    def _nothing(self, reason: str, condition: str, saw: str, trace: tuple[TraceLine, ...]) -> Granted:
        return _denied(f"{PART}: {reason}", (*trace, TraceLine(condition, saw, "unknown", PART)))

    def _money(self, minor: int, unit: str) -> str:
        return f"{format_minor(minor, self._decimals.get(unit, CURRENCY_DECIMALS.get(unit, 0)))} {unit}"


def base_paths(reward: Reward) -> list[str]:
    """The paths that percentages of the reward are taken of."""
    givens = givens_of(reward.give)
    return sorted({given.of for given in givens if isinstance(given, PercentOf)})


def shared(minor: int, share_ppm: int) -> int:
    """The share of an amount in minor units, rounded half-even."""
    return minor if share_ppm == PPM else round_half_even(minor * share_ppm, PPM)


def _denied(reason: str, trace: tuple[TraceLine, ...]) -> Granted:
    return reason, trace, None, None, None, None, None, 0


def percent_text(percent_ppm: int) -> str:
    """75_000 as `7.5`."""
    return number_text(percent_ppm * PPM // _PPM_PER_PERCENT)
