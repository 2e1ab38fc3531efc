"""From what a rule came to, to the decision that leaves the service.

Ids are those of `contracts.ids.decision_id`, hashed over the same bytes; the event's part of them is encoded once for
all of its decisions. A test holds them equal.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec

from contracts.decisions import RULE_EVENT, RULE_TIER, BudgetClaim, Decision, TraceLine
from services.rules.states.state import beneficiary_json

encode_text: Final = msgspec.json.Encoder().encode
VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
# msgspec leaves a default out only when it is the very object, and decisions must have the same bytes every time.
ALL: Final[int] = dict(zip(reversed(Decision.__struct_fields__), reversed(Decision.__struct_defaults__), strict=False))[
    "share_ppm"
]
SOURCES_MAX: Final = 1024
STAMP_MS_MAX: Final = 2**48 - 1

Case = tuple[
    bytes,
    str,
    str,
    int,
    str,
    str,
    bytes,
    str,
    str,
    str,
    int,
    int,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
]
"""What all decisions of one event share, in the order of `CASE`."""
CASE: Final = (
    "begun, stamp, programme, revision, partner, beneficiary, as_json, event_type, event_source, event_id, time_ms, "
    "share, customer, customer_name, lead_id, deal_id, product"
)
"""`begun` is what the bytes that their ids are hashed from begin with; `stamp` is what the ids begin with."""


def decide(
    case: Case,
    rule: str,
    reason: str,
    trace: tuple[TraceLine, ...],
    tier: str | None,
    *,
    tier_to: str | None = None,
    beneficiary: str | None = None,
    as_json: bytes = b"",
    occasion: str = "",
    minor: int | None = None,
    unit: str | None = None,
    decimals: int | None = None,
    base_minor: int | None = None,
    base_unit: str | None = None,
    percent_ppm: int | None = None,
    raises: str | None = None,
    expires_at_ms: int | None = None,
    budgets: tuple[BudgetClaim, ...] = (),
    takes_back: str | None = None,
) -> Decision:
    """What no reward of the event gives: granted when there is no reason against it; to the partner unless said so.

    `as_json` is `beneficiary_json` of a beneficiary, with the occasion.
    """
    (
        begun, stamp, programme, revision, partner, to_partner, partner_json, event_type, source, event_id, time_ms,
        share, customer, name, lead, deal, product,
    ) = case  # fmt: skip
    if occasion and not as_json:
        as_json = beneficiary_json(beneficiary or to_partner, occasion)
    hexed = sha256(begun + rule_json(rule) + (as_json or partner_json)).hexdigest()
    return Decision(
        f"{stamp}{hexed[:3]}-{VARIANTS[hexed[3]]}{hexed[4:7]}-{hexed[7:19]}",
        not reason,
        programme,
        revision,
        rule,
        partner,
        beneficiary or to_partner,
        event_type,
        source,
        event_id,
        time_ms,
        minor,
        unit,
        base_minor,
        base_unit,
        percent_ppm,
        share,
        tier,
        tier_to,
        0,
        None,
        reason,
        customer,
        name,
        lead,
        deal,
        product,
        trace,
        decimals,
        occasion,
        takes_back,
        expires_at_ms,
        budgets,
        raises,
    )


def deny_event(case: Case, reason: str) -> Decision:
    """The event as a whole is denied: it is decided, and changes nothing."""
    return decide(case, RULE_EVENT, reason, (), None)


def change_tier(
    case: Case, tier: str | None, tier_to: str, trace: tuple[TraceLine, ...], occasion: str = ""
) -> Decision:
    return decide(case, RULE_TIER, "", trace, tier, tier_to=tier_to, occasion=occasion)


@lru_cache(maxsize=SOURCES_MAX)
def source_json(programme: str, source: str) -> bytes:
    """What stands before the event's id in the JSON array that decision ids are hashed from, for sources are few.

    With the id it is the part that all decisions of an event share; its SHA-256 is also what an event is known by.
    """
    return encode_text((programme, source))[:-1] + b","


class SourceJson(dict[str, bytes]):
    """`source_json` of one programme, by source; fills itself."""

    def __init__(self, programme: str) -> None:
        super().__init__()
        self._programme = programme

    def __missing__(self, source: str) -> bytes:
        if len(self) >= SOURCES_MAX:
            self.clear()
        json = self[source] = source_json(self._programme, source)
        return json


@lru_cache(maxsize=SOURCES_MAX)
def rule_json(rule: str) -> bytes:
    """A rule's place in the JSON array that decision ids are hashed from."""
    return b"," + encode_text(rule) + b","
