"""From a rule set to a page: which sections there are, in which order, and what stands in each.

Not told: tests, and what was agreed with others. The file's order is kept everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

from contracts.money import PPM
from contracts.ruleset import Contest, Metric, Milestone, RuleSet, Terms, Tier
from services.rules.words.conditions import conditions_under
from services.rules.words.giving import To, give_in_words, override_in_words, reward_in_words
from services.rules.words.page import Item, Page, Section
from services.rules.words.speaker import Speaker


def describe(
    rule_set: RuleSet, language: str, *, partner: str | None = None, groups: Collection[str] = frozenset()
) -> Page:
    """The programme as one partner reads it.

    Args:
        rule_set: Of which all parts are told that concern partners.
        language: One of LANGUAGES.
        partner: Whose own terms are told; None tells nobody's.
        groups: The groups whose terms are told.
    """
    speaker = Speaker(rule_set, language)
    terms = [each for each in rule_set.terms if _is_for(each, partner, groups)]
    introduction = [speaker.say("timezone", timezone=rule_set.timezone)]
    if rule_set.effective_from_ms is not None:
        introduction.insert(0, speaker.say("since", moment=speaker.moment(rule_set.effective_from_ms)))
    if rule_set.lock_terms == "lead":
        introduction.append(speaker.say("lock.lead"))
    if len(terms) < len(rule_set.terms):
        introduction.append(speaker.say("own-terms"))
    found = (
        Section(speaker.say("section.eligible"), tuple(_eligible(rule_set, speaker))),
        Section(speaker.say("section.qualified"), tuple(_qualified(rule_set, speaker))),
        _tiers(rule_set, speaker),
        _parts("rewards", [(each.id, reward_in_words(each, speaker)) for each in rule_set.rewards], speaker),
        Section(speaker.say("section.groups"), tuple(_groups(rule_set, speaker))),
        _parts("milestones", [(each.id, _milestone(each, speaker)) for each in rule_set.milestones], speaker),
        Section(speaker.say("section.inactivity"), tuple(_inactivity(rule_set, speaker))),
        _parts("contests", [(each.id, _contest(each, speaker)) for each in rule_set.contests], speaker),
        Section(speaker.say("section.budgets"), tuple(_budgets(rule_set, speaker))),
        Section(speaker.say("section.terms"), tuple(_terms(rule_set, terms, speaker))),
        Section(speaker.say("section.metrics"), tuple(_metrics(rule_set, speaker))),
        Section(speaker.say("section.units"), tuple(_units(rule_set, speaker))),
    )
    title = speaker.say("title", name=speaker.quoted(speaker.name(rule_set.programme)))
    sections = tuple(each for each in found if each.items or each.parts)
    return Page(language, title, tuple(introduction), sections)


def _is_for(terms: Terms, partner: str | None, groups: Collection[str]) -> bool:
    return terms.group in groups if terms.partner is None else terms.partner == partner


def _parts(key: str, parts: list[tuple[str, tuple[Item, ...]]], speaker: Speaker) -> Section:
    titled = tuple(Section(speaker.name(id), items) for id, items in parts)
    return Section(speaker.say(f"section.{key}"), parts=titled)


def _eligible(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    for key, condition in (("partner", rule_set.eligible_partner), ("customer", rule_set.eligible_customer)):
        if condition is not None:
            yield conditions_under(speaker.say(f"eligible.{key}"), condition, speaker)


def _qualified(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    on = {type for reward in rule_set.rewards for type in reward.on}
    on |= {type for metric in rule_set.metrics for type in metric.on}
    if rule_set.qualified_lead is not None:
        key = "qualified.lead" if rule_set.crm_qualifies else "qualified.lead-only"
        yield conditions_under(speaker.say(key), rule_set.qualified_lead, speaker)
    elif "lead.qualified" in on and rule_set.crm_qualifies:
        yield Item(speaker.say("qualified.crm"))
    if rule_set.qualified_deal is not None:
        yield conditions_under(speaker.say("qualified.deal"), rule_set.qualified_deal, speaker)


def _tiers(rule_set: RuleSet, speaker: Speaker) -> Section:
    if not rule_set.tiers:
        return Section(speaker.say("section.tiers"))
    items = (Item(speaker.say("tier.next")), Item(speaker.say(f"review.{rule_set.tier_review}")))
    parts = (Section(speaker.name(each.id), (_tier(each, speaker),)) for each in rule_set.tiers)
    return Section(speaker.say("section.tiers"), items, tuple(parts))


def _tier(tier: Tier, speaker: Speaker) -> Item:
    if tier.by == "hand":
        return Item(speaker.say("tier.hand"))
    if tier.by == "choice" and tier.price is not None:
        per = speaker.say(f"per.{tier.price.per}")
        price = speaker.say("amount-per", amount=speaker.money(tier.price.amount), per=per)
        return Item(speaker.say("tier.choice-price", price=price))
    if tier.by == "choice":
        return Item(speaker.say("tier.choice"))
    if tier.when is None:
        return Item(speaker.say("tier.first"))
    return conditions_under(speaker.say("tier.when"), tier.when, speaker)


def _groups(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    for group in rule_set.groups:
        yield Item(speaker.say("group", rewards=_names(group.rewards, speaker)))


def _milestone(milestone: Milestone, speaker: Speaker) -> tuple[Item, ...]:
    key, mark = ("at", milestone.at) if milestone.at is not None else ("every", milestone.every)
    assert mark is not None
    metric = speaker.path(milestone.metric)
    when = Item(speaker.say(f"milestone.{key}", metric=metric, mark=speaker.scalar(mark, milestone.metric)))
    if milestone.give is not None:
        return when, give_in_words(milestone.give, "partner", speaker)
    assert milestone.raises is not None
    points = speaker.counted("points", Decimal(milestone.raises.by_ppm) * 100 / PPM)
    reward = speaker.quoted(speaker.name(milestone.raises.rule))
    return when, Item(speaker.say("raise", reward=reward, points=points))


def _inactivity(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    for each in rule_set.inactivity:
        duration = speaker.duration(each.missing_for)
        yield Item(speaker.say("inactivity", metric=speaker.path(each.metric), duration=duration))


def _contest(contest: Contest, speaker: Speaker) -> tuple[Item, ...]:
    first, last = speaker.date(contest.from_day), speaker.date(contest.to_day)
    ranked = Item(speaker.say("contest", first=first, last=last, metric=_counted(contest, speaker)))
    prizes = enumerate(contest.prizes, 1)
    return ranked, *(Item(speaker.say("prize", rank=str(n), amount=speaker.money(each))) for n, each in prizes)


def _budgets(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    for each in rule_set.budgets:
        amount = speaker.say("amount-per", amount=speaker.money(each.amount), per=speaker.say(f"per.{each.per}"))
        yield Item(speaker.say(f"budget.{each.when_spent}", budget=amount, covers=_names(each.covers, speaker)))


def _terms(rule_set: RuleSet, terms: list[Terms], speaker: Speaker) -> Iterator[Item]:
    to: dict[str, To] = {each.id: each.to for each in rule_set.rewards}
    for each in terms:
        items = tuple(
            Item(speaker.say("labelled", label=speaker.quoted(speaker.name(override.rule)), what=said.text), said.under)
            for override in each.overrides
            for said in override_in_words(override, to[override.rule], speaker)
        )
        first = speaker.date(each.from_day) if each.from_day is not None else ""
        last = speaker.date(each.to_day) if each.to_day is not None else ""
        if first or last:
            key = "between" if first and last else "from" if first else "to"
            yield Item(speaker.say(f"days.{key}", first=first, last=last), items)
        else:
            yield from items


def _metrics(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    for metric in rule_set.metrics:
        parts = [_counted(metric, speaker)]
        if metric.window.duration is not None:
            parts.append(speaker.say("window.last", duration=speaker.duration(metric.window.duration)))
        elif metric.window.this is not None:
            parts.append(speaker.say(f"window.{metric.window.this}"))
        if metric.per_customer:
            parts.append(speaker.say("metric.customer"))
        yield Item(speaker.say("labelled", label=speaker.path(metric.id), what="; ".join(parts)))


def _counted(metric: Metric | Contest, speaker: Speaker) -> str:
    of = speaker.path(metric.of) if metric.of is not None else ""
    said = speaker.say(f"metric.{metric.kind}", of=of, events=speaker.events(metric.on))
    if metric.minus is None:
        return said
    return f"{said}; {speaker.say('metric.minus', events=speaker.events([metric.minus]))}"


def _units(rule_set: RuleSet, speaker: Speaker) -> Iterator[Item]:
    for unit in rule_set.units:
        if unit.expires_after is not None:
            yield Item(speaker.say("unit.expires", unit=unit.id, duration=speaker.duration(unit.expires_after)))


def _names(rules: tuple[str, ...], speaker: Speaker) -> str:
    return speaker.all_of(speaker.quoted(speaker.name(each)) for each in rules)
