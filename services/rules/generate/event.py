"""All that one event of one partner can cause, in the order of docs/rules.md#order: one function per event type.

The function takes a state and an event, changes the state in place, and returns the decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contracts.decisions import Decision
from contracts.events import EVENT_TYPES, Event
from contracts.ruleset import RuleSet
from services.rules.calendar import BLOCK_MS
from services.rules.considered import Considered
from services.rules.decide import case_of, deny_event, encode_text, hash_begun
from services.rules.facts import ONCE, keep, remember, take_partner_facts
from services.rules.generate.gate import LEAD_EVENTS, Gate
from services.rules.generate.metrics import Taker, takers_of
from services.rules.generate.reads import Reads
from services.rules.generate.rewards import RewardRule, Rewards, write_rewards, write_selection
from services.rules.generate.source import Source
from services.rules.generate.tiers import TIER_ASSIGNED, Tiers
from services.rules.state import EVENT_HASH_BYTES, NEVER, PartnerState
from services.rules.vocabulary import Vocabulary

Decide = Callable[[PartnerState, Event], list[Decision]]
LEAD_QUALIFIED: Final = "lead.qualified"


class EventRule:
    """What an event of one type can cause under one revision."""

    def __init__(self, rules: RuleSet, revision: int, vocabulary: Vocabulary, tiers: Tiers, event_type: str) -> None:
        self._rules = rules
        self._revision = revision
        self._vocabulary = vocabulary
        self._tiers = tiers
        self._event_type = event_type
        self._gate = Gate(rules, revision, vocabulary, event_type)
        self._rewards = self._rewards_on({event_type})
        self._takers = takers_of(event_type, rules.metrics)
        # What an event brings at which a lead qualifies: `lead.qualified` happens at it, too.
        self._rewards_at_qualification = self._rewards
        self._takers_at_qualification = self._takers
        if event_type in LEAD_EVENTS and event_type != LEAD_QUALIFIED:
            self._rewards_at_qualification = self._rewards_on({event_type, LEAD_QUALIFIED})
            self._takers_at_qualification = (*self._takers, *takers_of(LEAD_QUALIFIED, rules.metrics))

    def _rewards_on(self, event_types: set[str]) -> Rewards:
        rewards = [reward for reward in self._rules.rewards if event_types.intersection(reward.on)]
        rules = [RewardRule(reward, self._vocabulary, self._event_type) for reward in rewards]
        return Considered(rules, [reward.when for reward in rewards])

    def function(self) -> Decide:
        return self._source().function()  # type: ignore[no-any-return]

    def _source(self) -> Source:
        source = Source("state, event")
        write_arrival(source, self._event_type)
        write_fact(source, self._event_type, self._revision)
        self._write_clock(source)
        if self._event_type == TIER_ASSIGNED:
            source.add("made = []")
        else:
            is_idle = self._event_type not in LEAD_EVENTS and not (self._rewards.rules or self._takers)
            if is_idle:
                source.add(f"if not ({self._tiers.unsettled()}): return []")
            source.add("made = []")
        reads = Reads(source, self._vocabulary, self._event_type)
        self._write_rules(reads)
        if self._event_type == TIER_ASSIGNED:
            self._tiers.write_assignment(source)
        else:
            self._tiers.write(reads)
        source.add("return made")
        return source

    def _write_clock(self, source: Source) -> None:
        """Step 2: the partner's clock moves to the event's local day, if that is later; it never goes back."""
        zone = self._vocabulary.zone
        blocks, learn = source.constant(zone.blocks), source.constant(zone.learn)
        source.add(
            f"day = {blocks}.get(time_ms // {BLOCK_MS})",
            f"if day is None: day = {learn}(time_ms)",
            "clock = state.clock_day",
            "if clock is None or day > clock: clock = state.clock_day = day",
            "tier = state.tier",
        )
        if self._tiers.first is not None:
            source.add(f"if tier is None: tier = state.tier = {source.constant(self._tiers.first)}")

    def _write_rules(self, reads: Reads) -> None:
        """Steps 3 to 6."""
        source, gate, rewards = reads.source, self._gate, self._rewards
        case = f"case = {source.constant(case_of)}(state, event, {int(self._revision)}, begun)"
        if self._event_type in LEAD_EVENTS:
            source.add(case)
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
                source.add(case)
                write_rewards(reads, rewards)
            with source.block("else:"):
                gate.write(reads, is_shown=False)
        else:
            gate.write(reads, is_shown=True)
            source.add(case)
            write_rewards(reads, rewards)
        self._write_takers(reads, self._takers)

    def _write_lead_consequences(self, reads: Reads) -> None:
        """Steps 5 and 6 of an event at which a lead may have qualified."""
        source = reads.source
        if self._event_type == LEAD_QUALIFIED or not self._gate.asks_lead:
            self._write_consequences(reads, self._rewards, self._takers)
            return
        with source.block("if qualifies:"):
            self._write_consequences(reads, self._rewards_at_qualification, self._takers_at_qualification)
        with source.block("else:"):
            self._write_consequences(reads, self._rewards, self._takers)

    def _write_consequences(self, reads: Reads, rewards: Rewards, takers: tuple[Taker, ...]) -> None:
        if rewards.tests:
            write_selection(reads, rewards)
            with reads.source.block("if chosen:"):
                write_rewards(reads, rewards)
        elif rewards.rules:
            write_rewards(reads, rewards)
        self._write_takers(reads, takers)

    def _write_takers(self, reads: Reads, takers: tuple[Taker, ...]) -> None:
        if not takers:
            return
        with reads.source.block("if not blocked:"):
            for taker in takers:
                taker.write(reads)
            if any(taker.series in self._tiers.series for taker in takers):
                reads.source.add(f"state.settled_by = {NEVER}")


def write_arrival(source: Source, event_type: str) -> None:
    """Step 1: a repeat ends here (docs/rules.md#repeats); a partner's snapshot is taken in."""
    begin, encode = source.constant(hash_begun), source.constant(encode_text)
    is_partner = event_type.startswith("partner.")
    source.add(
        "data = event.data; time_ms = event.time_ms",
        f"begun = {begin}(data.programme, event.source).copy()",
        f"begun.update({encode}(event.id))",
        f"hashed = begun.digest()[:{EVENT_HASH_BYTES}]",
        f"news = {source.constant(remember)}(state, time_ms, hashed, is_history={is_partner})",
        "if news is False: return []",
        f"if not {source.constant(keep)}(state, event, hashed, is_late=news is None): return []",
    )
    if is_partner:
        source.add(f"{source.constant(take_partner_facts)}(state, event)")


def write_fact(source: Source, event_type: str, revision: int) -> None:
    """A business fact happens once; a second one changes nothing, and is decided as such."""
    happen = ONCE.get(event_type)
    if happen is None:
        return
    case, deny = source.constant(case_of), source.constant(deny_event)
    source.add(
        f"reason = {source.constant(happen)}(state, event)",
        f"if reason: return [{deny}({case}(state, event, {int(revision)}, begun), reason)]",
    )


def _without_programme(event_type: str) -> Decide:
    """Before the first revision an event is remembered and decided as such, and its fact is still to happen."""
    source = Source("state, event")
    write_arrival(source, event_type)
    case, deny = source.constant(case_of), source.constant(deny_event)
    source.add(f"return [{deny}({case}(state, event, 0, begun), 'no programme yet')]")
    return source.function()  # type: ignore[no-any-return]


WITHOUT_PROGRAMME: Final = {event_type: _without_programme(event_type) for event_type in EVENT_TYPES}
"""What is decided before the first revision, by event type."""
