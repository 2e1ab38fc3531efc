"""Rewards (docs/rules.md#order, step 5): conditions, then the amount, then one decision with its whole trace.

Where a function is written for the event, the rewards stand in it one after the other and share what was read and
judged. Where so many listen that an index selects them, each has a function of its own, and what is costly to read is
shared in a dict (`memo`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

from contracts.decisions import Decision, TraceLine
from contracts.money import PPM
from contracts.ruleset import Duration, Reward, RewardGroup
from services.rules.amounts.given import AmountRule
from services.rules.bounds.bounded import Bounds, Proposal
from services.rules.bounds.groups import settle
from services.rules.bounds.lasting import Lasting
from services.rules.deciding.clawback import SALES, note_grants
from services.rules.deciding.considered import Considered
from services.rules.deciding.decide import Case, decide
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.generate.case import take_case, write_case, write_decision, write_fields
from services.rules.generate.conditions import Conditions, Judged
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source
from services.rules.states.state import beneficiary_json
from services.rules.terms.applying import Changed

_CONSIDER: Final = "case, state, event, data, day, tier, gate, memo"
_OFF: Final = "terms: off"
_NOTHING: Final = "minor = unit = base = base_unit = percent = None; clamped = 0"
_VARIANTS_MAX: Final = 4096
"""Versions of one reward for one event type that terms can make of it, kept."""


class RewardRule:
    """One reward of one event type.

    Attributes:
        consider: What decides it, for rewards that are selected or changed by terms; made when first needed.
        variants: What terms make of it, by the places of those that apply; None when no terms change it.

    Args:
        group: Its group, where another reward of it listens to the same events.
        changed: Set for what terms made of a reward.
    """

    def __init__(
        self,
        reward: Reward,
        vocabulary: Vocabulary,
        event_type: str,
        bounds: Bounds,
        group: RewardGroup | None = None,
        changed: Changed | None = None,
    ) -> None:
        self.reward = reward
        self.amount = AmountRule(reward, vocabulary)
        self.bounded = bounds.of(reward, group)
        self.group = group
        self.variants: Variants | None = None
        if changed is None and reward.id in bounds.terms.rules:
            self.variants = Variants(reward, vocabulary, event_type, bounds, group)
        self._lasting = Lasting(reward.lasts, event_type) if reward.lasts else None
        self._changed = changed
        self._vocabulary = vocabulary
        self._event_type = event_type

    @cached_property
    def consider(self) -> Callable[..., Decision | Proposal]:
        source = Source(_CONSIDER)
        take_case(source)
        source.add(f"return {self.write(Reads(source, self._vocabulary, self._event_type, 0, memo='memo'))}")
        consider: Callable[..., Decision | Proposal] = source.function()
        return consider

    def as_of(self, terms: tuple[int, ...] | None) -> RewardRule:
        """The reward as the terms that apply have it."""
        changed = None if terms is None or self.variants is None else self.variants[terms]
        return self if changed is None else changed

    def write(self, reads: Reads) -> str:
        """Write what decides the reward; returns the expression of the decision, or of what is proposed to a group."""
        reward, source = self.reward, reads.source
        # Read and judged before any block, so that other rewards can share it.
        judged = None if reward.when is None or self._is_off else Conditions(reads, "when").judged(reward.when)
        arguments = "" if self._is_off else self._arguments(reads)
        customer = reads.value("customer.id") if self._lasting is not None else ""
        who, who_json = "beneficiary", "as_json"
        if reward.to == "partner":
            self._write_verdict(source, judged, arguments, customer)
        else:
            paid = reads.value("customer.id" if reward.to == "customer" else "member")
            who, who_json = "who", "who_json"
            with source.block(f"if {paid} is None:"):
                source.add(f"who = beneficiary; who_json = as_json; trace = gate; reason = '{reward.to} is missing'")
                source.add(_NOTHING)
            with source.block("else:"):
                to_json = source.constant(beneficiary_json)
                source.add(f"who = f'{reward.to}:{{{paid}}}'; who_json = {to_json}(who)")
                self._write_verdict(source, judged, arguments, customer)
        if self.bounded is not None:
            by = source.constant(self.bounded)
            proposal = (
                f"{source.constant(Proposal)}({by}, {who}, {who_json}, reason, trace, minor, unit, base, base_unit, "
                "percent, clamped)"
            )
            return proposal if self.group else f"{by}.decide({write_case(reads)}, state, day, tier, {proposal})"
        told = self._vocabulary.told_decimals
        return write_decision(
            reads,
            reward.id,
            who=who,
            who_json=who_json,
            given="minor, unit, base, base_unit, percent",
            clamped="clamped",
            decimals=f", {source.constant(told)}.get(unit)" if told else "",
        )

    @property
    def _is_off(self) -> bool:
        return self._changed is not None and self._changed.is_off

    def _write_verdict(self, source: Source, judged: Judged | None, arguments: str, customer: str) -> None:
        reasons, lines = [], []
        if self._changed is not None:
            lines.append(f"*{source.constant(self._changed.trace)}")
            if self._changed.is_off:
                reasons.append(source.constant(_OFF))
        if judged is not None:
            reasons.append(judged.reason)
            lines += judged.trace
        if self._lasting is not None and not self._is_off:
            source.add(f"ended, lasts = {source.constant(self._lasting.judge)}(state, {customer}, day)")
            reasons.append("ended")
            lines.append("lasts")
        trace = f"trace = (*gate, {''.join(f'{line}, ' for line in lines)})" if lines else "trace = gate"
        if not reasons:
            source.add(trace)
            self._write_amount(source, arguments)
            return
        source.add(f"reason = {' or '.join(reasons)}; {trace}")
        with source.block("if reason:"):
            source.add(_NOTHING)
        if not self._is_off:
            with source.block("else:"):
                self._write_amount(source, arguments)

    def _write_amount(self, source: Source, arguments: str) -> None:
        names = "reason, lines, minor, unit, base, base_unit, percent, clamped"
        worked_out = f"{source.constant(self.amount.work_out)}({arguments})"
        if self.amount.whole is not None:
            worked_out = f"{source.constant(self.amount.whole)} if share == {PPM} else {worked_out}"
        source.add(f"{names} = {worked_out}")
        if not self.amount.is_fixed:
            source.add("if lines: trace += lines")

    def _arguments(self, reads: Reads) -> str:
        """The arguments of `AmountRule.work_out`."""
        by = "".join(f"{reads.value(path)}, " for path in self.amount.by)
        bases = "".join(f"{reads.value(path)}, " for path in self.amount.bases)
        market = ", day, state.rates" if self.amount.converts else ""
        id = self.reward.id
        raised = ""
        if id in self._vocabulary.raised:
            raised = f", raised_ppm=state.raises.get({reads.source.constant(id)}, 0)"
        return f"share, ({by}), ({bases}){market}{raised}"


class Variants(dict[tuple[int, ...], RewardRule | None]):
    """What terms make of one reward; fills itself. None: those that apply leave it as it is."""

    def __init__(
        self, reward: Reward, vocabulary: Vocabulary, event_type: str, bounds: Bounds, group: RewardGroup | None
    ) -> None:
        super().__init__()
        self._reward = reward
        self._vocabulary = vocabulary
        self._event_type = event_type
        self._bounds = bounds
        self._group = group

    def __missing__(self, places: tuple[int, ...]) -> RewardRule | None:
        if len(self) >= _VARIANTS_MAX:
            self.clear()
        changed = self._bounds.terms.change(self._reward, places)
        rule = None
        if changed is not None:
            rule = RewardRule(changed.reward, self._vocabulary, self._event_type, self._bounds, self._group, changed)
        self[places] = rule
        return rule


Rewards = Considered[RewardRule]


def reward_rules(
    rewards: Sequence[Reward], groups: Sequence[RewardGroup], vocabulary: Vocabulary, event_type: str, bounds: Bounds
) -> list[RewardRule]:
    """The rewards that one event type makes us consider, each knowing its group if it has rivals among them."""
    ids = [reward.id for reward in rewards]
    group_of = {id: group for group in groups for id in group.rewards if len(set(group.rewards).intersection(ids)) > 1}
    return [RewardRule(reward, vocabulary, event_type, bounds, group_of.get(reward.id)) for reward in rewards]


def write_rewards(reads: Reads, rewards: Rewards, bounds: Bounds) -> None:
    """Write what decides the rewards of an event; those that are selected are in the local `chosen`.

    What a deal brings and can be taken back is noted in the local `deal`.
    """
    source = reads.source
    rules = "chosen" if rewards.tests else source.constant(rewards.rules)
    with source.block("if blocked:"):
        source.add(
            f"made += {source.constant(deny_rewards)}({write_case(reads)}, {rules}, blocked, gate, tier, data.member)"
        )
    with source.block("else:"):
        write_fields(reads)
        has_terms = any(rule.variants is not None for rule in rewards.rules)
        if has_terms:
            find = source.constant(bounds.terms.find)
            source.add(
                "terms = state.terms",
                f"if terms is None or terms[0] != {int(reads.revision)} or not terms[1] <= day <= terms[2]: "
                f"terms = {find}(state, day)",
                "terms = terms[3]",
            )
        has_groups = any(rule.group is not None for rule in rewards.rules)
        claws = reads.event_type in SALES and any(rule.reward.id in bounds.claws for rule in rewards.rules)
        if has_groups or claws:
            source.add("start = len(made)")
        if rewards.tests:
            _write_chosen(reads, rewards)
        else:
            for rule in rewards.rules:
                _write_reward(reads, rule)
        if has_groups:
            source.add(f"{source.constant(settle)}(made, start, {write_case(reads)}, state, day, tier)")
        if claws:
            terms = "terms" if has_terms else "None"
            windows = source.constant(_Windows(rewards.rules))
            source.add(f"{source.constant(note_grants)}(deal, made[start:], day, {windows}, {terms})")


class _Windows:
    """How long what a reward gives can be taken back, under the terms that apply; None: it cannot."""

    def __init__(self, rules: Sequence[RewardRule]) -> None:
        self._rules = {rule.reward.id: rule for rule in rules}

    def __call__(self, rule: str, terms: tuple[int, ...] | None) -> Duration | None:
        known = self._rules.get(rule)
        return None if known is None else known.as_of(terms).reward.clawback


def _write_chosen(reads: Reads, rewards: Rewards) -> None:
    each = "each.as_of(terms)" if any(rule.variants is not None for rule in rewards.rules) else "each"
    reads.source.add(
        f"case = {write_case(reads)}; memo = {{}}",
        f"for each in chosen: made.append({each}.consider(case, state, event, data, day, tier, gate, memo))",
    )


def _write_reward(reads: Reads, rule: RewardRule) -> None:
    source = reads.source
    if rule.variants is None:
        source.add(f"made.append({rule.write(reads)})")
        return
    source.add(f"changed = None if terms is None else {source.constant(rule.variants)}[terms]")
    with source.block("if changed is None:"):
        source.add(f"made.append({rule.write(reads)})")
    with source.block("else:"):
        source.add(f"made.append(changed.consider({write_case(reads)}, state, event, data, day, tier, gate, {{}}))")


def write_selection(reads: Reads, rewards: Rewards) -> None:
    """Write what selects the rewards that could match into the local `chosen`."""
    source = reads.source
    source.add("mask = -1")
    for path, by_value, others in rewards.tests:
        value = reads.value(path)
        # A number that a sender put into an attribute is compared as text with a text.
        as_text = f"str({value}) if {value}.__class__ is int else {value}"
        source.add(f"mask &= {source.constant(by_value)}.get({as_text}, {source.constant(others)})")
    source.add(
        f"chosen = {source.constant(rewards.chosen)}.get(mask)",
        f"if chosen is None: chosen = {source.constant(rewards.choose)}(mask)",
    )


def deny_rewards(
    case: Case,
    rules: Sequence[RewardRule],
    blocked: str,
    gate: tuple[TraceLine, ...],
    tier: str | None,
    member: str | None,
) -> list[Decision]:
    """The denials of all rewards of an event that can earn nothing."""
    made = []
    customer = case[12]
    for rule in rules:
        to = rule.reward.to
        paid = {"partner": None, "customer": customer, "member": member}[to]
        if paid is None:
            made.append(decide(case, rule.reward.id, blocked, gate, tier))
        else:
            who = f"{to}:{paid}"
            made.append(
                decide(case, rule.reward.id, blocked, gate, tier, beneficiary=who, as_json=beneficiary_json(who))
            )
    return made
