"""What rewards give and what bounds them, in plain words."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from contracts.money import Money
from contracts.ruleset import Brackets, Duration, Give, Given, Limit, Lookup, Override, Reward, Rows
from services.rules.words.conditions import conditions_under
from services.rules.words.page import Item
from services.rules.words.speaker import Speaker

To = Literal["partner", "member", "customer"]


def reward_in_words(reward: Reward, speaker: Speaker) -> tuple[Item, ...]:
    items = [Item(speaker.say("reward.on", events=speaker.events(reward.on, is_choice=True)))]
    if reward.when is not None:
        items.append(conditions_under(speaker.say("reward.when"), reward.when, speaker))
    items.append(give_in_words(reward.give, reward.to, speaker))
    if reward.at_most is not None:
        items.append(_at_most(reward.at_most, speaker))
    items.extend(_limit(limit, speaker) for limit in reward.limits)
    for part, duration in (("for", reward.lasts), ("hold", reward.hold), ("clawback", reward.clawback)):
        if duration is not None:
            items.append(_duration(part, duration, speaker))
    return tuple(items)


def override_in_words(override: Override, to: To, speaker: Speaker) -> tuple[Item, ...]:
    """What terms put in the place of one part of a reward."""
    if override.part == "off":
        return (Item(speaker.say("off")),)
    if override.part == "give":
        assert override.give is not None
        ceiling = (_at_most(override.at_most, speaker),) if override.at_most is not None else ()
        return (give_in_words(override.give, to, speaker), *ceiling)
    if override.part == "at_most" and override.at_most is not None:
        return (_at_most(override.at_most, speaker),)
    if override.part == "limit" and override.limits:
        return tuple(_limit(limit, speaker) for limit in override.limits)
    if override.duration is not None:
        return (_duration(override.part, override.duration, speaker),)
    return (Item(speaker.say(f"none.{override.part}")),)


def give_in_words(give: Give, to: To, speaker: Speaker) -> Item:
    match give:
        case Lookup():
            by, lines = speaker.path(give.by), _values(give, speaker)
        case Rows():
            by, lines = speaker.all_of(speaker.path(each) for each in give.by), _rows(give, speaker)
        case Brackets():
            by, lines = speaker.path(give.by), _brackets(give, speaker)
        case _:
            return Item(speaker.say(f"give.{to}", what=_given(give, speaker)))
    return Item(speaker.say(f"give-by.{to}", by=by), tuple(Item(each) for each in lines))


def _values(lookup: Lookup, speaker: Speaker) -> list[str]:
    lines = [_line(speaker.scalar(value, lookup.by), given, speaker) for value, given in lookup.values]
    return [*lines, *_otherwise(lookup.otherwise, speaker)]


def _rows(rows: Rows, speaker: Speaker) -> list[str]:
    lines = []
    for row in rows.rows:
        named = [
            speaker.say("row.value", path=speaker.path(path), value=speaker.scalar(value, path))
            for path, value in zip(rows.by, row.values, strict=True)
            if value is not None
        ]
        label = speaker.all_of(named) if named else speaker.say("otherwise")
        lines.append(_line(label, row.given, speaker))
        if not named:  # It takes everything: what stands below is never reached.
            return lines
    return [*lines, *_otherwise(rows.otherwise, speaker)]


def _brackets(brackets: Brackets, speaker: Speaker) -> list[str]:
    bounds = [speaker.scalar(bracket.at, brackets.by) for bracket in brackets.brackets]
    lines = []
    if brackets.otherwise is not None:
        lines.append(_line(speaker.say("bracket.below", low=bounds[0]), brackets.otherwise, speaker))
    for index, bracket in enumerate(brackets.brackets):
        if index + 1 < len(bounds):
            label = speaker.say("bracket.between", low=bounds[index], high=bounds[index + 1])
        else:
            label = speaker.say("bracket.from", low=bounds[index])
        lines.append(_line(label, bracket.given, speaker))
    return [*lines, speaker.say("marginal")] if brackets.marginal else lines


def _otherwise(given: Given | None, speaker: Speaker) -> list[str]:
    return [] if given is None else [_line(speaker.say("otherwise"), given, speaker)]


def _line(label: str, given: Given, speaker: Speaker) -> str:
    return speaker.say("labelled", label=label, what=_given(given, speaker))


def _given(given: Given, speaker: Speaker) -> str:
    if isinstance(given, Money):
        return speaker.money(given) if given.amount_minor else speaker.say("nothing")
    if not given.percent_ppm:
        return speaker.say("nothing")
    return speaker.say("percent-of", percent=speaker.percent(given.percent_ppm), base=speaker.base(given.of))


def _at_most(amount: Money, speaker: Speaker) -> Item:
    return Item(speaker.say("at-most", amount=speaker.money(amount)))


def _limit(limit: Limit, speaker: Speaker) -> Item:
    if limit.amount is not None:
        what = speaker.money(limit.amount)
    else:
        assert limit.count is not None
        what = speaker.counted("times", Decimal(limit.count))
    return Item(speaker.say("limit", what=what, per=speaker.say(f"per.{limit.per}")))


def _duration(part: str, duration: Duration, speaker: Speaker) -> Item:
    return Item(speaker.say(part, duration=speaker.duration(duration)))
