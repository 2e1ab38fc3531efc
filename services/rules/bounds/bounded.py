"""From what a reward comes to, to the decision, where it is bounded: limits, hold, expiry and budgets.

Conditions and amount are worked out before, and a group has kept one (docs/rules.md#order, step 5). Limits clamp in
file order; what is granted gets the end of its hold, its expiry and the budgets that cover it. A reward that has none
of this never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from contracts.decisions import BudgetClaim, Decision, TraceLine
from contracts.money import Money, format_minor
from contracts.ruleset import Budget, Duration, Limit, Reward, RewardGroup, RuleSet, givens_of
from services.rules.bounds.limits import Limits
from services.rules.clock.calendar import Zone, later, period_start, period_text
from services.rules.deciding.decide import VARIANTS, Case, rule_json
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.states.state import PartnerState
from services.rules.terms.applying import TermsBook

_DAYS_MAX: Final = 50_000


class Proposal(msgspec.Struct, gc=False):
    """What a bounded reward would give, before it is decided; fields as in Decision.

    Attributes:
        by: What bounds it.
        who, who_json: The beneficiary, and the same as decision ids are hashed from it.
        reason: Why it gives nothing; empty when it gives `minor`.
    """

    by: Bounded
    who: str
    who_json: bytes
    reason: str
    trace: tuple[TraceLine, ...]
    minor: int | None
    unit: str | None
    base: int | None
    base_unit: str | None
    percent: int | None
    clamped: int


class After(dict[int, tuple[int, int]]):
    """From a day to the first day after a duration that begins on it, and that day's first instant; fills itself.

    So 14 days from 1 March end at the local midnight after 15 March (docs/rules.md#holds).
    """

    def __init__(self, duration: Duration, zone: Zone) -> None:
        super().__init__()
        self._duration = duration
        self._zone = zone

    def __missing__(self, day: int) -> tuple[int, int]:
        if len(self) >= _DAYS_MAX:
            self.clear()
        after = later(day, self._duration) + 1
        found = self[day] = after, self._zone.start_ms(after)
        return found


class Claims(dict[int, tuple[BudgetClaim, ...]]):
    """From a day to what the budgets that cover one rule say of it; fills itself."""

    def __init__(self, budgets: list[Budget]) -> None:
        super().__init__()
        self._budgets = [(budget, period_start(budget.per)) for budget in budgets]

    def __missing__(self, day: int) -> tuple[BudgetClaim, ...]:
        if len(self) >= _DAYS_MAX:
            self.clear()
        found = self[day] = tuple(
            BudgetClaim(
                budget.id,
                period_text(budget.per, 0 if starts is None else starts[day]),
                budget.amount.amount_minor,
                budget.amount.unit,
                budget.when_spent,
            )
            for budget, starts in self._budgets
        )
        return found


class Bounds:
    """What bounds the rules of one revision.

    Attributes:
        has_lasts: Whether a reward says `for`, or terms do.
        claws: The rewards that say `clawback`, or terms do.
        needs_customers: Whether the customer's state is asked for.
        currency: In which rewards of several currencies are compared.
        terms: What was negotiated.
    """

    def __init__(self, rules: RuleSet, revision: int, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.terms = TermsBook(rules, revision)
        self._expiry = {
            unit.id: After(unit.expires_after, vocabulary.zone) for unit in rules.units if unit.expires_after
        }
        self._limits = {reward.id: list(_limits_of(reward, rules)) for reward in rules.rewards}
        self._claims: dict[str, Claims] = {}
        for rule in {rule for budget in rules.budgets for rule in budget.covers}:
            self._claims[rule] = Claims([budget for budget in rules.budgets if rule in budget.covers])
        self.has_lasts = any(reward.lasts for reward in rules.rewards) or any(
            override.part == "for" and override.duration for terms in rules.terms for override in terms.overrides
        )
        self.claws = frozenset(reward.id for reward in rules.rewards if reward.clawback) | {
            override.rule
            for terms in rules.terms
            for override in terms.overrides
            if override.part == "clawback" and override.duration
        }
        per_customer = any(limit.per == "customer" for limits in self._limits.values() for limit in limits)
        self.needs_customers = self.has_lasts or per_customer
        self.currency = rules.currency

    def of(self, reward: Reward, group: RewardGroup | None) -> Bounded | None:
        """What bounds a reward, as it stands in the file or as terms have it; None when nothing does.

        `group` is its group, where another reward of it listens to the same events.
        """
        counted = self._limits[reward.id]
        limits = Limits(reward.id, reward.limits, counted, self._vocabulary.decimals) if counted else None
        bounded = Bounded(self, reward, group, limits, self._vocabulary)
        given = {each.unit for each in givens_of(reward.give) if isinstance(each, Money)}
        is_bounded = limits or group or reward.hold or reward.id in self._claims or given & self._expiry.keys()
        return bounded if is_bounded else None

    def in_words(self, minor: int, unit: str) -> str:
        return f"{format_minor(minor, self._vocabulary.decimals.get(unit, 0))} {unit}"

    def claims(self, rule: str, day: int) -> tuple[BudgetClaim, ...]:
        """What the budgets that cover a rule say of a local day, in file order."""
        claims = self._claims.get(rule)
        return () if claims is None else claims[day]

    def expires_at_ms(self, unit: str, day: int) -> int | None:
        """When what becomes available on that local day expires; None: never."""
        after = self._expiry.get(unit)
        return None if after is None else after[day][1]


class Bounded:
    """One bounded reward."""

    def __init__(
        self, bounds: Bounds, reward: Reward, group: RewardGroup | None, limits: Limits | None, vocabulary: Vocabulary
    ) -> None:
        self.rule = reward.id
        self.group = group
        self.bounds = bounds
        self._rule_json = rule_json(reward.id)
        self._limits = limits
        self._hold = After(reward.hold, vocabulary.zone) if reward.hold else None
        self._told_decimals = vocabulary.told_decimals

    def decide(self, case: Case, state: PartnerState, day: int, tier: str | None, proposal: Proposal) -> Decision:
        """The decision on what was proposed; what is granted is counted."""
        (
            begun, stamp, programme, revision, partner, _, _, event_type, source, event_id, time_ms,
            share, customer, name, lead, deal, product,
        ) = case  # fmt: skip
        reason, trace, minor, unit = proposal.reason, proposal.trace, proposal.minor, proposal.unit
        clamped = proposal.clamped
        available_at_ms = expires_at_ms = None
        budgets: tuple[BudgetClaim, ...] = ()
        if not reason and minor is not None and unit is not None:
            if self._limits is not None:
                reason, lines, left = self._limits.grant(state, customer, day, minor, unit)
                trace += lines
                clamped += minor - left
                minor = left
            if not reason:
                available_day = day
                if self._hold is not None:
                    available_day, available_at_ms = self._hold[day]
                expires_at_ms = self.bounds.expires_at_ms(unit, available_day)
                budgets = self.bounds.claims(self.rule, day)
        if reason:
            minor = unit = None
            clamped = 0
        hexed = sha256(begun + self._rule_json + proposal.who_json).hexdigest()
        return Decision(
            f"{stamp}{hexed[:3]}-{VARIANTS[hexed[3]]}{hexed[4:7]}-{hexed[7:19]}",
            not reason,
            programme,
            revision,
            self.rule,
            partner,
            proposal.who,
            event_type,
            source,
            event_id,
            time_ms,
            minor,
            unit,
            proposal.base,
            proposal.base_unit,
            proposal.percent,
            share,
            tier,
            None,
            clamped,
            available_at_ms,
            reason,
            customer,
            name,
            lead,
            deal,
            product,
            trace,
            self._told_decimals.get(unit) if unit is not None else None,
            "",
            None,
            expires_at_ms,
            budgets,
        )


def _limits_of(reward: Reward, rules: RuleSet) -> Iterator[Limit]:
    """Every limit that a reward has for somebody."""
    yield from reward.limits
    for terms in rules.terms:
        for override in terms.overrides:
            if override.rule == reward.id:
                yield from override.limits
