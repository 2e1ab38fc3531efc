"""What both sides granted for the same events, added up, and some of what differs. Pure.

Only grants are compared: a denial on one side and no decision on the other come to the same. Sums are by rule, unit and
local day of the event, so that they grow with rules and days and not with events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from contracts.decisions import Decision
from services.rules.clock.calendar import Zone

EXAMPLES_MAX: Final = 20
"""Of one rule: kept of a batch, and stored of a shadow."""
REASON_LENGTH_MAX: Final = 500
NOT_DECIDED: Final = "not decided"

SumKey = tuple[str, str, int]
"""Rule, unit (empty without an amount), local day."""


class Sum(msgspec.Struct):
    """Of one rule, unit and day: what each side granted, how often, and how many grants differ or are the same."""

    granted_before: int = 0
    granted_after: int = 0
    differing: int = 0
    same: int = 0
    before_minor: int = 0
    after_minor: int = 0


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One grant that differs.

    Attributes:
        before_minor, after_minor: None where that side granted no amount.
        before, after: `granted`, the tier that was reached, or why not.
    """

    rule: str
    partner: str
    beneficiary: str
    event_source: str
    event_id: str
    time_ms: int
    unit: str
    before_minor: int | None
    after_minor: int | None
    before: str
    after: str


class _Key(NamedTuple):
    """What a decision is about, the same on both sides."""

    event_source: str
    event_id: str
    partner: str
    rule: str
    beneficiary: str
    occasion: str


class Differences:
    """What a batch came to.

    Attributes:
        partners: Minor units before and after, of the grants that differ, by partner and unit.
        examples: By rule.
    """

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.sums: dict[SumKey, Sum] = {}
        self.partners: dict[tuple[str, str], tuple[int, int]] = {}
        self.examples: dict[str, list[Example]] = {}
        self.rejected_before = 0
        self.rejected_after = 0

    def take(self, before: Sequence[Decision], after: Sequence[Decision]) -> None:
        """The decisions of the same events, on both sides."""
        olds, news = _grants(before), _grants(after)
        differing = [
            pair
            for key in (*olds, *(key for key in news if key not in olds))
            if self._add(pair := (olds.get(key), news.get(key)))
        ]
        if differing:
            reasons = _reasons(before), _reasons(after)
            for old, new in differing:
                self._note(old, new, reasons)

    def _add(self, pair: tuple[Decision | None, Decision | None]) -> bool:
        """Add up both; returns whether they differ."""
        old, new = pair
        some = old or new
        assert some is not None
        key = some.rule, some.unit or "", self._zone.day_of(some.time_ms)
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = Sum()
        before_minor, after_minor = _minor(old), _minor(new)
        found.granted_before += old is not None
        found.granted_after += new is not None
        found.before_minor += before_minor or 0
        found.after_minor += after_minor or 0
        is_same = old is not None and new is not None and (before_minor, old.tier_to) == (after_minor, new.tier_to)
        found.differing += not is_same
        found.same += is_same
        return not is_same

    def _note(
        self, old: Decision | None, new: Decision | None, reasons: tuple[dict[_Key, str], dict[_Key, str]]
    ) -> None:
        some = old or new
        assert some is not None
        unit, key = some.unit or "", _key(some)
        before_minor, after_minor = _minor(old), _minor(new)
        if before_minor != after_minor:
            was, would = self.partners.get((some.partner, unit), (0, 0))
            self.partners[some.partner, unit] = was + (before_minor or 0), would + (after_minor or 0)
        examples = self.examples.setdefault(some.rule, [])
        if len(examples) >= EXAMPLES_MAX:
            return
        before, after = (
            reason.get(key, NOT_DECIDED)[:REASON_LENGTH_MAX] if grant is None else _told(grant)
            for grant, reason in zip((old, new), reasons, strict=True)
        )
        examples.append(
            Example(
                rule=some.rule,
                partner=some.partner,
                beneficiary=some.beneficiary,
                event_source=some.event_source,
                event_id=some.event_id,
                time_ms=some.time_ms,
                unit=unit,
                before_minor=before_minor,
                after_minor=after_minor,
                before=before,
                after=after,
            )
        )


def _key(decision: Decision) -> _Key:
    return _Key(
        decision.event_source,
        decision.event_id,
        decision.partner,
        decision.rule,
        decision.beneficiary,
        decision.occasion,
    )


def _grants(decisions: Sequence[Decision]) -> dict[tuple[_Key, str | None], Decision]:
    return {(_key(each), each.unit): each for each in decisions if each.granted}


def _reasons(decisions: Sequence[Decision]) -> dict[_Key, str]:
    return {_key(each): each.reason for each in decisions if not each.granted}


def _minor(grant: Decision | None) -> int | None:
    return None if grant is None else grant.amount_minor


def _told(grant: Decision) -> str:
    return f"tier {grant.tier_to}" if grant.tier_to else "granted"
