"""Whether something can be redeemed, and which transfers a redemption makes. Pure.

A redemption is reserved first (`available` → `reserved`), and ends exactly once: fulfilled (`reserved` → the
programme's `redeemed`), or cancelled (back to `available`). It keeps price and version of the catalogue from when it
was reserved.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from contracts.errors import Problem
from contracts.facts import TransferPosted
from services.rewards.catalogue.items import QUANTITY_MAX, Offer, Stock
from services.rewards.decode import DecisionHead
from services.rewards.legs import (
    STAGE_CANCELLED,
    STAGE_CREDITED,
    STAGE_REDEEMED,
    STAGE_RESERVED,
    ByHand,
    leg,
)
from services.rewards.lots.spending import Part
from services.rewards.own import own_head

State = Literal["reserved", "fulfilled", "cancelled"]
RULE_REDEMPTION: Final = "redemption"
BY_THE_CLOCK: Final = "clock"


class Asked(NamedTuple):
    """Who wants how many of an item.

    Attributes:
        tier: Where the partner stands as far as anything said so; None: nothing did.
        had: How many of it they have had, those on their way among them.
    """

    beneficiary: str
    quantity: int
    tier: str | None
    had: int


class Redemption(msgspec.Struct, kw_only=True, gc=False):
    """A row of `rewards.redemptions`; its columns say what each field means."""

    id: str
    programme: str
    key: str
    beneficiary: str
    item_id: int
    item: str
    kind: str
    version: int
    quantity: int
    price_minor: int
    unit: str
    decimals: int | None = None
    gives_minor: int | None = None
    gives_unit: str | None = None
    gives_decimals: int | None = None
    has_codes: bool = False
    parts: tuple[Part, ...] = ()
    state: State = "reserved"
    reserved_at_ms: int
    reserved_by: str
    until_ms: int
    closed_at_ms: int | None = None
    closed_by: str | None = None
    reason: str | None = None


def refusal(offer: Offer, asked: Asked, stock: Stock, *, at_ms: int) -> Problem | None:
    """Why it cannot be reserved whatever they own, in a fixed order; None when it can."""
    item = offer.item
    day = offer.day_of(at_ms)
    if not stock.is_offered:
        return _problem("item-withdrawn", f"{item.id} is not offered any more")
    if not 0 < asked.quantity <= QUANTITY_MAX:
        return _problem("quantity-out-of-range", f"{asked.quantity} is not 1 … {QUANTITY_MAX}")
    if item.starts is not None and day < item.starts:
        return _problem("item-not-yet", f"{item.id} is offered from {item.starts}, and it is {day} in {offer.timezone}")
    if item.ends is not None and day > item.ends:
        return _problem(
            "item-no-longer", f"{item.id} was offered until {item.ends}, and it is {day} in {offer.timezone}"
        )
    if item.tiers is not None and tier_of(offer, asked) not in item.tiers:
        standing = tier_of(offer, asked) or f"no tier, as {asked.beneficiary} is no partner"
        return _problem("tier-too-low", f"{item.id} is for {', '.join(item.tiers)}; this one has {standing}")
    if item.per_person is not None and asked.had + asked.quantity > item.per_person:
        return _problem(
            "per-person-limit", f"{item.id} is for {item.per_person} each, and {asked.had} were had already"
        )
    if stock.stock is not None and stock.taken + asked.quantity > stock.stock:
        return _problem("out-of-stock", f"{stock.left} of {item.id} are left, not {asked.quantity}")
    return None


def tier_of(offer: Offer, asked: Asked) -> str | None:
    """Partners whom nothing has moved yet are where everyone starts; others than partners have no tier."""
    if not asked.beneficiary.startswith("partner:"):
        return None
    return asked.tier or (offer.tiers[0] if offer.tiers else None)


def redemption_of(
    offer: Offer, asked: Asked, *, programme: str, item_id: int, key: str, at_ms: int, until_ms: int, by: str
) -> Redemption:
    """The redemption that is about to be reserved."""
    item, gives = offer.item, offer.item.gives
    made = Redemption(
        id="",
        programme=programme,
        key=key,
        beneficiary=asked.beneficiary,
        item_id=item_id,
        item=item.id,
        kind=item.kind,
        version=offer.version,
        quantity=asked.quantity,
        price_minor=item.price.minor * asked.quantity,
        unit=item.price.unit,
        decimals=offer.decimals_of(item.price.unit),
        gives_minor=gives.minor * asked.quantity if gives else None,
        gives_unit=gives.unit if gives else None,
        gives_decimals=offer.decimals_of(gives.unit) if gives else None,
        has_codes=item.has_codes,
        reserved_at_ms=at_ms,
        reserved_by=by,
        until_ms=until_ms,
    )
    made.id = head_of(made).id
    return made


def head_of(redemption: Redemption) -> DecisionHead:
    """The head of all its transfers; its id is the redemption's."""
    return own_head(
        RULE_REDEMPTION,
        f"{redemption.programme}/{redemption.key}",
        programme=redemption.programme,
        beneficiary=redemption.beneficiary,
        unit=redemption.unit,
        at_ms=redemption.reserved_at_ms,
        decimals=redemption.decimals,
    )


