"""Events: CloudEvents 1.0 with the data that each type of ours carries.

On HTTP in structured or batch mode; on the bus in binary mode: the context attributes are `ce_*` headers,
the value is `data` as JSON (CloudEvents 1.0.2, Kafka protocol binding, section 3.2). Amounts are integers in
minor units with their unit; `time` is when it happened and carries an offset. docs/events.md has the schemas.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from contracts.ids import ID_PATTERN, are_ids
from contracts.strict import strict

Id = Annotated[str, Meta(extra={"pattern": ID_PATTERN}, description="1–128 of A–Z a–z 0–9 . _ ~ / @ + -")]
"""The decoders below check it, all ids of a batch in one go; `StrictData` runs the pattern, see `contracts.strict`."""
Text = Annotated[str, Meta(max_length=1024)]
Scalar = str | int | bool
Minor = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, description="integer minor units")]
Count = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Currency = Annotated[str, Meta(extra={"pattern": "^[A-Z]{3}$"}, description="ISO 4217 code")]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

EVENT_TYPES: Final = (
    "click.recorded",
    "lead.registered",
    "lead.qualified",
    "lead.disqualified",
    "deal.opened",
    "deal.stage_changed",
    "deal.lost",
    "deal.won",
    "deal.renewed",
    "deal.refunded",
    "survey.answered",
    "activity.recorded",
    "partner.registered",
    "partner.approved",
    "partner.suspended",
    "partner.agreement_signed",
    "partner.step_completed",
    "partner.updated",
    "partner.tier_assigned",
)
"""What senders may send."""

BROADCAST_TYPES: Final = ("clock.day_closed", "ruleset.activated", "rates.published")
"""What the system itself writes to every partition; refused at the door."""


SYSTEM_TYPES: Final = ("contest.closed",)
"""What the system itself writes to one partner's partition; refused at the door."""


