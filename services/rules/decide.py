"""From what a rule came to, to the decision that leaves the service.

Ids are those of `contracts.ids.decision_id`, worked out with the hash of the event's part shared by all of its
decisions, which a test holds equal.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec

from contracts.decisions import RULE_EVENT, RULE_TIER, Decision, TraceLine
from contracts.events import Event
from contracts.money import PPM
from services.rules.state import PartnerState

_encode: Final = msgspec.json.Encoder().encode
VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
# msgspec leaves a default out only when it is the very object, and decisions must have the same bytes every time.
_ALL: Final[int] = dict(
    zip(reversed(Decision.__struct_fields__), reversed(Decision.__struct_defaults__), strict=False)
)["share_ppm"]
SOURCES_MAX: Final = 1024
_STAMP_MS_MAX: Final = 2**48 - 1


Shared = tuple[str, str, str, str, str, int, int, str | None, str | None, str | None, str | None, str | None]
"""Programme, partner; the event's type, source, id, time and share; customer, customer's name, lead, deal, product."""


class Case:
    """One event on the bench: collects its decisions, in order, and makes those that carry no amount.

    Attributes:
        hash: What the ids of all decisions of the event begin to be hashed with; copied, never updated.
        revision: In force; 0 before the first.
    """

    __slots__ = ("_event", "_shared", "_state", "decisions", "hash", "revision")

    def __init__(self, state: PartnerState, event: Event, revision: int, hash: Any) -> None:
        self._state = state
        self._event = event
        self._shared: tuple[str, Shared] | None = None
        self.revision = revision
        self.hash = hash
        self.decisions: list[Decision] = []

    def rule_on(self, rule: str, reason: str, trace: tuple[TraceLine, ...] = (), tier: str | None = None) -> None:
        """Grant the partner something that is not an amount, or deny it for a reason."""
        self._decide(rule, reason, trace, tier, None)

    def deny_event(self, reason: str) -> None:
        """Deny the event as a whole: it is decided, and changes nothing."""
        self._decide(RULE_EVENT, reason, (), None, None)

    def change_tier(self, tier: str | None, tier_to: str, trace: tuple[TraceLine, ...]) -> None:
        self._decide(RULE_TIER, "", trace, tier, tier_to)

    def shared(self) -> tuple[str, Shared]:
        """What all decisions of the event share: the beginning of their ids, and fields; most events give none."""
        shared = self._shared
        if shared is None:
            event = self._event
            data = event.data
            customer, deal, lead = data.customer, data.deal, data.lead
            shared = self._shared = (
                id_stamp(event.time_ms),
                (
                    data.programme,
                    self._state.partner,
                    event.type,
                    event.source,
                    event.id,
                    event.time_ms,
                    _ALL if data.share_ppm == PPM else data.share_ppm,
                    None if customer is None else customer.id,
                    None if customer is None else customer.name,
                    None if lead is None else lead.id,
                    None if deal is None else deal.id,
                    None if deal is None else deal.product,
                ),
            )
        return shared

    def _decide(
        self, rule: str, reason: str, trace: tuple[TraceLine, ...], tier: str | None, tier_to: str | None
    ) -> None:
        """Grant when there is no reason against it, else deny."""
        stamp, shared = self.shared()
        programme, partner, event_type, source, event_id, time_ms, share, customer, name, lead, deal, product = shared
        state = self._state
        digest = self.hash.copy()
        digest.update(rule_json(rule) + state.beneficiary_json)
        hexed = digest.hexdigest()
        self.decisions.append(
            Decision(
                f"{stamp}{hexed[:3]}-{VARIANTS[hexed[3]]}{hexed[4:7]}-{hexed[7:19]}",
                not reason,
                programme,
                self.revision,
                rule,
                partner,
                state.beneficiary,
                event_type,
                source,
                event_id,
                time_ms,
                None,
                None,
                None,
                None,
                None,
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
            )
        )


def event_digest(event: Event) -> Any:
    """SHA-256 over the part of the JSON array that all decisions of an event share; also what an event is known by."""
    digest = _begun(event.data.programme, event.source).copy()
    digest.update(_encode(event.id))
    return digest


@lru_cache(maxsize=SOURCES_MAX)
def _begun(programme: str, source: str) -> Any:
    """The hash up to the event's id, for sources are few; never updated, only copied."""
    return sha256(_encode((programme, source))[:-1] + b",")


@lru_cache(maxsize=SOURCES_MAX)
def rule_json(rule: str) -> bytes:
    """A rule's place in the JSON array that decision ids are hashed from."""
    return b"," + _encode(rule) + b","


def id_stamp(time_ms: int) -> str:
    """What all ids of one millisecond begin with, up to the UUID's version."""
    stamp = f"{min(max(time_ms, 0), _STAMP_MS_MAX):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-8"