def accounts_of(programme: str, beneficiary: str) -> set[str]:
    """All that a redemption may move something between, now or later."""
    own = {f"{beneficiary}:{account}" for account in ("available", "reserved")}
    return own | {f"programme:{programme}:{account}" for account in ("redeemed", "cost")}


def reserve(redemption: Redemption) -> list[TransferPosted]:
    at_ms = redemption.reserved_at_ms
    by_hand = ByHand(f"{redemption.quantity} × {redemption.item}", redemption.reserved_by)
    return [_own_leg(redemption, STAGE_RESERVED, "available", "reserved", at_ms, by_hand)]


def fulfil(redemption: Redemption, *, at_ms: int, by: str) -> list[TransferPosted]:
    """What was reserved goes to the programme; a credit gives what it promised."""
    redemption.state, redemption.closed_at_ms, redemption.closed_by = "fulfilled", at_ms, by
    by_hand = ByHand(f"{redemption.quantity} × {redemption.item}", by)
    head = head_of(redemption)
    redeemed = leg(
        head,
        STAGE_REDEEMED,
        f"{redemption.beneficiary}:reserved",
        f"programme:{redemption.programme}:redeemed",
        redemption.price_minor,
        posted_at_ms=at_ms,
        by_hand=by_hand,
        news_at_ms=at_ms,
    )
    if redemption.gives_minor is None or redemption.gives_unit is None:
        return [redeemed]
    credited = leg(
        msgspec.structs.replace(head, unit=redemption.gives_unit, decimals=redemption.gives_decimals),
        STAGE_CREDITED,
        f"programme:{redemption.programme}:cost",
        f"{redemption.beneficiary}:available",
        redemption.gives_minor,
        posted_at_ms=at_ms,
        group=redeemed.id,
        by_hand=by_hand,
        news_at_ms=at_ms,
    )
    return [redeemed, credited]


def cancel(redemption: Redemption, *, at_ms: int, by: str, reason: str) -> list[TransferPosted]:
    """What was reserved is available again."""
    redemption.state, redemption.closed_at_ms, redemption.closed_by = "cancelled", at_ms, by
    redemption.reason = reason
    return [_own_leg(redemption, STAGE_CANCELLED, "reserved", "available", at_ms, ByHand(reason, by))]


def _own_leg(
    redemption: Redemption, stage: str, debit: str, credit: str, at_ms: int, by_hand: ByHand
) -> TransferPosted:
    """Between two accounts of the same person."""
    return leg(
        head_of(redemption),
        stage,
        f"{redemption.beneficiary}:{debit}",
        f"{redemption.beneficiary}:{credit}",
        redemption.price_minor,
        posted_at_ms=at_ms,
        by_hand=by_hand,
        news_at_ms=at_ms,
    )


def _problem(code: str, message: str) -> Problem:
    return Problem(code=code, message=message, help="`goodword catalogue list` shows what is offered, and to whom")
