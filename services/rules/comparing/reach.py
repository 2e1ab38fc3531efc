"""Which partners something can concern, as far as the rules tell: never told too small."""

from __future__ import annotations

import msgspec

from contracts.ruleset import AllOf, AnyOf, Comparison, Condition


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Partners that fulfil all of it; None does not restrict.

    Attributes:
        tiers: Those in one of these.
        partners: These.
        groups: Those in one of these.
        but_partners: Not these, because their own terms say otherwise.
    """

    tiers: frozenset[str] | None = None
    partners: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    but_partners: frozenset[str] = frozenset()

    def __and__(self, other: Reach) -> Reach:
        return Reach(
            tiers=_both(self.tiers, other.tiers),
            partners=_both(self.partners, other.partners),
            # Somebody in both groups would be lost by intersecting them; one of them is wide enough.
            groups=other.groups if self.groups is None else self.groups,
            but_partners=self.but_partners | other.but_partners,
        )

    def __or__(self, other: Reach) -> Reach:
        return Reach(
            tiers=_either(self.tiers, other.tiers),
            partners=_either(self.partners, other.partners),
            groups=_either(self.groups, other.groups),
            but_partners=self.but_partners & other.but_partners,
        )

    @property
    def is_nobody(self) -> bool:
        return frozenset() in (self.tiers, self.partners, self.groups)

    @property
    def is_everyone(self) -> bool:
        return self == EVERYONE

    def __str__(self) -> str:
        """`partners of tier gold or silver, except acme, whose own terms say otherwise`."""
        if self.is_nobody:
            return "nobody"
        said = []
        if self.partners is not None:
            said.append(_listed("partner", self.partners))
        if self.groups is not None:
            said.append(_listed("partners of group", self.groups))
        if self.tiers is not None:
            said.append(_listed("partners of tier", self.tiers))
        text = ", of these ".join(said) or "all partners"
        if not self.but_partners:
            return text
        return f"{text}, except {', '.join(sorted(self.but_partners))}, whose own terms say otherwise"


EVERYONE = Reach()
NOBODY = Reach(partners=frozenset())


def union(reaches: list[Reach]) -> Reach:
    """What any of them reaches; nobody if there are none."""
    reached = [each for each in reaches if not each.is_nobody]
    if not reached:
        return NOBODY
    whole = reached[0]
    for each in reached[1:]:
        whole |= each
    return whole


def reach_of(condition: Condition | None) -> Reach:
    """Whom a condition, in its normal form, can be met by."""
    match condition:
        case AllOf():
            whole = EVERYONE
            for each in condition.conditions:
                whole &= reach_of(each)
            return whole
        case AnyOf():
            return union([reach_of(each) for each in condition.conditions])
        case Comparison():
            return _reach_of_comparison(condition)
        case _:
            return EVERYONE


def _reach_of_comparison(comparison: Comparison) -> Reach:
    literal = comparison.literal if isinstance(comparison.literal, tuple) else (comparison.literal,)
    texts = frozenset(each for each in literal if isinstance(each, str))
    if comparison.path == "partner.groups" and comparison.operator == "contains":
        return Reach(groups=texts)
    if comparison.operator not in ("==", "in"):
        return EVERYONE
    if comparison.path == "tier":
        return Reach(tiers=texts)
    return Reach(partners=texts) if comparison.path == "partner.id" else EVERYONE


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return one if other is None else other if one is None else one & other


def _either(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return None if one is None or other is None else one | other


def _listed(label: str, names: frozenset[str]) -> str:
    return f"{label} {' or '.join(sorted(names))}"
