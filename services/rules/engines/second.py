"""The second opinion on a rule set: decision by decision, on the tests in its file and on events of the past.

Events are folded by the code that decides live ones, compiled with a probe; the second engine is asked about the same
facts. Compared are `eligible` and `qualified`, whether a lead qualifies, which rewards are considered and may be
granted, and the tier after the event. Amounts are arithmetic and not an engine's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from contracts.decisions import RULE_LEAD_QUALIFIED, Decision
from contracts.errors import PermanentError
from contracts.events import BROADCAST_TYPES, Event, PartnerProfile
from contracts.ruleset import RuleSet
from services.rules.amounts.rates import Rates
from services.rules.compile import CompiledRevision, compile_rule_set
from services.rules.engines.durable import DurableEngine
from services.rules.engines.opinion import Disagreement, Opinion
from services.rules.engines.port import Engine, Facts, SecondEngineMissing, Verdict, tier_of
from services.rules.engines.probe import Probe
from services.rules.engines.selection import asked_of, is_blocked, lead_qualifies, reached, selected
from services.rules.evaluate import evaluate
from services.rules.language import read_rule_set
from services.rules.states.state import PartnerState
from services.rules.testing.assumed import Assumptions, unmentioned
from services.rules.testing.seed import learn, seeded_state
from services.rules.testing.shorthand import Shorthand
from services.rules.testing.story import Story

VERDICTS_MAX: Final = 200_000
"""Answers of the second engine, at which no further event of the history is compared; eight seconds of CPU time."""
_WORDS: Mapping[Verdict, str] = {True: "met", False: "not met", None: "unknown"}
_ASSIGNED = "partner.tier_assigned"


def second_opinion(
    text: str, path: str, events: Iterable[Event] = (), *, engine: Callable[[RuleSet], Engine] = DurableEngine
) -> Opinion:
    """What another engine makes of a rule file's tests, and of events of its programme in the order of their log.

    The rule set is applied to all of the events, whenever it is to take effect. Events that are refused (too late to
    tell) are passed over, and so are tests that cannot be run: other checks tell of both.

    The history ends where `VERDICTS_MAX` questions were answered: a thousand rewards on one event type ask a thousand
    at each event.

    Raises:
        RuleSetErrors: The file has errors.
    """
    rules = read_rule_set(text, path=path)
    opinion = Opinion()
    try:
        compared = Compared(rules, opinion, engine)
    except SecondEngineMissing as why:
        opinion.missing = str(why)
        return opinion
    opinion.not_asked = dict(compared.engine.not_asked)
    _play_tests(rules, opinion, engine)
    states: dict[str, PartnerState] = {}
    rates = Rates()
    for event in events:
        partner = event.data.partner
        if opinion.verdicts >= VERDICTS_MAX:
            break
        if event.data.programme != rules.programme:
            continue
        if event.type in BROADCAST_TYPES or partner is None:
            if event.data.rates is not None:
                rates.take(event.data.rates)
            continue
        state = states.get(partner)
        if state is None:
            state = states[partner] = PartnerState(programme=rules.programme, partner=partner)
            state.rates = rates
            if not event.type.startswith("partner."):
                # A sample that begins after the partner was approved; without this, nothing would get past the gate.
                learn(state, PartnerProfile(status="active"))
        try:
            compared.decide(state, event)
        except PermanentError:
            continue
        opinion.events += 1
    return opinion


def _play_tests(rules: RuleSet, opinion: Opinion, engine: Callable[[RuleSet], Engine]) -> None:
    shorthand = Shorthand(rules)
    known: dict[frozenset[str], Compared] = {}
    for test in rules.tests:
        assumed = unmentioned(rules, test)
        try:
            story = Story(rules, test, shorthand)
            happenings = story.happenings()
            state = seeded_state(rules, test, story.partner, happenings, shorthand)
            compared = known.get(assumed)
            if compared is None:
                compared = known[assumed] = Compared(Assumptions(rules, assumed).rules, opinion, engine)
            for happening in happenings:
                if happening.profile is not None:
                    learn(state, happening.profile)
                compared.decide(state, happening.event, test.name)
        except PermanentError:
            continue
        opinion.tests += 1


class Compared:
    """One rule set under both engines.

    Raises:
        SecondEngineMissing: The second one cannot be made.
    """

    def __init__(self, rules: RuleSet, opinion: Opinion, engine: Callable[[RuleSet], Engine] = DurableEngine) -> None:
        self.engine = engine(rules)
        self._rules = rules
        self._opinion = opinion
        self._probe = Probe(rules)
        self._revision: CompiledRevision = compile_rule_set(rules, revision=1, probe=self._probe)
        self._tier_names = tuple(tier_of(tier.id) for tier in rules.tiers if tier.when is not None)
        self._asked: dict[str, tuple[str, ...]] = {}

    def decide(self, state: PartnerState, event: Event, test: str = "") -> list[Decision]:
        """Fold the event, and compare; raises PermanentError as `evaluate` does."""
        self._probe.begin()
        _, decisions = evaluate(state, event, self._revision)
        differences = [*self._compare_gate(state, event, decisions), *self._compare_tier(state, event)]
        for what, first, second, values in differences:
            self._opinion.add(
                Disagreement(
                    test=test,
                    partner=state.partner,
                    event_type=event.type,
                    event_source=event.source,
                    event_id=event.id,
                    what=what,
                    first=first,
                    second=second,
                    saw={path: str(value) for path, value in values.items() if value is not None},
                )
            )
        return decisions

    def _compare_gate(self, state: PartnerState, event: Event, decisions: list[Decision]) -> Iterable[_Difference]:
        seen, rules = self._probe.seen, self._rules
        if seen.gate is None:
            return
        values = seen.gate | event_values(event, seen.gate)
        asked = self._asked.get(event.type)
        if asked is None:
            asked = self._asked[event.type] = asked_of(rules, event.type)
        verdicts = self.engine.judge(asked, Facts(values, seen.day, state.rates))
        self._opinion.verdicts += len(verdicts)
        for name, is_met in seen.met.items():
            if name in verdicts and is_met is not (verdicts[name] is True):
                yield f"condition {name}", _WORDS[is_met], _WORDS[verdicts[name]], values
        if any(name not in verdicts for name in asked):
            # Without an answer to one question, what follows cannot be told; the others were compared.
            return
        blocked = is_blocked(rules, event, verdicts)
        if blocked != seen.is_blocked:
            yield "the event", _open(seen.is_blocked), _open(blocked), values
        told = {each.rule: each.granted for each in decisions if not each.takes_back}
        qualifies = lead_qualifies(rules, event, verdicts, blocked=blocked)
        if told.get(RULE_LEAD_QUALIFIED, qualifies) != qualifies:
            yield (
                "the lead",
                *(("qualified", "not qualified") if qualifies is False else ("not qualified", "qualified")),
                values,
            )
        qualifies = qualifies and RULE_LEAD_QUALIFIED in told
        for reward, is_open in selected(rules, event, verdicts, blocked=blocked, qualifies=qualifies).items():
            if told.get(reward) and not is_open:
                yield f"reward {reward}", "granted", "denied", values
            elif is_open and reward not in told:
                yield f"reward {reward}", "not considered", "considered", values

    def _compare_tier(self, state: PartnerState, event: Event) -> Iterable[_Difference]:
        seen = self._probe.seen
        if seen.tiers is None or event.type == _ASSIGNED:
            return
        values = seen.tiers | event_values(event, seen.tiers)
        verdicts = self.engine.judge(self._tier_names, Facts(values, state.clock_day or 0, state.rates))
        self._opinion.verdicts += len(verdicts)
        if len(verdicts) < len(self._tier_names):
            return
        tier = reached(self._rules, seen.tier, verdicts)
        if tier != state.tier:
            yield "the tier", str(state.tier), str(tier), values


_Difference = tuple[str, str, str, Mapping[str, Any]]


def event_values(event: Event, paths: Iterable[str]) -> dict[str, Any]:
    """What the event itself says at those paths, read by another way than generated code does."""
    values: dict[str, Any] = {}
    for path in paths:
        section, _, field = path.partition(".")
        if section == "event":
            values[path] = getattr(event, field)
        elif section == "attributes":
            value = event.data.attributes.get(field)
            values[path] = str(value).lower() if isinstance(value, bool) else value
        elif section in {"customer", "lead", "deal", "survey", "activity", "link"}:
            values[path] = getattr(getattr(event.data, section), field, None)
        elif path == "member":
            values[path] = event.data.member
    return values


def _open(blocked: bool) -> str:
    return "earns nothing" if blocked else "may earn"
