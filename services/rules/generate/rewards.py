"""Rewards (docs/rules.md#order, step 5): conditions, then the amount, then one decision with its whole trace.

Where a function is written for the event, the rewards stand in it one after the other and share what was read and
judged. Where so many listen that an index selects them, each has a function of its own, and what is costly to read is
shared in a dict (`memo`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from contracts.decisions import Decision, TraceLine
from contracts.ruleset import Reward
from services.rules.amounts import AmountRule
from services.rules.considered import Considered
from services.rules.decide import CASE, VARIANTS, Case, decide, rule_json
from services.rules.generate.case import write_case, write_fields
from services.rules.generate.conditions import Conditions, Judged
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source
from services.rules.state import beneficiary_json
from services.rules.vocabulary import Vocabulary

_CONSIDER: Final = "case, state, event, data, day, tier, gate, memo"
_NOTHING: Final = "minor = unit = base = base_unit = percent = None; clamped = 0"


class RewardRule:
    """One reward of one event type.

    Attributes:
        consider: What decides it, for rewards that are selected; made when first needed.
    """

    def __init__(self, reward: Reward, vocabulary: Vocabulary, event_type: str) -> None:
        self.reward = reward
        self.amount = AmountRule(reward, vocabulary.decimals)
        self._vocabulary = vocabulary
        self._event_type = event_type
        self._consider: Callable[..., Decision] | None = None

    @property
    def consider(self) -> Callable[..., Decision]:
        if self._consider is None:
            source = Source(_CONSIDER)
            source.add(f"{CASE} = case")
            source.add(f"return {self.write(Reads(source, self._vocabulary, self._event_type, 0, memo='memo'))}")
            self._consider = source.function()
        return self._consider

    def write(self, reads: Reads) -> str:
        """Write what decides the reward; returns the expression of the decision."""
        reward, source = self.reward, reads.source
        # Read and judged before any block, so that other rewards can share it.
        judged = None if reward.when is None else Conditions(reads, "when").judged(reward.when)
        arguments = self._arguments(reads)
        who, who_json = "beneficiary", "as_json"
        if reward.to == "partner":
            self._write_verdict(source, judged, arguments)
        else:
            paid = reads.value("customer.id" if reward.to == "customer" else "member")
            who, who_json = "who", "who_json"
            with source.block(f"if {paid} is None:"):
                source.add(f"who = beneficiary; who_json = as_json; trace = gate; reason = '{reward.to} is missing'")
                source.add(_NOTHING)
            with source.block("else:"):
                to_json = source.constant(beneficiary_json)
                source.add(f"who = f'{reward.to}:{{{paid}}}'; who_json = {to_json}(who)")
                self._write_verdict(source, judged, arguments)
        told = self._vocabulary.told_decimals
        decimals = f", {source.constant(told)}.get(unit)" if told else ""
        json, variants = source.constant(rule_json(reward.id)), source.constant(VARIANTS)
        source.add(f"digest = begun.copy(); digest.update({json} + {who_json}); h = digest.hexdigest()")
        return (
            f"{source.constant(Decision)}(f'{{stamp}}{{h[:3]}}-{{{variants}[h[3]]}}{{h[4:7]}}-{{h[7:19]}}', "
            f"not reason, programme, revision, {source.constant(reward.id)}, partner, {who}, event_type, "
            "event_source, event_id, time_ms, minor, unit, base, base_unit, percent, share, tier, None, clamped, None, "
            f"reason, customer, customer_name, lead_id, deal_id, product, trace{decimals})"
        )

    def _write_verdict(self, source: Source, judged: Judged | None, arguments: str) -> None:
        if judged is None:
            source.add("trace = gate")
            self._write_amount(source, arguments)
            return
        source.add(f"reason = {judged.reason}; trace = (*gate, {''.join(f'{line}, ' for line in judged.trace)})")
        with source.block("if reason:"):
            source.add(_NOTHING)
        with source.block("else:"):
            self._write_amount(source, arguments)

    def _write_amount(self, source: Source, arguments: str) -> None:
        names = "reason, lines, minor, unit, base, base_unit, percent, clamped"
        source.add(f"{names} = {source.constant(self.amount.work_out)}({arguments})")
        if not self.amount.is_fixed:
            source.add("if lines: trace += lines")

    def _arguments(self, reads: Reads) -> str:
        """The arguments of `AmountRule.work_out`."""
        by = "None" if self.amount.by is None else reads.value(self.amount.by)
        bases = "".join(f"{reads.value(path)}, " for path in self.amount.bases)
        id = self.reward.id
        raised = f", state.raises.get({reads.source.constant(id)}, 0)" if id in self._vocabulary.raised else ""
        return f"share, {by}, ({bases}){raised}"


Rewards = Considered[RewardRule]


def write_rewards(reads: Reads, rewards: Rewards) -> None:
    """Write what decides the rewards of an event; those that are selected are in the local `chosen`."""
    source = reads.source
    rules = "chosen" if rewards.tests else source.constant(rewards.rules)
    with source.block("if blocked:"):
        source.add(
            f"made += {source.constant(deny_rewards)}({write_case(reads)}, {rules}, blocked, gate, tier, data.member)"
        )
    with source.block("else:"):
        if rewards.tests:
            source.add(f"case = {write_case(reads)}; memo = {{}}")
            source.add(
                "for each in chosen: made.append(each.consider(case, state, event, data, day, tier, gate, memo))"
            )
            return
        write_fields(reads)
        for rule in rewards.rules:
            source.add(f"made.append({rule.write(reads)})")


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
