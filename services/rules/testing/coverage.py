"""What no test of a file reached: rules that nothing granted, tiers nobody was in, lookups and conditions half tried.

A condition is reached when tests saw it met and saw it not met; what was only assumed does not count. Rows and brackets
of a lookup are told apart by the name that the trace of a decision has for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from contracts.decisions import RULE_TIER, Decision, Verdict
from contracts.money import format_money
from contracts.ruleset import Bracket, Brackets, Comparison, Condition, Lookup, PercentOf, Reward, Row, Rows, RuleSet
from services.rules.amounts.given import percent_text
from services.rules.amounts.lookups import PART as AMOUNT
from services.rules.amounts.lookups import bound_text, branch_text
from services.rules.bounds.groups import PART as GROUP
from services.rules.bounds.lasting import PART as FOR
from services.rules.bounds.lasting import duration_text
from services.rules.bounds.limits import PART as LIMIT
from services.rules.deciding.vocabulary import comparisons
from services.rules.generate.contests import PART as CONTEST
from services.rules.terms.applying import PART as TERMS
from services.rules.terms.applying import words
from services.rules.testing.assumed import ASSUMED, GATES

OTHERWISE: Final = "otherwise"
_WHEN: Final = "when"
_GATE_PARTS: Final = frozenset(GATES.values())


@dataclass(frozen=True, slots=True)
class Unreached:
    """Something that no test reached.

    Attributes:
        kind: What it is; a limit is reached when it took something off.
        rule: The reward, milestone or tier it belongs to, or the part of the file (`eligible.partner`).
        what: The branch: a condition, a row; empty for the whole.
        why: What never happened.
        line: Of the file, from 1.
    """

    kind: Literal["rule", "tier", "lookup", "condition", "limit", "group", "terms"]
    rule: str
    what: str
    why: str
    line: int


def unreached(rules: RuleSet, decisions: Sequence[Decision]) -> list[Unreached]:
    """What the decisions of all tests together left out, in file order."""
    seen = _Seen(decisions)
    found = [*_rules(rules, seen), *_tiers(rules, seen), *_conditions(rules, seen), *_bounds(rules, seen)]
    for reward in rules.rewards:
        found += _lookups(reward, seen)
    return sorted(found, key=lambda each: each.line)


class _Seen:
    """What the decisions tell."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self.granted: dict[str, list[Decision]] = {}
        self.tiers: set[str] = set()
        self.verdicts: dict[tuple[str, str, str], set[Verdict]] = {}
        self.looked_up: dict[str, set[tuple[str, str]]] = {}
        for decision in decisions:
            self.tiers.update(tier for tier in (decision.tier, decision.tier_to) if tier is not None)
            # What only tells a number in a contest is no prize.
            if decision.granted and not any(line.part == CONTEST for line in decision.trace if decision.unit is None):
                self.granted.setdefault(decision.rule, []).append(decision)
            for line in decision.trace:
                if line.part == AMOUNT:
                    taken = line.condition, line.saw if line.verdict == "met" else OTHERWISE
                    self.looked_up.setdefault(decision.rule, set()).add(taken)
                elif line.saw != ASSUMED:
                    rule = line.part if line.part in _GATE_PARTS else decision.rule
                    self.verdicts.setdefault((line.part, rule, line.condition), set()).add(line.verdict)


def _rules(rules: RuleSet, seen: _Seen) -> Iterator[Unreached]:
    places = [(each.id, each.line) for each in rules.rewards]
    places += [(each.id, each.line) for each in rules.milestones]
    places += [(each.id, each.line) for each in rules.inactivity]
    places += [(each.id, each.line) for each in rules.contests]
    for rule, line in places:
        if rule not in seen.granted:
            yield Unreached("rule", rule, "", "never granted", line)


def _tiers(rules: RuleSet, seen: _Seen) -> Iterator[Unreached]:
    for tier in rules.tiers:
        if tier.id not in seen.tiers:
            yield Unreached("tier", tier.id, "", "nobody was in it", tier.line)
    reached = {decision.tier_to for decision in seen.granted.get(RULE_TIER, ())}
    for tier in rules.tiers:
        if tier.when is not None and tier.id in seen.tiers and tier.id not in reached:
            yield Unreached("tier", tier.id, "when", "nobody rose to it, it was only given", tier.line)


def _conditions(rules: RuleSet, seen: _Seen) -> Iterator[Unreached]:
    gates = [(part, part, getattr(rules, field)) for field, part in GATES.items()]
    for part, rule, condition in [*gates, *((_WHEN, reward.id, reward.when) for reward in rules.rewards)]:
        for comparison in _comparisons(condition):
            why = _half(seen.verdicts.get((part, rule, comparison.text), set()))
            if why:
                yield Unreached("condition", rule, comparison.text, why, comparison.line)


def _bounds(rules: RuleSet, seen: _Seen) -> Iterator[Unreached]:
    for reward in rules.rewards:
        for limit in reward.limits:
            if not {"not met"} & seen.verdicts.get((LIMIT, reward.id, f"{LIMIT} {limit.text}"), set()):
                yield Unreached("limit", reward.id, limit.text, "never took anything off", limit.line)
        if reward.lasts is not None:
            text = f"{FOR} {duration_text(reward.lasts)}"
            why = _half(seen.verdicts.get((FOR, reward.id, text), set()))
            if why:
                yield Unreached("condition", reward.id, text, why, reward.line)
    told = {(part, text) for part, _, text in seen.verdicts}
    for group in rules.groups:
        if (GROUP, f"{GROUP} {group.id}") not in told:
            yield Unreached("group", group.id, "", "never had to choose", group.line)
    for terms in rules.terms:
        if (TERMS, words(terms)) not in told:
            yield Unreached("terms", words(terms).removeprefix("terms for "), "", "never applied", terms.line)


def _comparisons(condition: Condition | None) -> list[Comparison]:
    return [] if condition is None else list(comparisons(condition))


def _half(verdicts: set[Verdict]) -> str:
    if not verdicts:
        return "never judged"
    if "met" not in verdicts:
        return "never met"
    return "always met" if verdicts == {"met"} else ""


def _lookups(reward: Reward, seen: _Seen) -> Iterator[Unreached]:
    give = reward.give
    if not isinstance(give, Lookup | Rows | Brackets):
        return
    looked_up = seen.looked_up.get(reward.id, set())
    text = branch_text(give, None)
    missed: list[str]
    if isinstance(give, Lookup):
        missed = [value for value, _ in give.values if (text, value) not in looked_up]
    else:
        # A row that paid is named by its trace; rows that give the same are told apart by that.
        named = {condition for condition, saw in looked_up if saw != OTHERWISE}
        parts: tuple[Row | Bracket, ...] = give.rows if isinstance(give, Rows) else give.brackets
        missed = [_name(part) for part in parts if branch_text(give, part) not in named]
    if give.otherwise is not None and (text, OTHERWISE) not in looked_up:
        missed.append(OTHERWISE)
    for branch in missed:
        yield Unreached("lookup", reward.id, branch, "never looked up", reward.line)


def _name(part: Row | Bracket) -> str:
    if isinstance(part, Row):
        return f"[{', '.join('any' if value is None else value for value in part.values)}]"
    given = part.given
    gives = percent_text(given.percent_ppm) if isinstance(given, PercentOf) else format_money(given)
    return f"{bound_text(part)}: {gives}"
