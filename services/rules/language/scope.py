"""What a rule file has said so far: its currency, units, zone, metrics and tiers, and the problems found.

Sections are read in an order in which each finds here what it needs; problems are sorted at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

from contracts.ruleset import Metric, Reward
from services.rules.language.checks import unknown_path
from services.rules.language.located import Fault, Problems, Span
from services.rules.language.logic import Effort
from services.rules.language.paths import CATALOGUE, SECTIONS, PathType, fields_of, known_path
from services.rules.language.unread import Unread
from services.rules.language.words import nearest


@dataclass
class Scope:
    """The names in force while the rest of a file is read.

    Attributes:
        currency: `USD` stands in when the file's own is missing or wrong; such a file never loads.
        has_currency: Whether `currency` is the file's own, so that amounts can be held against it.
        decimals_of: The programme's own units and their decimals.
        metrics: Name to metric.
        tiers: The ids in file order; empty when the programme has none.
        rewards: Id to reward, in file order; for what refers to them.
        rules: Id of everything that makes decisions to what it is (`reward`, `milestone`) and where.
        tests: Name of a test to where it stands.
        because: Name of a test to where its reason stands.
        effort: What may still be spent on comparing conditions.
        comparisons_count: How many were read.
        unread: What the file has, but with a fault; its uses are not judged.
    """

    problems: Problems
    currency: str = "USD"
    has_currency: bool = False
    zone: ZoneInfo | None = None
    decimals_of: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    rewards: dict[str, Reward] = field(default_factory=dict)
    rules: dict[str, tuple[str, Span]] = field(default_factory=dict)
    tests: dict[str, Span] = field(default_factory=dict)
    because: dict[str, Span] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)
    comparisons_count: int = 0
    unread: Unread = field(default_factory=Unread)

    def add(self, span: Span, fault: Fault) -> None:
        self.problems.add(span, fault)

    @cached_property
    def counts(self) -> frozenset[str]:
        """The metrics that count: whole numbers from 0 on."""
        return frozenset(name for name, metric in self.metrics.items() if metric.kind in ("count", "distinct"))

    def type_of(self, path: str) -> PathType | None:
        """The type of a path or metric; None when there is no such thing."""
        if path in self.metrics:
            return "amount" if self.metrics[path].unit else "number"
        found = known_path(path)
        return found.type if found else None

    def may_be_tier(self, name: str) -> bool:
        """Whether the file has that tier, as far as can be told."""
        return name in self.tiers or name in self.unread.tiers

    def has_no_tiers(self) -> bool:
        return not self.tiers and "" not in self.unread.tiers

    def path_names(self) -> list[str]:
        return [*CATALOGUE, *self.metrics]

    def explain_unknown(self, path: str, *, besides: Sequence[str] = ()) -> tuple[int, int, Fault]:
        """What is wrong with an unknown path: offset and length of the wrong characters, and the fault.

        `besides` is what could stand there instead of a path.
        """
        section, dot, rest = path.partition(".")
        if section in SECTIONS and dot:
            known = fields_of(section)
            guess = nearest(rest, [name.partition(".")[2] for name in known])
            elsewhere = nearest(path, self.path_names())
            suggestion = f"{section}.{guess}" if guess else elsewhere
            return len(section) + 1, max(len(rest), 1), unknown_path.field(section, rest, suggestion)
        if section in SECTIONS:
            return 0, len(path), unknown_path.incomplete(section, ", ".join(fields_of(section)))
        if section == "attributes":
            return 0, len(path), unknown_path.incomplete("attributes", "attributes.office")
        return 0, len(path), unknown_path.fault(path, [*besides, *self.path_names()])
