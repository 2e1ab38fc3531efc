"""What the front door knows about a partner, and how `partner.*` events change it. Pure.

A partner exists from the first event that names it. Its profile is merged field by field; the merged profile
travels with every `partner.*` event, so that rules and notify need to remember only the newest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec

from contracts.events import EPOCH, EventData, PartnerProfile, encode_data, event_headers
from runtime.bus.port import Record
from services.tracking.keys import TRACKING_SOURCE

REGISTERED: Final = "partner.registered"
SNAPSHOT: Final = "partner.snapshot"
PARTNER_EVENT: Final = "partner."

PartnerName = tuple[str, str]
"""Programme and partner."""

_IMPLIED: Final[dict[str, dict[str, Any]]] = {
    "partner.approved": {"status": "active"},
    "partner.suspended": {"status": "suspended"},
    "partner.agreement_signed": {"agreement_signed": True},
}
"""Event type to what it says about the profile, whatever the profile sent with it says."""


class Partner(msgspec.Struct, kw_only=True):
    """A row of `tracking.partners`.

    Attributes:
        joined_at_ms: Time of the event that named the partner first.
        is_announced: Whether its `partner.registered` is in the log; False again makes it announced again.
    """

    programme: str
    partner: str
    profile: PartnerProfile
    joined_at_ms: int
    is_announced: bool


def first_profile(joined_at_ms: int) -> PartnerProfile:
    """The profile of a partner that a trusted source named: active at once."""
    return PartnerProfile(status="active", joined_at=EPOCH + timedelta(milliseconds=joined_at_ms))


def merged(profile: PartnerProfile, type: str, sent: PartnerProfile | None) -> PartnerProfile:
    """The profile after a `partner.*` event: what was sent replaces field by field, then what the type implies."""
    fields = {name: getattr(profile, name) for name in profile.__struct_fields__}
    if sent is not None:
        fields |= {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not None}
    return PartnerProfile(**(fields | _IMPLIED.get(type, {})))


def registration_record(partner: Partner, *, recorded_at_ms: int, traceparent: str) -> Record:
    """The `partner.registered` that comes before the partner's first event; the same bytes whoever makes it."""
    data = EventData(
        programme=partner.programme,
        partner=partner.partner,
        profile=first_profile(partner.joined_at_ms),
    )
    headers = event_headers(
        type=REGISTERED,
        source=TRACKING_SOURCE,
        id=f"partner-{partner.programme}/{partner.partner}",
        time_ms=partner.joined_at_ms,
        recorded_at_ms=recorded_at_ms,
        traceparent=traceparent,
    )
    return Record(partner.partner.encode(), encode_data(data), headers)


def snapshot_record(partner: Partner, *, time_ms: int, recorded_at_ms: int, traceparent: str) -> Record:
    """The partner as it is now in a programme, for those who show names; compacted by both. No id has a colon."""
    data = EventData(programme=partner.programme, partner=partner.partner, profile=partner.profile)
    headers = event_headers(
        type=SNAPSHOT,
        source=TRACKING_SOURCE,
        id=f"snapshot-{partner.programme}/{partner.partner}@{recorded_at_ms}",
        time_ms=time_ms,
        recorded_at_ms=recorded_at_ms,
        traceparent=traceparent,
    )
    return Record(f"{partner.programme}:{partner.partner}".encode(), encode_data(data), headers)
