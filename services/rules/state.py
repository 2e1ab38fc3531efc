"""The states of the fold: what is remembered about a partner, and the bytes it is stored as.

One partner has one state, and small ones for each deal, lead, customer and day of seen events under keys of their
own, so that a batch reads and writes only what it touches. Same events in the same order give the same bytes, however
they were batched and whenever the process was restarted: the encodings are frozen, and a change of one of them means
a new version number and a rebuild from the log.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from contracts.decisions import TraceLine
from contracts.events import PartnerProfile
from services.rules.series import Series, SumSeries, decode_series

STATE_VERSION: Final = 1
"""First element of every encoded state. Another number is refused, never guessed at."""

EVENT_HASH_BYTES: Final = 8
"""Of the SHA-256 of programme, source and id: enough that no two events of one partner and day are mixed up."""

LEAD_REGISTERED: Final = 1
LEAD_QUALIFIED: Final = 2
LEAD_DISQUALIFIED: Final = 4

NEVER: Final = -1
"""In place of a revision's number."""

DEAL_OPENED: Final = 1
DEAL_WON: Final = 2
DEAL_LOST: Final = 4


class DealState(msgspec.Struct, gc=False, array_like=True):
    """What happened to one deal of one partner; every one of these happens once. None stands for an empty list.

    Attributes:
        flags: The sum of the `DEAL_` flags.
        periods: Renewals, by period.
        refunds: Refund ids.
        ids: Hashes of all events of this deal, EVENT_HASH_BYTES each: a repeat is known however late it comes.
    """

    version: int = STATE_VERSION
    flags: int = 0
    periods: list[str] | None = None
    refunds: list[str] | None = None
    ids: bytes = b""


class LeadState(msgspec.Struct, gc=False, array_like=True):
    """What happened to one lead: the sum of the `LEAD_` flags, and the hashes of all its events."""

    version: int = STATE_VERSION
    flags: int = 0
    ids: bytes = b""


class CustomerState(msgspec.Struct, gc=False):
    """The metrics `per: customer` of one customer of one partner."""

    series: dict[int, Series] = {}


SeenDay = dict[bytes, None]
"""The events of one UTC day: EVENT_HASH_BYTES of the hash of each, in order of arrival."""


class PartnerState(msgspec.Struct, gc=False, kw_only=True):
    """Everything about one partner in one programme.

    The fields up to `series` are stored; the children are stored under their own keys; the rest is of this process.

    Attributes:
        tier: None until the first event under a revision with tiers.
        clock_day: The latest local day of any event; never goes back.
        horizon_day: The latest UTC day of any event but `partner.*`: where the 90 days of memory are counted from.
            A partner registered today may still bring years of history along.
        seen_days: UTC days that have a bucket of seen events, sorted.
        profile: Facts about the partner, newest by arrival.
        profile_ids: Hashes of all `partner.*` events: an old snapshot that comes again must not undo a newer one.
        series: By series id (`compile.series_id`).
        changed_deals, changed_leads, changed_customers, changed_days: Children to be written.
        dropped_days: Buckets to be deleted.
        has_negative: Whether any total of any day may be below zero, so that leaving a window behind may raise a sum.
        facts, gate: What conditions see of the profile, and how `eligible.partner` judged it: revision number,
            why it is not met, trace.
        settled_by, settled_day: When the tier was last looked at in vain, under which revision and on which clock
            day; NEVER when anything may have changed.
    """

    programme: str
    partner: str
    tier: str | None = None
    clock_day: int | None = None
    horizon_day: int | None = None
    seen_days: array[int] = msgspec.field(default_factory=lambda: array("i"))
    profile: PartnerProfile = msgspec.field(default_factory=PartnerProfile)
    profile_ids: bytes = b""
    series: dict[int, Series] = {}
    deals: dict[str, DealState] = {}
    leads: dict[str, LeadState] = {}
    customers: dict[str, CustomerState] = {}
    seen: dict[int, SeenDay] = {}
    changed_deals: set[str] = set()
    changed_leads: set[str] = set()
    changed_customers: set[str] = set()
    changed_days: set[int] = set()
    dropped_days: set[int] = set()
    settled_by: int = NEVER
    settled_day: int = 0
    beneficiary: str = ""
    beneficiary_json: bytes = b""
    facts: dict[str, Any] = {}
    gate: tuple[int, str, tuple[TraceLine, ...]] | None = None
    has_negative: bool = False

    def __post_init__(self) -> None:
        self.beneficiary = f"partner:{self.partner}"
        self.beneficiary_json = beneficiary_json(self.beneficiary)


def beneficiary_json(beneficiary: str) -> bytes:
    """The end of the JSON array that decision ids are hashed from: for whom, and no further occasion."""
    return msgspec.json.encode(beneficiary) + b',""]'


class RevisionRecord(msgspec.Struct, frozen=True, array_like=True):
    """A revision that entered this partition.

    Attributes:
        effective_from_ms: From which event time it is in force in this partition.
    """

    revision: int
    digest: str
    effective_from_ms: int
    source_text: str


