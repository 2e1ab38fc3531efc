"""A second, simpler reading of the rule language, to hold the real one against: plain dicts, Fractions and datetimes.

Written from the language's normative page alone and without any of the service's code: it keeps every event of a
partner in a list and answers every question by looking through the list again. Slow and short on purpose. It says what
is granted and denied and which tier follows; words of traces and ids are not its business. Within one partner and one
revision.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from contracts.events import Amount, Event
from contracts.money import Money
from contracts.ruleset import AllOf, AnyOf, Brackets, Comparison, Metric, Not, Number, PercentOf, RuleSet, Window
from tests.simulation.bounds_model import BoundsModel, Candidate, moved, unit_of
from tests.simulation.money import Exchange, Refunds, looked_up, sliced, that_miss

Outcome = tuple[str, bool, str, int | None]
"""Rule, granted, beneficiary, minor units."""


class PartnerModel:
    def __init__(self, rules: RuleSet, partner: str, exchange: Exchange | None = None) -> None:
        self.exchange = exchange or Exchange()
        self.rules, self.partner = rules, partner
        self.facts: dict[str, Any] = {"partner.id": partner}
        self.tier = rules.tiers[0].id if rules.tiers else None
        self.assigned: str | None = None
        self.clock = date.min
        self.refunds = Refunds(self.exchange)
        self.bounds = BoundsModel(rules, partner, self.exchange)
        self.told: set[tuple[str, date]] = set()
        self.ids: set[tuple[str, str]] = set()
        self.happened: set[tuple[str, ...]] = set()
        self.taken: list[tuple[str, date, dict[str, Any]]] = []
        self.crossed: set[tuple[str, Fraction]] = set()
        self.raised: dict[str, int] = {}

    def decide(self, event: Event) -> list[Outcome]:
        self.bounds.extras = {}
        if (event.source, event.id) in self.ids:
            return []
        self.ids.add((event.source, event.id))
        if event.type.startswith("partner.") and event.data.profile:
            self.facts["partner.status"] = event.data.profile.status
            if event.data.profile.groups is not None:
                self.bounds.groups = event.data.profile.groups
        repeat = self._repeat(event)
        if repeat:
            return [("event", False, f"partner:{self.partner}", None)]
        on = self._day(event.time_ms)
        outcomes = self._reviews(on) if self.clock != date.min else []
        if on > self.clock:
            outcomes += self._silences(on - timedelta(days=1))
        self.clock = max(self.clock, on)
        if event.type == "partner.tier_assigned":
            return [*outcomes, self._assign(event.data.tier or "")]
        seen = self._seen(event)
        happens = [event.type]
        is_open = self._is_open(event, seen, on)
        if event.type in ("lead.registered", "lead.qualified"):
            qualifies, said = self._qualify(event, seen, on, is_open)
            outcomes += said
            if qualifies and event.type == "lead.registered":
                happens.append("lead.qualified")
            if not qualifies and event.type == "lead.qualified":
                is_open = False
        rewards = [
            self._reward(reward, event, seen, on, is_open)
            for reward in self.rules.rewards
            if set(reward.on) & set(happens)
        ]
        if event.type == "deal.refunded" and seen["deal.id"] in self.refunds.sales:
            outcomes += self.refunds.refund(seen["deal.id"], seen["deal.amount"], event.data.period, on)
        given = self.bounds.settle(rewards, seen.get("customer.id"), on)
        outcomes += given
        if event.type in ("deal.won", "deal.renewed") and any(each.clawback for each in self.rules.rewards):
            self.refunds.sell(seen["deal.id"], seen["deal.amount"], event.data.period)
            for candidate, (rule, is_granted, to, minor) in zip(rewards, given, strict=True):
                if is_granted and minor and candidate.reward.clawback:
                    until = moved(on, candidate.reward.clawback, 1)
                    self.refunds.grant(seen["deal.id"], rule, to, minor, until)
        if is_open:
            if event.type == "deal.won" and seen.get("customer.id") is not None:
                self.bounds.first_won.setdefault(seen["customer.id"], on)
            before = {metric.id: self._ever(metric) for metric in self.rules.metrics if not metric.per_customer}
            seen |= {f"taken {path}": self._counted(seen, path, on) for path in list(seen)}
            self.taken += [(each, on, seen) for each in happens]
            missed = that_miss(self.rules.metrics, happens, seen)
            outcomes += [("metric", False, f"partner:{self.partner}", None) for _ in missed]
            outcomes += self._milestones(before)
        for tier in reversed(self.rules.tiers):
            names = [each.id for each in self.rules.tiers]
            is_higher = tier.when is not None and names.index(tier.id) > names.index(self.tier or "")
            if is_higher and self._holds(tier.when, seen, self.clock) is True:
                outcomes.append(("tier", True, f"partner:{self.partner}", None))
                self.tier = tier.id
                break
        return outcomes

    def close(self, time_ms: int) -> list[Outcome]:
        return self._silences(self._day(time_ms))

    def _day(self, time_ms: int) -> date:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
        return moment.astimezone(ZoneInfo(self.rules.timezone)).date()

    def _silences(self, on: date) -> list[Outcome]:
        outcomes: list[Outcome] = []
        metrics = {metric.id: metric for metric in self.rules.metrics}
        for silence in self.rules.inactivity:
            metric = metrics[silence.metric]
            days = [
                day
                for kind, day, each in self.taken
                if kind in (*metric.on, metric.minus)
                and (metric.kind == "count" or list(self._numbers(metric, [each])))
            ]
            first = _first_day(msgspec.structs.replace(metric, window=Window(duration=silence.missing_for)), on)
            if days and max(days) < first and (silence.id, max(days)) not in self.told:
                self.told.add((silence.id, max(days)))
                outcomes.append((silence.id, True, f"partner:{self.partner}", None))
        return outcomes

    def _assign(self, tier: str) -> Outcome:
        by = {each.id: each.by for each in self.rules.tiers}
        is_new = tier in by and tier != self.tier
        if tier in by:
            self.assigned = None if by[tier] == "when" else tier
            self.tier = tier
        return ("tier", is_new, f"partner:{self.partner}", None)

    def _reviews(self, on: date) -> list[Outcome]:
        """Day by day, as nobody would do it."""
        outcomes: list[Outcome] = []
        months = {"never": (), "yearly": (1,), "quarterly": (1, 4, 7, 10), "monthly": tuple(range(1, 13))}
        ids = [each.id for each in self.rules.tiers]
        day = self.clock
        while day < on:
            before, day = day, day + timedelta(days=1)
            if day.day != 1 or day.month not in months[self.rules.tier_review]:
                continue
            held = [
                each.id for each in self.rules.tiers if each.when and self._holds(each.when, self.facts, before) is True
            ]
            tier = max([ids[0], self.assigned or ids[0], *held], key=ids.index)
            if tier != self.tier:
                outcomes.append(("tier", True, f"partner:{self.partner}", None))
                self.tier = tier
        return outcomes

    def _counted(self, seen: dict[str, Any], path: str, on: date) -> int | None:
        """What metrics take of an amount: the share, in the programme's currency at the rate of the day."""
        value = seen[path]
        if not isinstance(value, Amount):
            return None
        own = round(value.minor * Fraction(seen["share"], 1_000_000))
        return self.exchange.rounded(own, value.currency, self.rules.currency, on)

    def _ever(self, metric: Metric) -> Any:
        return self._metric(msgspec.structs.replace(metric, window=Window()), {}, date.max)

    def _milestones(self, before: dict[str, Any]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        metrics = {metric.id: metric for metric in self.rules.metrics}
        for milestone in self.rules.milestones:
            metric = metrics[milestone.metric]
            low, high = Fraction(before[metric.id] or 0), Fraction(self._ever(metric) or 0)
            mark = milestone.every or milestone.at
            assert mark is not None
            step = Fraction(mark.amount_minor) if isinstance(mark, Money) else Fraction(mark.millionths, 10**6)
            for multiple in range(1, int(high // step) + 1 if milestone.every else 2):
                key = (milestone.id, step * multiple)
                if low < step * multiple <= high and key not in self.crossed:
                    self.crossed.add(key)
                    amount = milestone.give.amount_minor if milestone.give else None
                    if milestone.raises is not None:
                        rule = milestone.raises.rule
                        self.raised[rule] = self.raised.get(rule, 0) + milestone.raises.by_ppm
                    outcomes.append((milestone.id, True, f"partner:{self.partner}", amount))
        return outcomes

    def _repeat(self, event: Event) -> bool:
        data, kind = event.data, event.type
        deal, lead = data.deal.id if data.deal else "", data.lead.id if data.lead else ""
        if kind == "deal.refunded" and ("deal.won", deal) not in self.happened:
            return True
        key = {
            "deal.renewed": (kind, deal, data.period or ""),
            "deal.refunded": (kind, deal, data.refund_id or ""),
        }.get(kind, (kind, deal or lead))
        if kind not in ("deal.won", "deal.lost", "deal.opened", "deal.renewed", "deal.refunded") and not lead:
            return False
        if key in self.happened:
            return True
        if kind != "lead.qualified":
            self.happened.add(key)
        return False

    def _seen(self, event: Event) -> dict[str, Any]:
        """Every path of the event with its value."""
        seen: dict[str, Any] = {"event.type": event.type, "event.source": event.source, "share": event.data.share_ppm}
        for section in ("customer", "lead", "deal", "survey", "activity", "link"):
            part = getattr(event.data, section)
            for field in part.__struct_fields__ if part is not None else ():
                seen[f"{section}.{field}"] = getattr(part, field)
        return seen | {f"attributes.{key}": value for key, value in event.data.attributes.items()} | self.facts

    def _is_open(self, event: Event, seen: dict[str, Any], on: date) -> bool:
        rules = self.rules
        if event.type == "deal.refunded":
            return True
        asked = [rules.eligible_partner]
        if event.type.startswith(("lead.", "deal.")) or event.data.customer is not None:
            asked.append(rules.eligible_customer)
        if event.type in ("deal.won", "deal.renewed"):
            asked.append(rules.qualified_deal)
        return all(each is None or self._holds(each, seen, on) is True for each in asked)

    def _qualify(self, event: Event, seen: dict[str, Any], on: date, is_open: bool) -> tuple[bool, list[Outcome]]:
        criteria, lead = self.rules.qualified_lead, event.data.lead
        said_by_crm = event.type == "lead.qualified" and self.rules.crm_qualifies
        assert lead is not None
        if ("lead.qualified", lead.id) in self.happened or (criteria is None and not said_by_crm):
            return False, []
        holds = said_by_crm or (criteria is not None and self._holds(criteria, seen, on) is True)
        qualifies = is_open and holds
        if qualifies:
            self.happened.add(("lead.qualified", lead.id))
        return qualifies, [("qualified.lead", qualifies, f"partner:{self.partner}", None)]

    def _reward(self, reward: Any, event: Event, seen: dict[str, Any], on: date, is_open: bool) -> Candidate:
        to = f"partner:{self.partner}"
        customer = seen.get("customer.id")
        paid = {"customer": customer, "member": event.data.member}.get(reward.to, "x")
        if paid is not None and reward.to != "partner":
            to = f"{reward.to}:{paid}"
        mine = self.bounds.with_terms(reward, on)
        amount = None
        is_theirs = is_open and paid is not None and mine is not None
        if mine is not None and is_theirs and self.bounds.is_covered(mine, event.type, customer, on):
            holds = mine.when is None or self._holds(mine.when, seen, on) is True
            amount = self._amount(mine, seen, on) if holds else None
        minor = amount if amount and amount > 0 else None
        return Candidate(mine or reward, to, minor, unit_of(mine or reward, seen))

    def _amount(self, reward: Any, seen: dict[str, Any], on: date) -> int | None:
        share = Fraction(seen["share"], 1_000_000)
        raised_ppm = self.raised.get(reward.id, 0)
        give = looked_up(reward.give, lambda path: self._value(path, seen, on), self.exchange, on, self.rules.currency)
        if give is None:
            return None
        if isinstance(give, PercentOf):
            base = seen.get(give.of)
            if base is None:
                return None
            part, unit = round(base.minor * share), base.currency
            minor: int | None = round(part * Fraction(give.percent_ppm + raised_ppm, 1_000_000))
            if isinstance(reward.give, Brackets) and reward.give.marginal and base.minor >= 0:
                minor = sliced(reward.give, part, unit, raised_ppm, self.exchange, on)
        else:
            minor, unit = round(give.amount_minor * share), give.unit
        if reward.at_most is None or minor is None:
            return minor
        ceiling = self.exchange.rounded(reward.at_most.amount_minor, reward.at_most.unit, unit, on)
        return None if ceiling is None else min(minor, ceiling)

    def _holds(self, condition: Any, seen: dict[str, Any], on: date) -> bool | None:
        match condition:
            case Not():
                inner = self._holds(condition.condition, seen, on)
                return None if inner is None else not inner
            case AllOf():
                parts = [self._holds(each, seen, on) for each in condition.conditions]
                return False if False in parts else None if None in parts else True
            case AnyOf():
                parts = [self._holds(each, seen, on) for each in condition.conditions]
                return True if True in parts else None if None in parts else False
        return self._compare(condition, self._value(condition.path, seen, on), on)

    def _compare(self, comparison: Comparison, value: Any, on: date) -> bool | None:
        literals = comparison.literal if isinstance(comparison.literal, tuple) else (comparison.literal,)
        operator = comparison.operator
        if operator in ("exists", "missing"):
            return (value is None) == (operator == "missing")
        if value is None:
            return None
        if operator == "starts_with":
            return bool(value.startswith(literals[0]))
        if operator == "contains":
            return literals[0] in value
        pairs = [self._sides(value, literal, on) for literal in literals]
        if operator in ("in", "not in"):
            if any(left is not None and left == right for left, right in pairs):
                return operator == "in"
            return None if any(left is None for left, _ in pairs) else operator == "not in"
        left, right = pairs[0]
        if left is None:
            return None
        compare: Callable[[], bool] = {
            "==": lambda: left == right,
            "!=": lambda: left != right,
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
        }[operator]
        return compare()

    def _sides(self, value: Any, literal: Any, on: date) -> tuple[Any, Any]:
        if isinstance(literal, Money):
            own = value.currency if isinstance(value, Amount) else self.rules.currency
            minor = value.minor if isinstance(value, Amount) else value
            if own != literal.unit:
                minor = self.exchange.rounded(minor, own, literal.unit, on)
            return minor, literal.amount_minor
        return value, Fraction(literal.millionths, 10**6) if isinstance(literal, Number) else literal

    def _value(self, path: str, seen: dict[str, Any], on: date) -> Any:
        if path == "tier":
            return self.tier
        for metric in self.rules.metrics:
            if metric.id == path:
                return self._metric(metric, seen, on)
        return seen.get(path)

    def _metric(self, metric: Metric, seen: dict[str, Any], on: date) -> Any:
        customer = seen.get("customer.id")
        if metric.per_customer and customer is None:
            return None
        first = _first_day(metric, on)
        past = [
            (kind, each)
            for kind, day, each in self.taken
            if first <= day <= on and (not metric.per_customer or each.get("customer.id") == customer)
        ]
        if metric.kind == "count":
            return sum(1 for kind, _ in past if kind in metric.on)
        values = list(self._numbers(metric, [each for kind, each in past if kind in metric.on]))
        if metric.kind == "distinct":
            return len(set(values))
        if metric.kind == "mean":
            return Fraction(sum(values), len(values)) if values else None
        return sum(values) - sum(self._numbers(metric, [each for kind, each in past if kind == metric.minus]))

    def _numbers(self, metric: Metric, past: list[dict[str, Any]]) -> Iterator[Any]:
        for each in past:
            value = each.get(metric.of or "")
            if isinstance(value, Amount):
                if each[f"taken {metric.of}"] is not None:
                    yield each[f"taken {metric.of}"]
            elif value is not None:
                yield value


def _first_day(metric: Metric, on: date) -> date:
    window = metric.window
    if window.this == "month":
        return on.replace(day=1)
    if window.this == "quarter":
        return on.replace(month=[1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10][on.month - 1], day=1)
    if window.this == "year":
        return on.replace(month=1, day=1)
    if window.duration is None:
        return date.min
    if window.duration.days:
        return on - timedelta(days=window.duration.days - 1)
    year, month = on.year, on.month - window.duration.months
    while month < 1:
        year, month = year - 1, month + 12
    return date(year, month, min(on.day, monthrange(year, month)[1])) + timedelta(days=1)
