"""Terms (docs/rules.md#terms): which of them apply to a partner on a day, and what they make of a reward.

Which apply is found once per partner, revision and stretch of days in which no pilot begins or ends, and kept in the
partner's state until the profile changes, so whoever has no terms pays one comparison an event for those who have. What
they make of a reward is a reward of its own, compiled when first needed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from contracts.decisions import TraceLine
from contracts.ruleset import Override, Reward, RuleSet, Terms
from services.rules.clock.calendar import LIFETIME, date_of
from services.rules.states.state import PartnerState

PART: Final = "terms"
OFF: Final = "off"
_NO_END: Final = 2**31 - 1

Applying = tuple[int, int, int, tuple[int, ...] | None]
"""Revision, first and last local day, and the places of the terms that apply in between; None: none do."""


class Changed(msgspec.Struct, frozen=True):
    """A reward as terms have it.

    Attributes:
        trace: A line for each of the terms that change it.
        is_off: The terms take it away.
    """

    reward: Reward
    trace: tuple[TraceLine, ...]
    is_off: bool


class TermsBook:
    """The terms of one revision."""

    def __init__(self, rules: RuleSet, revision: int) -> None:
        self._terms = rules.terms
        self._revision = revision
        self._by_partner: dict[str, list[int]] = {}
        self._by_group: dict[str, list[int]] = {}
        for place, terms in enumerate(rules.terms):
            if terms.partner is not None:
                self._by_partner.setdefault(terms.partner, []).append(place)
            if terms.group is not None:
                self._by_group.setdefault(terms.group, []).append(place)
        self.rules = frozenset(override.rule for terms in rules.terms for override in terms.overrides)
        """The rewards that some terms change."""

    def find(self, state: PartnerState, day: int) -> Applying:
        """What applies to the partner on the local day; kept in the state."""
        places = list(self._by_partner.get(state.partner, ()))
        for group in dict.fromkeys(state.profile.groups or ()):
            places += self._by_group.get(group, ())
        first, last = LIFETIME, _NO_END
        applying = []
        for place in sorted(places):
            terms = self._terms[place]
            begins = LIFETIME if terms.from_day is None else terms.from_day
            ends = _NO_END if terms.to_day is None else terms.to_day
            if day < begins:
                last = min(last, begins - 1)
            elif day > ends:
                first = max(first, ends + 1)
            else:
                first, last = max(first, begins), min(last, ends)
                applying.append(place)
        found = state.terms = self._revision, first, last, tuple(applying) or None
        return found

    def change(self, reward: Reward, places: tuple[int, ...]) -> Changed | None:
        """What the terms make of the reward; None when they leave it alone."""
        changes: dict[str, Any] = {}
        lines = []
        is_off = False
        for place in places:
            terms = self._terms[place]
            mine = [override for override in terms.overrides if override.rule == reward.id]
            if not mine:
                continue
            lines.append(TraceLine(words(terms), ", ".join(override.part for override in mine), "met", PART))
            for override in mine:
                if override.part == OFF:
                    is_off = True
                else:
                    changes |= _change(override)
        if not lines:
            return None
        return Changed(msgspec.structs.replace(reward, **changes), tuple(lines), is_off)


def _change(override: Override) -> dict[str, Any]:
    match override.part:
        case "give":
            return {"give": override.give}
        case "at_most":
            return {"at_most": override.at_most}
        case "limit":
            return {"limits": override.limits}
        case "for":
            return {"lasts": override.duration}
        case _:
            return {override.part: override.duration}


def words(terms: Terms) -> str:
    """`terms for group pilots from 2026-06-01 to 2026-08-31`."""
    whom = f"partner {terms.partner}" if terms.partner is not None else f"group {terms.group}"
    days = [(word, day) for word, day in (("from", terms.from_day), ("to", terms.to_day)) if day is not None]
    return " ".join([PART, "for", whom, *(f"{word} {date_of(day).isoformat()}" for word, day in days)])
