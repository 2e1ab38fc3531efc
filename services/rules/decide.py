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
from services.rules.amounts import Granted
from services.rules.state import PartnerState

_encode: Final = msgspec.json.Encoder().encode
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
# msgspec leaves a default out only when it is the very object, and decisions must have the same bytes every time.
_ALL: Final[int] = dict(
    zip(reversed(Decision.__struct_fields__), reversed(Decision.__struct_defaults__), strict=False)
)["share_ppm"]
_NO_OCCASION: Final = b',""]'
SOURCES_MAX: Final = 1024
_STAMP_MS_MAX: Final = 2**48 - 1


class Case:
    """One event on the bench: makes its decisions, in order."""

    __slots__ = ("_event", "_hash", "_revision", "_shared", "_stamp", "_state", "decisions")

    def __init__(self, state: PartnerState, event: Event, revision: int, hash: Any) -> None:
        self._state = state
        self._event = event
        self._revision = revision
        self._hash = hash
        self._stamp = ""
        self.decisions: list[Decision] = []

    def rule_on(self, rule: str, reason: str, trace: tuple[TraceLine, ...] = (), tier: str | None = None) -> None:
        """Grant the partner something that is not an amount, or deny it for a reason."""
        self.decide(rule, rule_json(rule), self._state.beneficiary, reason, trace, None, tier)

    def deny_event(self, reason: str) -> None:
        """Deny the event as a whole: it is decided, and changes nothing."""
        self.rule_on(RULE_EVENT, reason)

    def change_tier(self, tier: str | None, tier_to: str, trace: tuple[TraceLine, ...]) -> None:
        self.decide(RULE_TIER, rule_json(RULE_TIER), self._state.beneficiary, "", trace, None, tier, tier_to)

    def _begin(self) -> None:
        """What all decisions of the event share; most events give none."""
        event = self._event
        data = event.data
        customer, deal, lead = data.customer, data.deal, data.lead
        self._stamp = id_stamp(event.time_ms)
        self._shared = (
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
        )

    def decide(
        self,
        rule: str,
        rule_as_json: bytes,
        beneficiary: str,
        reason: str,
        trace: tuple[TraceLine, ...],
        granted: Granted | None,
        tier: str | None,
        tier_to: str | None = None,
    ) -> None:
        """Grant when there is no reason against it, else deny; `granted` is None for what is not an amount."""
        if not self._stamp:
            self._begin()
        state = self._state
        digest = self._hash.copy()
        as_json = state.beneficiary_json if beneficiary is state.beneficiary else _encode(beneficiary)
        digest.update(rule_as_json + as_json + _NO_OCCASION)
        hexed = digest.hexdigest()
        amount_minor = unit = base_minor = base_unit = percent_ppm = None
        clamped_minor = 0
        if granted is not None:
            base_minor, base_unit, percent_ppm = granted.base_minor, granted.base_unit, granted.percent_ppm
            if not reason:
                amount_minor, unit, clamped_minor = granted.amount_minor, granted.unit, granted.clamped_minor
        programme, partner, event_type, source, event_id, time_ms, share, customer, name, lead, deal, product = (
            self._shared
        )
        self.decisions.append(
            Decision(
                f"{self._stamp}{hexed[:3]}-{_VARIANTS[hexed[3]]}{hexed[4:7]}-{hexed[7:19]}",
                not reason,
                programme,
                self._revision,
                rule,
                partner,
                beneficiary,
                event_type,
                source,
                event_id,
                time_ms,
                amount_minor,
                unit,
                base_minor,
                base_unit,
                percent_ppm,
                share,
                tier,
                tier_to,
                clamped_minor,
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


def rule_json(rule: str) -> bytes:
    """A rule's place in the JSON array that decision ids are hashed from."""
    return b"," + _encode(rule) + b","


def id_stamp(time_ms: int) -> str:
    """What all ids of one millisecond begin with, up to the UUID's version."""
    stamp = f"{min(max(time_ms, 0), _STAMP_MS_MAX):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-8"
