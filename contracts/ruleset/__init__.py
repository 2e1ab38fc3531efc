"""The rule language's types: one immutable revision of a programme's rule set, after it was read and checked.

These are values, no behaviour: `services/rules/language/` makes them from YAML, `services/rules/` compiles and
evaluates them, and whoever shows rules reads them. Semantics: docs/rules.md. Every part of the language has its type
here.
"""

from __future__ import annotations

from contracts.ruleset.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Day,
    Duration,
    Moment,
    Not,
    Number,
    Operator,
    Scalar,
    Window,
)
from contracts.ruleset.giving import (
    Bracket,
    Brackets,
    Give,
    Given,
    Limit,
    LimitPer,
    Lookup,
    PercentOf,
    Reward,
    RewardGroup,
    Row,
    Rows,
    givens_of,
)
from contracts.ruleset.over_time import (
    Budget,
    Contest,
    Inactivity,
    Milestone,
    Override,
    Raise,
    Terms,
)
from contracts.ruleset.whole import Metric, RuleSet, RuleTest, Tier, TierPrice, TierReview, Unit

__all__ = [
    "AllOf",
    "AnyOf",
    "Bracket",
    "Brackets",
    "Budget",
    "Comparison",
    "Condition",
    "Contest",
    "Day",
    "Duration",
    "Give",
    "Given",
    "Inactivity",
    "Limit",
    "LimitPer",
    "Lookup",
    "Metric",
    "Milestone",
    "Moment",
    "Not",
    "Number",
    "Operator",
    "Override",
    "PercentOf",
    "Raise",
    "Reward",
    "RewardGroup",
    "Row",
    "Rows",
    "RuleSet",
    "RuleTest",
    "Scalar",
    "Terms",
    "Tier",
    "TierPrice",
    "TierReview",
    "Unit",
    "Window",
    "givens_of",
]
