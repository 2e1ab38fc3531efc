"""The events of a test, from what it writes: ids and times are filled in, so that a line reads as it is meant.

A deal is the one before until it is won, lost or opened a second time, then it is a new one; leads likewise. Events
follow each other by a minute, the first one on a day in the middle of a month, a quarter and a year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.events import (
    Activity,
    ContestResult,
    Customer,
    Deal,
    Event,
    EventData,
    Lead,
    Link,
    PartnerProfile,
    Survey,
)
from contracts.ruleset import RuleSet, RuleTest
from services.rules.amounts.rates import is_pair
from services.rules.deciding.facts import ONCE
from services.rules.language.paths import can_be_in
from services.rules.language.rule_tests import CONTEXT_KEYS
from services.rules.testing.shorthand import Shorthand, UnusableTest

PARTNER: Final = "a-partner"
CUSTOMER: Final = "a-customer"
SOURCE: Final = "a-test"
FIRST_AT: Final = "2026-05-20T12:00:00"
"""Local to the programme: no window of a month, quarter or year begins on this day."""
STEP_MS: Final = 60_000
TIER_ASSIGNED: Final = "partner.tier_assigned"
_WITH_CUSTOMER: Final = ("lead.", "deal.")
# What a test does not write has no value, though a sender must write it.
_UNWRITTEN: Final[dict[str, dict[str, Any]]] = {
    "survey": {"kind": None, "score": None},
    "activity": {"kind": None},
    "link": {"code": None},
}
_STRUCTS: Final[dict[str, Any]] = {
    "customer": Customer,
    "deal": Deal,
    "lead": Lead,
    "survey": Survey,
    "activity": Activity,
    "link": Link,
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a test.

    Attributes:
        profile: What the event says about the partner although it is not about the partner: it holds from then on.
    """

    event: Event
    profile: PartnerProfile | None = None


def _result(written: Mapping[str, str]) -> ContestResult:
    """How the partner did in a contest: the last of as many as it takes."""
    for key in ("contest", "rank"):
        if key not in written:
            raise UnusableTest(f"contest.closed needs {key}")
    rank = int(written["rank"])
    return ContestResult(id=written["contest"], rank=rank, partners=rank, value=0)


class _Current:
    """The deal, or the lead, that events without an id are about."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0
        self._id = ""
        self._happened: dict[str, set[str]] = {}

    def id_for(self, event_type: str, written: str | None) -> str:
        if written is not None:
            self._id = written
        elif not self._id or (event_type in ONCE and event_type in self._happened[self._id]):
            self._count += 1
            self._id = f"{self._what}-{self._count}"
        self._happened.setdefault(self._id, set()).add(event_type)
        return self._id


class Story:
    """Makes the events of one test.

    Attributes:
        partner: Whom the test is about.
    """

    def __init__(self, rules: RuleSet, test: RuleTest, shorthand: Shorthand) -> None:
        self._programme = rules.programme
        self._test = test
        self._shorthand = shorthand
        self._given = {path: text for path, text in test.given.items() if self._is_carried(path)}
        self._deal, self._lead = _Current("deal"), _Current("lead")
        self.partner = test.given.get("partner.id", PARTNER)

    def _is_carried(self, path: str) -> bool:
        if path == "event.type":
            raise UnusableTest("event.type is said by each event: type: …")
        is_known_before = path in self._shorthand.metrics or path == "tier" or path.startswith("partner.")
        return not is_known_before and not is_pair(path)

    def happenings(self) -> list[Happening]:
        """All events in the order of the file.

        Raises:
            UnusableTest: An event carries what it cannot.
        """
        time_ms = self._shorthand.time_ms(FIRST_AT) - STEP_MS
        made = []
        for number, written in enumerate(self._test.events, 1):
            time_ms = self._shorthand.time_ms(written["time"]) if "time" in written else time_ms + STEP_MS
            made.append(self._happening(written, number, time_ms))
        return made

    def _happening(self, written: Mapping[str, str], number: int, time_ms: int) -> Happening:
        type = written["type"]
        own = {path: text for path, text in written.items() if path not in CONTEXT_KEYS}
        for path in own:
            if not can_be_in(path, type):
                raise UnusableTest(f"{path} cannot be in {type}")
        facts = {path: text for path, text in self._given.items() if can_be_in(path, type)} | own
        sections = self._shorthand.sections(facts)
        context = sections.pop("event", {})
        if context.get("type", type) != type:
            raise UnusableTest(f"the event is {type} and {context['type']} at once")
        profile = self._profile(sections.pop("partner", {}))
        alone = sections.pop("", {})
        if "tier" in alone and type != TIER_ASSIGNED:
            raise UnusableTest(f"{type} carries no tier: write it under given")
        is_about_partner = type.startswith("partner.")
        data = EventData(
            contest=_result(written) if type == "contest.closed" else None,
            programme=self._programme,
            partner=self.partner,
            profile=profile if is_about_partner else None,
            attributes=sections.pop("attributes", {}),
            period=f"period-{number}" if type == "deal.renewed" else None,
            refund_id=f"refund-{number}" if type == "deal.refunded" else None,
            step="a-step" if type == "partner.step_completed" else None,
            **alone,
            **self._structs(type, sections),
        )
        source = written.get("source", context.get("source", SOURCE))
        event = Event(type=type, source=source, id=written.get("id", f"event-{number}"), time_ms=time_ms, data=data)
        return Happening(event, None if is_about_partner else profile)

    def _profile(self, fields: dict[str, Any]) -> PartnerProfile | None:
        if fields.pop("id", self.partner) != self.partner:
            raise UnusableTest("a test is about one partner: write partner.id under given")
        return PartnerProfile(**fields) if fields else None

    def _structs(self, type: str, sections: dict[str, dict[str, Any]]) -> dict[str, Any]:
        if type.startswith(_WITH_CUSTOMER):
            sections.setdefault("customer", {})
        if "customer" in sections:
            sections["customer"].setdefault("id", CUSTOMER)
        about = type.partition(".")[0]
        if about in _STRUCTS:
            sections.setdefault(about, {})
        for what, current in (("deal", self._deal), ("lead", self._lead)):
            if what in sections:
                sections[what]["id"] = current.id_for(type, sections[what].get("id"))
        return {name: _STRUCTS[name](**(_UNWRITTEN.get(name, {}) | fields)) for name, fields in sections.items()}