class Amount(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Money in an event: `{"minor": 105400, "currency": "USD"}`."""

    minor: Minor
    currency: Currency


class Lead(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    id: Id
    channel: Text | None = None
    contact: Text | None = None


class Deal(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    id: Id
    product: Text | None = None
    stage: Text | None = None
    amount: Amount | None = None


class Customer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    id: Id
    name: Text | None = None
    industry: Text | None = None
    employees: Count | None = None
    annual_revenue: Amount | None = None
    country: Text | None = None


class Survey(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    kind: Text
    score: Count
    about: Text | None = None


class Activity(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    kind: Text
    quantity: Count = 1


class Link(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    code: Id
    channel: Text | None = None
    campaign: Text | None = None
    landing_page: Text | None = None
    click_id: Text | None = None
    ip_prefix: Text | None = None
    user_agent_class: Text | None = None


class PartnerProfile(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A snapshot of a partner; carried by `partner.*` events, replaces the one before, field by field."""

    name: Text | None = None
    email: Text | None = None
    language: Text | None = None
    status: Text | None = None
    country: Text | None = None
    groups: list[Text] | None = None
    joined_at: datetime | None = None
    agreement_signed: bool | None = None


class Canary(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """For whom a revision is in force first; either `share_ppm` or `group` is there.

    Attributes:
        base: The revision that all others stay under.
        share_ppm: So many millionths of the partners, by a hash of who they are.
        group: The partners whose profile has this group.
    """

    base: int
    share_ppm: int | None = None
    group: str | None = None


class RulesetActivated(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A revision enters the log of every partition, whole, so that the log alone replays exactly.

    Attributes:
        canary: For whom; None: for everybody, which also ends a canary.
        activation: Number of this activation in the programme; 0 in older logs, where it is the revision's number.
    """

    revision: int
    digest: str
    effective_from_ms: int
    source_text: str
    canary: Canary | None = None
    activation: int = 0


class RatesPublished(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The exchange rates of one day enter the log of every partition: `{"day": "2026-03-01", "rates": {…}}`.

    Attributes:
        day: The first day they are for, on the programme's calendar.
        rates: Pair to what one of its base is in its quote, exact decimals as text: `{"EUR/USD": "1.0842"}`.
    """

    day: Text
    rates: dict[str, Text]


class ContestResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """How one winner of a contest did: `{"id": "spring-race", "rank": 1, "partners": 12, "value": 2500000, …}`.

    Attributes:
        rank: From 1; no two partners have one.
        partners: How many took part.
        value: The number that was ranked: minor units of `unit`, a count, or an average in millionths.
        unit: None for plain numbers.
    """

    id: Text
    rank: Annotated[int, Meta(ge=1)]
    partners: Annotated[int, Meta(ge=1)]
    value: int
    unit: Text | None = None


class EventData(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """`data` of every type; which fields a type needs is `REQUIRED_FIELDS`.

    Scalars under names that are not here are moved to `attributes` at the door and can be used in rules.
    `share_ppm` is this partner's share of a split referral, 1,000,000 being all of it. `attribution` says by
    what the partner was found (`named`, `click`, `code`, …).
    """

    programme: Id
    partner: Id | None = None
    member: Id | None = None
    share_ppm: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000_000
    lead: Lead | None = None
    deal: Deal | None = None
    customer: Customer | None = None
    survey: Survey | None = None
    activity: Activity | None = None
    link: Link | None = None
    click_id: Text | None = None
    referral_code: Id | None = None
    coupon: Id | None = None
    period: Id | None = None
    refund_id: Id | None = None
    reason: Text | None = None
    step: Text | None = None
    tier: Text | None = None
    profile: PartnerProfile | None = None
    ruleset: RulesetActivated | None = None
    rates: RatesPublished | None = None
    contest: ContestResult | None = None
    attribution: Text | None = None
    attributes: dict[str, Scalar] = {}


REQUIRED_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "click.recorded": ("link",),
    "lead.registered": ("lead",),
    "lead.qualified": ("lead",),
    "lead.disqualified": ("lead",),
    "deal.opened": ("deal",),
    "deal.stage_changed": ("deal",),
    "deal.lost": ("deal",),
    "deal.won": ("deal", "deal.amount"),
    "deal.renewed": ("deal", "deal.amount", "period"),
    "deal.refunded": ("deal", "deal.amount", "refund_id"),
    "survey.answered": ("survey",),
    "activity.recorded": ("activity",),
    "partner.registered": ("partner",),
    "partner.approved": ("partner",),
    "partner.suspended": ("partner",),
    "partner.agreement_signed": ("partner",),
    "partner.step_completed": ("partner", "step"),
    "partner.updated": ("partner",),
    "partner.tier_assigned": ("partner", "tier"),
    "contest.closed": ("partner", "contest"),
}
"""Event type to the fields of `data` that it cannot do without."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event as the fold sees it: context attributes plus typed data, from one record of the bus.

    Attributes:
        type, source, id: CloudEvents context attributes; `source` + `id` is the idempotency key.
        time_ms: When it happened, in milliseconds since 1970 in UTC.
        data: The typed payload.
        traceparent: W3C trace context, handed on unchanged; empty when there is none.
    """

    type: str
    source: str
    id: str
    time_ms: int
    data: EventData
    traceparent: str = ""


Headers = tuple[tuple[str, bytes], ...]

_NOTHING_RARE: Final = (None,) * 5

StrictData: Final = strict(EventData)
"""`EventData` with every pattern checked while decoding."""

_DAY_MS: Final = 86_400_000
_CLOCK: Final = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(EventData)
_list_decoder: Final = msgspec.json.Decoder(list[EventData])
_strict_decoder: Final = msgspec.json.Decoder(StrictData)


def time_ms_of(moment: datetime) -> int:
    """Milliseconds since 1970 in UTC, truncated; the moment must be aware."""
    since = moment - EPOCH
    # Dividing by a timedelta takes three times as long; only days are ever negative, so this truncates as it does.
    return since.days * _DAY_MS + since.seconds * 1_000 + since.microseconds // 1_000


@lru_cache(maxsize=4_096)
def _date(epoch_day: int) -> str:
    """Days are few and times are many, and formatting a time as a whole costs five times as much."""
    return (EPOCH + timedelta(days=epoch_day)).date().isoformat()


def format_time(time_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2017-03-01T00:00:00.000Z`."""
    day, rest_ms = divmod(time_ms, _DAY_MS)
    minute, rest_ms = divmod(rest_ms, 60_000)
    seconds = str(rest_ms).zfill(5)
    return f"{_date(day)}T{_CLOCK[minute]}:{seconds[:2]}.{seconds[2:]}Z"


def parse_time_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time.

    Raises:
        ValueError: Not a time, or a time without offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z or +02:00")
    return time_ms_of(moment)


def event_headers(
    *, type: str, source: str, id: str, time_ms: int, recorded_at_ms: int, traceparent: str = ""
) -> Headers:
    """The `ce_*` headers of one record in binary mode. `recordedat` is an extension attribute of ours."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_id", id.encode()),
        ("ce_time", format_time(time_ms).encode()),
        ("ce_recordedat", format_time(recorded_at_ms).encode()),
        ("content-type", b"application/json"),
    )
    return (*headers, ("ce_traceparent", traceparent.encode())) if traceparent else headers


def encode_data(data: EventData) -> bytes:
    return _encoder.encode(data)


def decode_data(value: bytes) -> EventData:
    """Raises msgspec.ValidationError or msgspec.DecodeError with the place of the mistake."""
    _strict_decoder.decode(value)
    return _decoder.decode(value)


def decode_data_list(values: list[bytes]) -> list[EventData]:
    """All values of a batch in one decode, cheaper than one by one; one bad value fails all."""
    data = _list_decoder.decode(b"[" + b",".join(values) + b"]")
    if not are_sound(data):
        # Which one it is, and what is wrong with it, is for `decode_data` to say.
        raise msgspec.ValidationError("an id or a currency does not match its pattern")
    return data


def are_sound(data: Sequence[EventData]) -> bool:
    """Whether every id and every currency matches its pattern, as `StrictData` would find one by one."""
    ids: list[str] = []
    currencies: set[str] = set()
    for each in data:
        ids_of(each, ids)
        if each.deal is not None and each.deal.amount is not None:
            currencies.add(each.deal.amount.currency)
        if each.customer is not None and each.customer.annual_revenue is not None:
            currencies.add(each.customer.annual_revenue.currency)
    return are_ids(ids) and all(map(_is_currency, currencies))


def _is_currency(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def ids_of(data: EventData, into: list[str]) -> None:
    """Append every id of the data; a test holds this against the fields that `EventData` declares as `Id`."""
    into.append(data.programme)
    if data.partner is not None:
        into.append(data.partner)
    if data.customer is not None:
        into.append(data.customer.id)
    if data.deal is not None:
        into.append(data.deal.id)
    if data.lead is not None:
        into.append(data.lead.id)
    if data.link is not None:
        into.append(data.link.code)
    rare = (data.member, data.referral_code, data.coupon, data.period, data.refund_id)
    if rare != _NOTHING_RARE:
        into.extend(text for text in rare if text is not None)


def event_of(headers: Headers, data: EventData) -> Event:
    """The event of a record. Raises KeyError or ValueError when a context attribute is missing or wrong."""
    context = dict(headers)
    return Event(
        type=context["ce_type"].decode(),
        source=context["ce_source"].decode(),
        id=context["ce_id"].decode(),
        time_ms=parse_time_ms(context["ce_time"].decode()),
        data=data,
        traceparent=context.get("ce_traceparent", b"").decode(),
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema of `data`, for docs/events.md and editors."""
    return msgspec.json.schema(StrictData)
