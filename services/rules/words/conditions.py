"""Conditions in plain words: one sentence per comparison, what nests as lists under it."""

from __future__ import annotations

from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Day, Moment, Not
from services.rules.words.page import Item
from services.rules.words.speaker import Speaker


def conditions_under(intro: str, condition: Condition, speaker: Speaker) -> Item:
    """The sentence that leads to a condition, with the condition under it; "all of this" goes without saying."""
    said = condition_in_words(condition, speaker)
    is_plain_list = isinstance(condition, AllOf) and len(condition.conditions) > 1
    # "When this holds: all of this: …" is kept for lists, so that nobody takes them for a choice.
    return Item(intro, (said,)) if not is_plain_list else Item(f"{intro} {said.text}", said.under)


def condition_in_words(condition: Condition, speaker: Speaker) -> Item:
    match condition:
        case Comparison():
            return Item(_comparison(condition, speaker))
        case Not():
            return Item(speaker.say("not"), (condition_in_words(condition.condition, speaker),))
        case AllOf() | AnyOf():
            if len(condition.conditions) == 1:
                return condition_in_words(condition.conditions[0], speaker)
            word = "all" if isinstance(condition, AllOf) else "any"
            return Item(speaker.say(word), tuple(condition_in_words(each, speaker) for each in condition.conditions))


def _comparison(comparison: Comparison, speaker: Speaker) -> str:
    path, literal = comparison.path, comparison.literal
    said = speaker.path(path)
    if literal is None:
        return speaker.say(f"op.{comparison.operator}", path=said)
    if isinstance(literal, tuple):
        values = [speaker.scalar(each, path) for each in literal]
        return speaker.say(f"op.{comparison.operator}", path=said, value=speaker.any_of(values))
    kind = "op.time." if isinstance(literal, Day | Moment) and comparison.operator[0] in "<>" else "op."
    return speaker.say(f"{kind}{comparison.operator}", path=said, value=speaker.scalar(literal, path))
