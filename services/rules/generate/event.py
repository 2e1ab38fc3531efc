"""All that one event of one partner can cause, in the order of docs/rules.md#order: one function per event type.

The function takes a state and an event, changes the state in place, and returns the decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contracts.decisions import Decision
from contracts.events import EVENT_TYPES, SYSTEM_TYPES, Event
from contracts.ruleset import RuleSet
from services.rules.bounds.bounded import Bounds
from services.rules.clock.calendar import BLOCK_MS
from services.rules.clock.silences import Silences
from services.rules.deciding.clawback import SALES, note_sale, take_back
from services.rules.deciding.considered import Considered
from services.rules.deciding.decide import deny_event
from services.rules.deciding.vocabulary import Vocabulary, contest_metric
from services.rules.generate.arrival import LEAD_QUALIFIED, write_arrival, write_begun, write_fact
from services.rules.generate.case import write_case, write_fields
from services.rules.generate.contests import CONTEST_CLOSED, Contests
from services.rules.generate.gate import LEAD_EVENTS, REFUND, Gate
from services.rules.generate.metrics import FirstWin, Taker, takers_of
from services.rules.generate.milestones import Milestones
from services.rules.generate.reads import Reads
from services.rules.generate.reviews import Reviews
from services.rules.generate.rewards import Rewards, reward_rules, write_rewards, write_selection
from services.rules.generate.source import Source
from services.rules.generate.tiers import TIER_ASSIGNED, Tiers
from services.rules.states.state import NEVER, PartnerState
from services.rules.terms.locking import lock_deal

Decide = Callable[[PartnerState, Event], list[Decision]]
DAY_CLOSED: Final = "clock.day_closed"


class EventRule:
    """What an event of one type can cause under one revision."""

    def __init__(
        self,
        rules: RuleSet,
        revision: int,
        vocabulary: Vocabulary,
        tiers: Tiers,
        bounds: Bounds,
        event_type: str,
    ) -> None:
        self._rules = rules
        self._revision = revision
        self._vocabulary = vocabulary
        self._tiers = tiers
        self._bounds = bounds
        self._event_type = event_type
        self._silences = Silences(rules)
        self._reviews = Reviews(rules, revision, vocabulary)
        self._contests = Contests(rules, vocabulary, bounds)
        self._milestones = Milestones(rules, vocabulary, bounds)
        self._gate = Gate(rules, revision, vocabulary, event_type)
        self.rewards = self._rewards_on({event_type})
        metrics = (*rules.metrics, *map(contest_metric, rules.contests))
        self._takers = takers_of(event_type, metrics, notes_wins=bounds.has_lasts)
        # What an event brings at which a lead qualifies: `lead.qualified` happens at it, too.
        self._rewards_at_qualification = self.rewards
        self._takers_at_qualification = self._takers
        if event_type in LEAD_EVENTS and event_type != LEAD_QUALIFIED:
            self._rewards_at_qualification = self._rewards_on({event_type, LEAD_QUALIFIED})
            self._takers_at_qualification = (*self._takers, *takers_of(LEAD_QUALIFIED, metrics))

    def _rewards_on(self, event_types: set[str]) -> Rewards:
        rewards = [reward for reward in self._rules.rewards if event_types.intersection(reward.on)]
        rules = reward_rules(rewards, self._rules.groups, self._vocabulary, self._event_type, self._bounds)
        return Considered(rules, [reward.when for reward in rewards])

    def function(self) -> Decide:
        decide: Decide = self.source().function()
        return decide

    def source(self) -> Source:
        source = Source("state, event")
        reads = Reads(source, self._vocabulary, self._event_type, self._revision)
        write_arrival(reads)
        write_fact(reads)
        if self._rules.lock_terms is not None:
            self._write_lock(source)
        if self._event_type in SALES and self._bounds.claws:
            source.add(f"{source.constant(note_sale)}(deal, data)")
        self._write_clock(reads)
        is_assigned = self._event_type == TIER_ASSIGNED
        is_prize = self._event_type == CONTEST_CLOSED
        if not (is_assigned or is_prize or self._event_type in LEAD_EVENTS or self.rewards.rules or self._takers):
            idle = f"not ({self._tiers.unsettled()})"
            if self._event_type == REFUND:
                idle = f"deal.sales is None and {idle}"
            source.add(f"if {idle} and not made: return []" if self._has_clock_work else f"if {idle}: return []")
        if not self._has_clock_work:
            source.add("made = []")
        if self._event_type == REFUND:
            with source.block("if deal.sales is not None:"):
                take = source.constant(take_back)
                source.add(f"made += {take}({write_case(reads)}, deal, data, day, state.rates, tier)")
        self._write_rules(reads)
        if is_prize:
            self._gate.write(reads, is_shown=True)
            self._contests.write_prize(reads)
        if is_assigned:
            self._tiers.write_assignment(reads)
        else:
            self._tiers.write(reads)
        source.add("return made")
        return source

    @property
    def _has_clock_work(self) -> bool:
        """Whether anything but the event may be decided when the clock moves."""
        return self._reviews.are_held or bool(self._silences.series)

    def _write_lock(self, source: Source) -> None:
        """A lead is pinned where it is registered, and a deal by its lead (`services.rules.terms.locking`)."""
        if self._event_type == "lead.registered":
            source.add(f"lead.locked_by = {int(self._revision)}")
        elif self._event_type.startswith("deal."):
            source.add(f"if data.lead is not None: {source.constant(lock_deal)}(state, deal, data.lead.id)")

    def _write_clock(self, reads: Reads) -> None:
        """Step 2: the partner's clock moves to the event's local day, if that is later; it never goes back."""
        source = reads.source
        zone = self._vocabulary.zone
        blocks, learn = source.constant(zone.blocks), source.constant(zone.learn)
        source.add(
            f"day = {blocks}.get(time_ms // {BLOCK_MS})",
            f"if day is None: day = {learn}(time_ms)",
            "clock = state.clock_day",
        )
        first = "" if self._tiers.first is None else source.constant(self._tiers.first)
        if self._has_clock_work:
            source.add("made = []")
            if first:
                source.add(f"if state.tier is None: state.tier = {first}")
            source.add("if clock is None: clock = state.clock_day = day")
            with source.block("elif day > clock:"):
                self._write_passing(reads)
                source.add("clock = state.clock_day = day")
            source.add("tier = state.tier")
            return
        source.add("if clock is None or day > clock: clock = state.clock_day = day", "tier = state.tier")
        if first:
            source.add(f"if tier is None: tier = state.tier = {first}")

    def _write_passing(self, reads: Reads) -> None:
        """What happens on the days that the clock passes, before the event."""
        if self._reviews.are_held:
            self._reviews.write(reads)
        if self._silences.series:
            tell = reads.source.constant(self._silences.tell)
            reads.source.add(f"made += {tell}({write_case(reads)}, state, day - 1)")

    def _write_rules(self, reads: Reads) -> None:
        """Steps 3 to 6."""
        source, gate, rewards = reads.source, self._gate, self.rewards
        if self._event_type in LEAD_EVENTS:
            write_fields(reads)
            gate.write(reads, is_shown=True)
            if gate.asks_lead:
                gate.write_lead(reads)
            if gate.is_lead_qualified:
                gate.write_said(source)
            self._write_lead_consequences(reads)
            return
        if not rewards.rules:
            if self._takers:
                gate.write(reads, is_shown=False)
        elif rewards.tests:
            write_selection(reads, rewards)
            with source.block("if chosen:"):
                gate.write(reads, is_shown=True)
                write_fields(reads)
                write_rewards(reads, rewards, self._bounds)
            with source.block("else:"):
                gate.write(reads, is_shown=False)
        else:
            gate.write(reads, is_shown=True)
            write_fields(reads)
            write_rewards(reads, rewards, self._bounds)
        self._write_takers(reads, self._takers)

    def _write_lead_consequences(self, reads: Reads) -> None:
        """Steps 5 and 6 of an event at which a lead may have qualified."""
        source = reads.source
        if self._event_type == LEAD_QUALIFIED or not self._gate.asks_lead:
            self._write_consequences(reads, self.rewards, self._takers)
            return
        with source.block("if qualifies:"):
            self._write_consequences(reads, self._rewards_at_qualification, self._takers_at_qualification)
        with source.block("else:"):
            self._write_consequences(reads, self.rewards, self._takers)

    def _write_consequences(self, reads: Reads, rewards: Rewards, takers: tuple[Taker | FirstWin, ...]) -> None:
        if rewards.tests:
            write_selection(reads, rewards)
            with reads.source.block("if chosen:"):
                write_rewards(reads, rewards, self._bounds)
        elif rewards.rules:
            write_rewards(reads, rewards, self._bounds)
        self._write_takers(reads, takers)

    def _write_takers(self, reads: Reads, takers: tuple[Taker | FirstWin, ...]) -> None:
        if not takers:
            return
        with reads.source.block("if not blocked:"):
            kept = self._milestones.write_before(reads, (taker.series for taker in takers))
            counted = self._contests.write_before(reads, (taker.series for taker in takers))
            for taker in takers:
                taker.write(reads)
            self._milestones.write_after(reads, kept)
            self._contests.write_after(reads, counted)
            if any(taker.series in self._tiers.series for taker in takers):
                reads.source.add(f"state.settled_by = {NEVER}")
            if any(taker.series in self._silences.series for taker in takers):
                soonest = reads.source.constant(self._silences.soonest)
                alarm_day = reads.source.constant(self._silences.alarm_day)
                # What is late may be silent sooner than what is taken today.
                is_set = f"clock < state.alarm_day <= {soonest}[clock] and day == clock"
                reads.source.add(f"if not ({is_set}): state.alarm_day = {alarm_day}(state)")


def write_day_closed(rules: RuleSet, revision: int, vocabulary: Vocabulary) -> Decide:
    """What the close of a day does to a partner whose silences may be due (`PartnerState.alarm_day`)."""
    silences = Silences(rules)
    source = Source("state, event")
    reads = Reads(source, vocabulary, DAY_CLOSED, revision)
    write_begun(reads)
    day_of, tell = source.constant(vocabulary.zone.day_of), source.constant(silences.tell)
    source.add(
        f"made = {tell}({write_case(reads)}, state, {day_of}(time_ms))",
        f"state.alarm_day = {source.constant(silences.alarm_day)}(state)",
        "return made",
    )
    decide: Decide = source.function()
    return decide


def _without_programme(event_type: str) -> Decide:
    """Before the first revision an event is remembered and decided as such, and its fact is still to happen."""
    source = Source("state, event")
    reads = Reads(source, Vocabulary(_NO_RULES), event_type, 0)
    write_arrival(reads)
    source.add(f"return [{source.constant(deny_event)}({write_case(reads)}, 'no programme yet')]")
    decide: Decide = source.function()
    return decide


_NO_RULES: Final = RuleSet(programme="none", currency="USD", timezone="UTC")
WITHOUT_PROGRAMME: Final = {event_type: _without_programme(event_type) for event_type in (*EVENT_TYPES, *SYSTEM_TYPES)}
"""What is decided before the first revision, by event type."""
