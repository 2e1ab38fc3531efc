"""The rule set itself: its metrics, tiers, units and tests, and all of its parts together."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.money import Money
from contracts.ruleset.conditions import Condition, Duration, Window
from contracts.ruleset.giving import Reward, RewardGroup
from contracts.ruleset.over_time import Budget, Contest, Inactivity, Milestone, Terms


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A number that a partner (or a customer of a partner) has.

    Attributes:
        kind: What is done with the values of `of`.
        of: The path that is summed, told apart or averaged; None for `count`.
        on: Event types.
        minus: Event type whose amount is taken off a sum (`deal.refunded`).
        per_customer: One value per customer of the partner.
        unit: Of a sum or mean of amounts: the programme's currency; None for plain numbers.
    """

    id: str
    kind: Literal["sum", "count", "distinct", "mean"]
    of: str | None
    on: tuple[str, ...]
    minus: str | None = None
    window: Window = Window()
    per_customer: bool = False
    unit: str | None = None
    line: int = 0


class TierPrice(msgspec.Struct, frozen=True):
    """What a partner pays for a tier that they choose; whoever sells it charges it, the rules only tell it."""

    amount: Money
    per: Literal["month", "quarter", "year", "ever"]


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A standing; the first one has no `when` and is where everyone starts.

    Attributes:
        when: What metrics must say; None for the first tier and for those that are not reached by metrics.
        by: How it is reached: by its `when`; by `hand`, which only a `partner.tier_assigned` does; or by `choice`, when
            a partner takes it, which the same event tells. What is reached by hand or choice is not lost at a review.
        price: Only of a choice; None: it costs nothing.
    """

    id: str
    when: Condition | None = None
    by: Literal["when", "hand", "choice"] = "when"
    price: TierPrice | None = None
    line: int = 0


TierReview = Literal["never", "monthly", "quarterly", "yearly"]


class Unit(msgspec.Struct, frozen=True):
    """A unit of the programme's own."""

    id: str
    decimals: int = 0
    expires_after: Duration | None = None


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test that ships with the rules, kept as read: scalars are text.

    Attributes:
        given: Path or metric to value, in force before the first event.
        expect: Exactly what is granted with an amount, in any order: rule and amount. What is granted
            without one is the text `granted` (a raise, an inactivity, `qualified.lead`) or, for the rule `tier`, the
            tier reached; it is compared only where the test names its rule.
        because: A condition, or a reason, that must appear among the denials.
    """

    name: str
    given: dict[str, str] = {}
    events: tuple[dict[str, str], ...] = ()
    expect: tuple[tuple[str, Money | str], ...] = ()
    because: str | None = None
    line: int = 0


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """One revision's content.

    Attributes:
        timezone: IANA name; all days, windows and effective times are local to it.
        effective_from_ms: From when events are decided by it; None means from its activation on.
        crm_qualifies: Whether a source's own `lead.qualified` counts (`crm: ignored` turns it off).
        tier_review: When a tier can be lost: at the first local day of each such period.
        lock_terms: `lead` pins a referral to the revision in force when its lead was registered.
        terms: In the order in which they apply; see Terms.
    """

    programme: str
    currency: str
    timezone: str
    effective_from_ms: int | None = None
    units: tuple[Unit, ...] = ()
    eligible_partner: Condition | None = None
    eligible_customer: Condition | None = None
    qualified_lead: Condition | None = None
    qualified_deal: Condition | None = None
    crm_qualifies: bool = True
    metrics: tuple[Metric, ...] = ()
    tiers: tuple[Tier, ...] = ()
    tier_review: TierReview = "never"
    rewards: tuple[Reward, ...] = ()
    groups: tuple[RewardGroup, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    inactivity: tuple[Inactivity, ...] = ()
    contests: tuple[Contest, ...] = ()
    budgets: tuple[Budget, ...] = ()
    terms: tuple[Terms, ...] = ()
    lock_terms: Literal["lead"] | None = None
    tests: tuple[RuleTest, ...] = ()
