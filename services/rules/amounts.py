"""What a reward comes to: the share first, then one rounding, half-even; then the ceiling.

A percentage is taken of the shared base and rounded once; a fixed amount is shared. What cannot be worked out (no
base, no value for a lookup, a ceiling in another currency without a rate) is no amount at all, with the reason,
never a guess (docs/rules.md#amounts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from contracts.decisions import TraceLine
from contracts.events import Amount
from contracts.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, PPM, Money, format_minor, round_half_even
from contracts.ruleset import Given, Lookup, PercentOf, Reward
from services.rules.judge import number_text
from services.rules.slots import Slots

PART: Final = "amount"
_PPM_PER_PERCENT: Final = PPM // 100


class Granted(msgspec.Struct, frozen=True, gc=False):
    """What a reward comes to, before anybody is named; `reason` is set when it comes to nothing."""

    reason: str
    amount_minor: int | None = None
    unit: str | None = None
    base_minor: int | None = None
    base_unit: str | None = None
    percent_ppm: int | None = None
    clamped_minor: int = 0
    trace: tuple[TraceLine, ...] = ()


class AmountRule:
    """The amount of one reward, ready to be worked out."""

    def __init__(self, reward: Reward, slot_of: Mapping[str, int], decimals: Mapping[str, int]) -> None:
        self._decimals = decimals
        self._at_most = reward.at_most
        self._given: Given | None = None
        self._choices: dict[str, tuple[Given, TraceLine]] | None = None
        give = reward.give
        if isinstance(give, Lookup):
            self._by = f"by {give.by}"
            self._by_path = give.by
            self._by_slot = slot_of[give.by]
            self._choices = {
                value: (given, TraceLine(self._by, value, "met", PART)) for value, given in reversed(give.values)
            }
            self._otherwise = give.otherwise
        else:
            self._given = give
        self._base_slots = {path: slot_of[path] for path in base_paths(reward)}

    def work_out(self, x: Slots, share_ppm: int) -> Granted:
        given = self._given
        trace: tuple[TraceLine, ...] = ()
        if given is None:
            given, trace, reason = self._look_up(x)
            if given is None:
                return Granted(reason, trace=trace)
        if isinstance(given, Money):
            minor = given.amount_minor
            if share_ppm != PPM:
                minor = round_half_even(minor * share_ppm, PPM)
            return self._limited(minor, given.unit, None, None, None, trace)
        base = x[self._base_slots[given.of]]
        if base is None:
            return self._nothing(f"{given.of} is missing", given.of, f"{given.of} is missing", trace)
        base_minor = base.minor
        if share_ppm != PPM:
            base_minor = round_half_even(base_minor * share_ppm, PPM)
        minor = round_half_even(base_minor * given.percent_ppm, PPM)
        return self._limited(minor, base.currency, base_minor, base.currency, given.percent_ppm, trace)

    def _look_up(self, x: Slots) -> tuple[Given | None, tuple[TraceLine, ...], str]:
        assert self._choices is not None
        value = x[self._by_slot]
        chosen = self._choices.get(value)
        if chosen is not None:
            return chosen[0], (chosen[1],), ""
        saw = f"{self._by_path} is missing" if value is None else str(value)
        if self._otherwise is not None:
            return self._otherwise, (TraceLine(self._by, saw, "not met", PART),), ""
        reason = saw if value is None else f"nothing is given for {self._by_path} {saw}"
        return None, (TraceLine(self._by, saw, "unknown" if value is None else "not met", PART),), f"{PART}: {reason}"

    def _limited(
        self,
        minor: int,
        unit: str,
        base_minor: int | None,
        base_unit: str | None,
        percent_ppm: int | None,
        trace: tuple[TraceLine, ...],
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
        reason = ""
        if minor <= 0:
            reason = "the amount is zero" if minor == 0 else "the amount is negative"
        elif minor > AMOUNT_MINOR_MAX:
            reason = "the amount is too large"
        return Granted(reason, minor, unit, base_minor, base_unit, percent_ppm, clamped_minor, trace)

    def _nothing(self, reason: str, condition: str, saw: str, trace: tuple[TraceLine, ...]) -> Granted:
        return Granted(f"{PART}: {reason}", trace=(*trace, TraceLine(condition, saw, "unknown", PART)))

    def _money(self, minor: int, unit: str) -> str:
        return f"{format_minor(minor, self._decimals.get(unit, CURRENCY_DECIMALS.get(unit, 0)))} {unit}"


def base_paths(reward: Reward) -> list[str]:
    """The paths that percentages of the reward are taken of."""
    give = reward.give
    if isinstance(give, Lookup):
        givens = [given for _, given in give.values]
        if give.otherwise is not None:
            givens.append(give.otherwise)
    else:
        givens = [give]
    return sorted({given.of for given in givens if isinstance(given, PercentOf)})


def shared(value: Any, share_ppm: int) -> Any:
    """The share of an amount; other values are not shared."""
    if share_ppm == PPM or not isinstance(value, Amount):
        return value
    return Amount(round_half_even(value.minor * share_ppm, PPM), value.currency)


def percent_text(percent_ppm: int) -> str:
    """75_000 as `7.5`."""
    return number_text(percent_ppm * PPM // _PPM_PER_PERCENT)
