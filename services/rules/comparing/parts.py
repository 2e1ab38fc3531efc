"""A rule set taken apart: sections, their parts by id, and each part's fields written out, with whom it reaches.

Everything that decides is here; what is not here (tests, lines, the order of rewards) changes no decision.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec

from contracts.ruleset import Brackets, Condition, Contest, Give, Lookup, Metric, Override, Reward, Rows, RuleSet, Terms
from services.rules.comparing.normal import normal, paths_in
from services.rules.comparing.notation import NONE, Notation
from services.rules.comparing.reach import EVERYONE, Reach, reach_of, union


class Part(msgspec.Struct, frozen=True):
    """A part.

    Attributes:
        fields: By name, in the order they are told.
        says_none: Whether `none` says something, as it does in terms; else the summary leaves it out.
    """

    fields: dict[str, str]
    reach: Reach = EVERYONE
    says_none: bool = False

    @property
    def summary(self) -> str:
        said = (f"{name} {value}" for name, value in self.fields.items() if self.says_none or value != NONE)
        return "; ".join(said) or "without conditions"


Parts = dict[str, Part]


class Taken:
    """One rule set, taken apart."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.notation = Notation(rule_set)
        self._base = reach_of(self._normal(rule_set.eligible_partner))

    def sections(self) -> dict[str, Parts]:
        """In the order of the file. A section that is one part has it under the empty id."""
        rules = self.rule_set
        return {
            "programme": {"": self._head()},
            "units": {
                each.id: Part(
                    {"decimals": str(each.decimals), "expires after": self.notation.duration(each.expires_after)}
                )
                for each in rules.units
            },
            "eligible": {
                "": self._conditions(("partner", rules.eligible_partner), ("customer", rules.eligible_customer))
            },
            "qualified": {"": self._qualified()},
            "metrics": {each.id: self._metric(each) for each in rules.metrics},
            "tiers": self._tiers(),
            "rewards": {each.id: self._reward(each) for each in rules.rewards},
            "groups": {each.id: Part({each.pick: " or ".join(each.rewards)}) for each in rules.groups},
            "milestones": self._milestones(),
            "inactivity": {
                each.id: Part({"when": f"{each.metric} missing for {self.notation.duration(each.missing_for)}"})
                for each in rules.inactivity
            },
            "contests": {each.id: self._contest(each) for each in rules.contests},
            "budgets": self._budgets(),
            "terms": self._terms(),
        }

    def _normal(self, condition: Condition | None) -> Condition | None:
        return None if condition is None else normal(condition, self.notation)

    def condition(self, condition: Condition | None) -> str:
        return self.notation.condition(self._normal(condition))

    def _head(self) -> Part:
        rules = self.rule_set
        return Part(
            {
                "programme": rules.programme,
                "currency": rules.currency,
                "timezone": rules.timezone,
                "effective_from": self.notation.moment(rules.effective_from_ms),
                "lock_terms": rules.lock_terms or NONE,
            }
        )

    def _conditions(self, *conditions: tuple[str, Condition | None]) -> Part:
        return Part({name: self.condition(condition) for name, condition in conditions})

    def _qualified(self) -> Part:
        rules = self.rule_set
        part = self._conditions(("lead", rules.qualified_lead), ("deal", rules.qualified_deal))
        return Part({**part.fields, "crm": "counts" if rules.crm_qualifies else "ignored"}, self._base)

    def _metric(self, metric: Metric) -> Part:
        fields = {**self._counted(metric), "over": self.notation.window(metric.window)}
        return Part(
            {**fields, "per": "customer" if metric.per_customer else "partner"}, self._reach_of_metric(metric.id)
        )

    def _counted(self, metric: Metric | Contest) -> dict[str, str]:
        counted = metric.kind if metric.of is None else f"{metric.kind} of {metric.of}"
        return {"value": counted, "on": _texts(metric.on), "minus": metric.minus or NONE}

    def _reach_of_metric(self, id: str) -> Reach:
        """Whom the metric's users reach. Tiers, milestones and silences can come to everyone."""
        rules = self.rule_set
        users = [self._reach_of_reward(each) for each in self._readers.get(id, ())]
        wide = [each.when for each in rules.tiers]
        wide += [rules.eligible_partner, rules.eligible_customer, rules.qualified_lead, rules.qualified_deal]
        in_terms = (over.give for terms in rules.terms for over in terms.overrides)
        is_wide = (
            any(id in paths_in(condition) for condition in wide)
            or any(id == each.metric for each in rules.milestones)
            or any(id == each.metric for each in rules.inactivity)
            or any(id in _paths_of_give(give) for give in in_terms if give is not None)
        )
        return union([*users, *([self._base] if is_wide else [])])

    @functools.cached_property
    def _readers(self) -> dict[str, list[Reward]]:
        """Path to the rewards that read it."""
        readers: dict[str, list[Reward]] = {}
        for reward in self.rule_set.rewards:
            for path in paths_in(reward.when) | _paths_of_give(reward.give):
                readers.setdefault(path, []).append(reward)
        return readers

    def _tiers(self) -> Parts:
        """A tier's place counts: the last one that holds is the partner's."""
        review = Part({"tier_review": self.rule_set.tier_review}, self._base)
        parts: Parts = {"": review} if self.rule_set.tiers else {}
        for each in self.rule_set.tiers:
            price = NONE if each.price is None else f"{self.notation.money(each.price.amount)} per {each.price.per}"
            parts[each.id] = Part(
                {"when": self.condition(each.when), "by": NONE if each.by == "when" else each.by, "price": price},
                self._base,
            )
        return parts

    def _reward(self, reward: Reward) -> Part:
        notation = self.notation
        fields = {
            "on": _texts(reward.on),
            "to": reward.to,
            "when": self.condition(reward.when),
            "give": notation.give(reward.give),
            "at_most": notation.money(reward.at_most),
            "limit": notation.limits(reward.limits),
            "for": notation.duration(reward.lasts),
            "hold": notation.duration(reward.hold),
            "clawback": notation.duration(reward.clawback),
        }
        return Part(fields, self._reach_of_reward(reward))

    def _reach_of_reward(self, reward: Reward) -> Reach:
        return self._base & reach_of(self._normal(reward.when))

    def _milestones(self) -> Parts:
        parts: Parts = {}
        for each in self.rule_set.milestones:
            raises = each.raises
            fields = {
                "metric": each.metric,
                "at": NONE if each.at is None else self.notation.scalar(each.at),
                "every": NONE if each.every is None else self.notation.scalar(each.every),
                "give": self.notation.money(each.give),
                "raise": NONE if raises is None else f"{raises.rule} by {self.notation.percent(raises.by_ppm)}",
            }
            parts[each.id] = Part(fields, self._base)
        return parts

    def _contest(self, contest: Contest) -> Part:
        first, last = self.notation.day(contest.from_day), self.notation.day(contest.to_day)
        prizes = ", ".join(map(self.notation.money, contest.prizes))
        return Part({**self._counted(contest), "from": first, "to": last, "prizes": prizes}, self._base)

    def _budgets(self) -> Parts:
        return {
            each.id: Part(
                {
                    "amount": self.notation.money(each.amount),
                    "per": each.per,
                    "covers": _texts(each.covers),
                    "when_spent": each.when_spent,
                }
            )
            for each in self.rule_set.budgets
        }

    def _terms(self) -> Parts:
        """By whom and when; a later override of the same part wins, so only the last is told."""
        fields: dict[str, dict[str, str]] = {}
        reaches: dict[str, Reach] = {}
        for terms in self.rule_set.terms:
            label = self._label(terms)
            reaches[label] = reach_of_terms(terms)
            for override in terms.overrides:
                name = override.rule if override.part == "off" else f"{override.rule}.{override.part}"
                found = fields.setdefault(label, {})
                found.pop(name, None)
                found[name] = self.override(override)
        return {
            label: Part(dict(sorted(found.items())), reaches[label], says_none=True) for label, found in fields.items()
        }

    def _label(self, terms: Terms) -> str:
        label = f"partner {terms.partner}" if terms.partner is not None else f"group {terms.group}"
        first = "" if terms.from_day is None else f" from {self.notation.day(terms.from_day)}"
        return label + first + ("" if terms.to_day is None else f" to {self.notation.day(terms.to_day)}")

    def override(self, override: Override) -> str:
        match override.part:
            case "off":
                return "off"
            case "give":
                ceiling = "" if override.at_most is None else f", at most {self.notation.money(override.at_most)}"
                return self.notation.give(override.give) + ceiling
            case "at_most":
                return self.notation.money(override.at_most)
            case "limit":
                return self.notation.limits(override.limits)
            case _:
                return self.notation.duration(override.duration)

    def order_of_terms(self) -> dict[str, list[str]]:
        """Rule and part to whose terms set it, in the order they apply, where more than one does."""
        order: dict[str, list[str]] = {}
        for terms in self.rule_set.terms:
            for override in terms.overrides:
                labels = order.setdefault(f"{override.rule}.{override.part}", [])
                label = self._label(terms)
                if label in labels:
                    labels.remove(label)
                labels.append(label)
        return {what: labels for what, labels in order.items() if len(labels) > 1}

    def own_terms(self, rule: str, part: str) -> dict[str, str]:
        """Partners with terms of their own, for good, for a part of a rule (or it is off), and what they say."""
        return {**self._own_terms.get((rule, part), {}), **self._own_terms.get((rule, "off"), {})}

    @functools.cached_property
    def _own_terms(self) -> dict[tuple[str, str], dict[str, str]]:
        found: dict[tuple[str, str], dict[str, str]] = {}
        for terms in self.rule_set.terms:
            if terms.partner is not None and terms.from_day is None and terms.to_day is None:
                for override in terms.overrides:
                    found.setdefault((override.rule, override.part), {})[terms.partner] = self.override(override)
        return found

    @functools.cached_property
    def rewards(self) -> dict[str, Reward]:
        return {each.id: each for each in self.rule_set.rewards}


def reach_of_terms(terms: Terms) -> Reach:
    if terms.partner is not None:
        return Reach(partners=frozenset({terms.partner}))
    assert terms.group is not None
    return Reach(groups=frozenset({terms.group}))


def _paths_of_give(give: Give) -> set[str]:
    match give:
        case Lookup() | Brackets():
            return {give.by}
        case Rows():
            return set(give.by)
        case _:
            return set()


def _texts(texts: Iterable[str]) -> str:
    return ", ".join(sorted(set(texts)))
