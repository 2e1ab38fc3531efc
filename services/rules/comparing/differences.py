"""Compares two rule sets part by part, and says whom each difference can touch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from contracts.ruleset import RuleSet
from services.rules.comparing.change import Change
from services.rules.comparing.gives import give_differences
from services.rules.comparing.parts import Part, Parts, Taken
from services.rules.comparing.reach import EVERYONE, Reach

_TERMS_PARTS: Final = ("give", "at_most", "limit", "for", "hold", "clawback")
"""Fields of a reward that terms can replace."""


def differences(old: RuleSet, new: RuleSet) -> tuple[Change, ...]:
    """What changed in meaning from `old` to `new`, in the order of the file; empty: every decision stays the same."""
    before, after = Taken(old), Taken(new)
    parts, others = before.sections(), after.sections()
    found: list[Change] = []
    for section, ones in parts.items():
        found += _compare_section(section, ones, others[section], before, after)
        if section == "tiers":
            found += _order_of_tiers(old, new)
        elif section == "terms":
            found += _order_of_terms(before, after)
    return tuple(found)


def _compare_section(section: str, ones: Parts, others: Parts, before: Taken, after: Taken) -> Iterator[Change]:
    for id in dict.fromkeys((*ones, *others)):
        one, other = ones.get(id), others.get(id)
        if one is None or other is None:
            yield _whole(section, id, one, other, before, after)
        elif section == "rewards":
            yield from _reward(id, one, other, before, after)
        else:
            yield from _fields(section, id, one, other)


def _whole(section: str, id: str, one: Part | None, other: Part | None, before: Taken, after: Taken) -> Change:
    part = one or other
    assert part is not None
    taken = before if one is not None else after
    reach = part.reach
    if section == "rewards":
        off = {partner for partner, said in taken.own_terms(id, "off").items() if said == "off"}
        reach &= Reach(but_partners=frozenset(off))
    return Change(
        section=section,
        id=id,
        field=None,
        old=one.summary if one is not None else None,
        new=other.summary if other is not None else None,
        touches=reach,
    )


def _fields(section: str, id: str, one: Part, other: Part) -> Iterator[Change]:
    """Fields differ one by one; of terms, fields come and go."""
    for field in dict.fromkeys((*one.fields, *other.fields)):
        old, new = one.fields.get(field), other.fields.get(field)
        if old != new:
            reach = one.reach | other.reach
            if section == "metrics" and one.reach.is_nobody:
                reach = other.reach
            elif section == "metrics" and other.reach.is_nobody:
                reach = one.reach
            yield Change(section=section, id=id, field=field, old=old, new=new, touches=reach)


def _reward(id: str, one: Part, other: Part, before: Taken, after: Taken) -> Iterator[Change]:
    reach = one.reach | other.reach
    for field, old in one.fields.items():
        new = other.fields[field]
        shared = reach & Reach(but_partners=_with_own_terms(id, field, before, after))
        if field == "give":
            was, becomes = before.rewards[id], after.rewards[id]
            for what, text, text_after, touched in give_differences(was.give, becomes.give, before, after):
                touches = shared & touched
                yield Change(section="rewards", id=id, field=what, old=text, new=text_after, touches=touches)
        elif old != new:
            yield Change(section="rewards", id=id, field=field, old=old, new=new, touches=shared)


def _with_own_terms(rule: str, field: str, before: Taken, after: Taken) -> frozenset[str]:
    """Partners whom the field does not concern, because terms of their own replace it before and after."""
    part = field if field in _TERMS_PARTS else "off"
    old, new = before.own_terms(rule, part), after.own_terms(rule, part)
    return frozenset(partner for partner, said in old.items() if new.get(partner) == said)


def _order_of_tiers(old: RuleSet, new: RuleSet) -> Iterator[Change]:
    was, becomes = [each.id for each in old.tiers], [each.id for each in new.tiers]
    common = set(was) & set(becomes)
    if [each for each in was if each in common] != [each for each in becomes if each in common]:
        texts = " < ".join(was), " < ".join(becomes)
        yield Change(section="tiers", id="", field="order", old=texts[0], new=texts[1], touches=EVERYONE)


def _order_of_terms(before: Taken, after: Taken) -> Iterator[Change]:
    """Terms that both files have, of the same part of a rule: the later ones win."""
    order, others = before.order_of_terms(), after.order_of_terms()
    for what in order.keys() & others.keys():
        old = [label for label in order[what] if label in others[what]]
        new = [label for label in others[what] if label in order[what]]
        if old != new:
            texts = ", then ".join(old), ", then ".join(new)
            yield Change(section="terms", id="", field=f"order of {what}", old=texts[0], new=texts[1], touches=EVERYONE)
