"""What has to become durable for one request's new events, and where. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from contracts.events import format_time
from runtime.bus.port import Record
from services.tracking.partners import (
    PARTNER_EVENT,
    REGISTERED,
    Partner,
    PartnerName,
    merged,
    registration_record,
    snapshot_record,
)
from services.tracking.records import Sealed, Stamp, encode_changed, headers_of

CLICK_RECORDED: Final = "click.recorded"


class Unplaced(msgspec.Struct, frozen=True, kw_only=True):
    """An event that nobody could be named for, as it is kept."""

    source: str
    event_id: str
    type: str
    happened_at: str
    recorded_at: str
    programme: str
    customer: str | None
    reason: str
    traceparent: str
    data: msgspec.Raw


@dataclass(slots=True)
class Plan:
    """What has to become durable for one request's new events."""

    referrals: list[Record] = field(default_factory=list)
    clicks: list[Record] = field(default_factory=list)
    snapshots: list[Record] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    announced: dict[PartnerName, None] = field(default_factory=dict)
    """Partners whose registration is among `referrals`."""
    met: list[PartnerName] = field(default_factory=list)
    """Partners looked up in the store; once the plan is durable, all of them are announced."""


def introduce(plan: Plan, sealed: Sealed, partners: dict[PartnerName, Partner], stamp: Stamp) -> None:
    """Announce the event's partner if nobody has, and merge what a `partner.*` event says into its profile."""
    envelope = sealed.candidate.envelope
    data = envelope.data
    partner = partners.get((data.programme, data.partner or ""))
    if partner is None:
        return
    name = (partner.programme, partner.partner)
    is_about_partner = envelope.type.startswith(PARTNER_EVENT)
    is_new = not partner.is_announced and name not in plan.announced
    if is_new and envelope.type != REGISTERED:
        plan.referrals.append(
            registration_record(partner, recorded_at_ms=stamp.recorded_at_ms, traceparent=stamp.trace)
        )
    if is_about_partner:
        partner.profile = merged(partner.profile, envelope.type, data.profile)
        data.profile = partner.profile
        sealed.value = encode_changed(data)
    if is_new:
        plan.announced[name] = None
    if is_new or is_about_partner:
        plan.snapshots.append(
            snapshot_record(
                partner,
                time_ms=sealed.candidate.time_ms,
                recorded_at_ms=stamp.recorded_at_ms,
                traceparent=stamp.trace,
            )
        )


def append(plan: Plan, sealed: Sealed, stamp: Stamp) -> None:
    envelope = sealed.candidate.envelope
    data = envelope.data
    headers = headers_of(sealed, stamp)
    if envelope.type == CLICK_RECORDED and data.link is not None:
        plan.clicks.append(Record(data.link.code.encode(), sealed.value, headers))
    else:
        assert data.partner is not None
        plan.referrals.append(Record(data.partner.encode(), sealed.value, headers))


def unplaced(sealed: Sealed, reason: str, stamp: Stamp) -> Unplaced:
    envelope = sealed.candidate.envelope
    data = envelope.data
    return Unplaced(
        source=envelope.source,
        event_id=envelope.id,
        type=envelope.type,
        happened_at=sealed.candidate.time.decode(),
        recorded_at=format_time(stamp.recorded_at_ms),
        programme=data.programme,
        customer=data.customer.id if data.customer else None,
        reason=reason,
        traceparent=stamp.trace,
        data=msgspec.Raw(sealed.value),
    )
