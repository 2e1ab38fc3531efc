"""What a reward gives, compared value by value: which tiers and which other keys get something else."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.money import Money
from contracts.ruleset import Brackets, Give, Given, Lookup, PercentOf, Row, Rows
from services.rules.comparing.notation import Notation
from services.rules.comparing.parts import Taken
from services.rules.comparing.reach import EVERYONE, Reach

Difference = tuple[str, str, str, Reach]
"""Field, old, new, whom it reaches."""


def give_differences(old: Give, new: Give, before: Taken, after: Taken) -> list[Difference]:
    """Empty when both give the same to everybody."""
    tiers = tuple(dict.fromkeys(each.id for taken in (before, after) for each in taken.rule_set.tiers))
    if _is_by(old, "tier") or _is_by(new, "tier"):
        one, other = _as_lookup(old, "tier"), _as_lookup(new, "tier")
        if one is not None and other is not None:
            return list(_by_key(one, other, tiers, before.notation, after.notation))
    if isinstance(old, Lookup) and isinstance(new, Lookup) and old.by == new.by:
        return list(_by_key(old, new, (), before.notation, after.notation))
    texts = before.notation.give(old), after.notation.give(new)
    if texts[0] == texts[1]:
        return []
    if isinstance(old, Brackets) and isinstance(new, Brackets):
        found = _by_bracket(old, new, before.notation, after.notation)
        if found is not None:
            return found
    return [("give", *texts, _reach_of_rows(old, new))]


def _is_by(give: Give, path: str) -> bool:
    return isinstance(give, Lookup) and give.by == path


def _as_lookup(give: Give, by: str) -> Lookup | None:
    """The same for every key, where nothing is looked up; None for a lookup by something else."""
    if isinstance(give, Money | PercentOf):
        return Lookup(by=by, values=(), otherwise=give)
    return give if isinstance(give, Lookup) and give.by == by else None


def _by_key(
    old: Lookup, new: Lookup, tiers: tuple[str, ...], before: Notation, after: Notation
) -> Iterator[Difference]:
    """Key by key. What stands for "any other value" is told unless tiers, all of which are known, leave none."""
    keys = tuple(dict.fromkeys((*tiers, *(key for key, _ in (*old.values, *new.values)))))
    was, becomes = dict(old.values), dict(new.values)
    found = []
    for key in keys:
        texts = before.given(was.get(key, old.otherwise)), after.given(becomes.get(key, new.otherwise))
        if texts[0] != texts[1]:
            reach = Reach(tiers=frozenset({key})) if old.by == "tier" else EVERYONE
            found.append((f"give for {old.by} {before.text(key)}", *texts, reach))
    others = before.given(old.otherwise), after.given(new.otherwise)
    is_whole = old.by == "tier"
    if len(found) == len(keys) and len({each[1:3] for each in found}) == 1 and (is_whole or found[0][1:3] == others):
        yield ("give", *found[0][1:3], EVERYONE)
        return
    yield from found
    if not is_whole and others[0] != others[1]:
        yield (f"give for any other {old.by}", *others, EVERYONE)


def _by_bracket(old: Brackets, new: Brackets, before: Notation, after: Notation) -> list[Difference] | None:
    """Bracket by bracket; None where their bounds, or what is looked up, are not the same."""
    bounds = [before.scalar(each.at) for each in old.brackets]
    is_same = (old.by, old.marginal, bounds) == (new.by, new.marginal, [after.scalar(each.at) for each in new.brackets])
    if not is_same:
        return None
    rows: list[tuple[str, Given | None, Given | None]] = [(f"give below {bounds[0]}", old.otherwise, new.otherwise)]
    for bound, one, other in zip(bounds, old.brackets, new.brackets, strict=True):
        rows.append((f"give for {old.by} from {bound}", one.given, other.given))
    told = [(field, before.given(one), after.given(other)) for field, one, other in rows]
    return [(*each, EVERYONE) for each in told if each[1] != each[2]]


def _reach_of_rows(old: Give, new: Give) -> Reach:
    """The tiers of the rows that differ, where nothing else does and all of them name one."""
    if not (isinstance(old, Rows) and isinstance(new, Rows)):
        return EVERYONE
    if old.by != new.by or "tier" not in old.by or old.otherwise != new.otherwise:
        return EVERYONE
    place = old.by.index("tier")
    one, other = ([row for row in rows.rows if row not in others.rows] for rows, others in ((old, new), (new, old)))
    # Rows that both have, in another order, can differ for anybody.
    if _common(old, new) != _common(new, old):
        return EVERYONE
    tiers = {row.values[place] for row in (*one, *other)}
    named = frozenset(tier for tier in tiers if tier is not None)
    return Reach(tiers=named) if len(named) == len(tiers) else EVERYONE


def _common(rows: Rows, others: Rows) -> list[Row]:
    return [row for row in rows.rows if row in others.rows]