class ProgrammeState(msgspec.Struct, frozen=True, array_like=True):
    """The revisions of one programme in one partition, in order of activation."""

    version: int = STATE_VERSION
    revisions: tuple[RevisionRecord, ...] = ()


class StateUnreadable(ValueError):
    """Stored bytes that this version does not know: rebuild from the log (`goodword rebuild rules`)."""


def programme_key(programme: str) -> bytes:
    return f"r:{programme}".encode()


def decided_key(programme: str) -> bytes:
    return f"n:{programme}".encode()


def partner_key(programme: str, partner: str) -> bytes:
    return f"s:{programme}:{partner}".encode()


def deal_key(programme: str, partner: str, deal: str) -> bytes:
    return f"d:{programme}:{partner}:{deal}".encode()


def lead_key(programme: str, partner: str, lead: str) -> bytes:
    return f"l:{programme}:{partner}:{lead}".encode()


def customer_key(programme: str, partner: str, customer: str) -> bytes:
    return f"c:{programme}:{partner}:{customer}".encode()


def seen_key(programme: str, partner: str, utc_day: int) -> bytes:
    return f"e:{programme}:{partner}:{utc_day}".encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_any: Final = msgspec.msgpack.Decoder().decode
_decode_deal: Final = msgspec.msgpack.Decoder(DealState).decode
_decode_lead: Final = msgspec.msgpack.Decoder(LeadState).decode
_decode_programme: Final = msgspec.msgpack.Decoder(ProgrammeState).decode


def encode_partner(state: PartnerState) -> bytes:
    return _encode(
        [
            STATE_VERSION,
            state.tier,
            state.clock_day,
            state.horizon_day,
            state.seen_days.tobytes(),
            msgspec.to_builtins(state.profile),
            _encoded_series(state.series),
            state.profile_ids,
        ]
    )


def decode_partner(programme: str, partner: str, value: bytes) -> PartnerState:
    """Raises StateUnreadable."""
    stored = _checked(_decode_any(value))
    series = _decoded_series(stored[6])
    return PartnerState(
        programme=programme,
        partner=partner,
        tier=stored[1],
        clock_day=stored[2],
        horizon_day=stored[3],
        seen_days=array("i", stored[4]),
        profile=msgspec.convert(stored[5], PartnerProfile),
        profile_ids=stored[7],
        series=series,
        has_negative=any(isinstance(each, SumSeries) and min(each.values, default=0) < 0 for each in series.values()),
    )


def encode_customer(state: CustomerState) -> bytes:
    return _encode([STATE_VERSION, _encoded_series(state.series)])


def decode_customer(value: bytes) -> CustomerState:
    """Raises StateUnreadable."""
    return CustomerState(_decoded_series(_checked(_decode_any(value))[1]))


def encode_deal(state: DealState) -> bytes:
    return _encode(state)


def decode_deal(value: bytes) -> DealState:
    """Raises StateUnreadable."""
    state = _decode_deal(value)
    _check_version(state.version)
    return state


def encode_lead(state: LeadState) -> bytes:
    return _encode(state)


def decode_lead(value: bytes) -> LeadState:
    """Raises StateUnreadable."""
    state = _decode_lead(value)
    _check_version(state.version)
    return state


def encode_seen(state: SeenDay) -> bytes:
    return _encode([STATE_VERSION, b"".join(state)])


def decode_seen(value: bytes) -> SeenDay:
    """Raises StateUnreadable."""
    hashes: bytes = _checked(_decode_any(value))[1]
    return dict.fromkeys(hashes[start : start + EVENT_HASH_BYTES] for start in range(0, len(hashes), EVENT_HASH_BYTES))


def encode_programme(state: ProgrammeState) -> bytes:
    return _encode(state)


def decode_programme(value: bytes) -> ProgrammeState:
    """Raises StateUnreadable."""
    state = _decode_programme(value)
    _check_version(state.version)
    return state


def encode_decided(newest_decided_ms: int) -> bytes:
    return _encode([STATE_VERSION, newest_decided_ms])


def decode_decided(value: bytes) -> int:
    """The newest time of an event of the programme that was decided under a revision. Raises StateUnreadable."""
    newest: int = _checked(_decode_any(value))[1]
    return newest


def _encoded_series(series: Mapping[int, Series]) -> list[Any]:
    # In order of first use, which the log determines; a dict keeps it through a round trip.
    return [[series_id, each.encode()] for series_id, each in series.items()]


def _decoded_series(stored: list[Any]) -> dict[int, Series]:
    return {series_id: decode_series(encoded) for series_id, encoded in stored}


def _checked(stored: Any) -> Any:
    _check_version(stored[0])
    return stored


def _check_version(version: int) -> None:
    if version != STATE_VERSION:
        raise StateUnreadable(f"a state of version {version}; this program knows version {STATE_VERSION}")
