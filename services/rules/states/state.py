"""The states of the fold: what is remembered about a partner, and the bytes it is stored as.

One partner has one state, and small ones for each deal, lead, customer and day of seen events under keys of their
own, so that a batch reads and writes only what it touches. Same events in the same order give the same bytes, however
they were batched and whenever the process was restarted: the encodings are frozen, and a change of one of them means
a new version number and a rebuild from the log.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

import msgspec

from contracts.decisions import TraceLine
from contracts.events import Canary, PartnerProfile
from services.rules.amounts.rates import NO_RATES, Rates
from services.rules.bounds.counters import Counters, decode_counters, encode_counters
from services.rules.states.children import (
    STATE_VERSION,
    Child,
    CustomerState,
    DealState,
    LeadState,
    SeenDay,
    StateUnreadable,
    checked,
    decode_all_series,
    encode_series,
    owner_of,
)
from services.rules.states.series import Series, SumSeries

encode_text: Final = msgspec.json.Encoder().encode
NO_DAY: Final = -(2**31)
"""A day on which nothing happens."""
NEVER: Final = -1
"""In place of a revision's number."""
NO_ALARM: Final = 2**31 - 1
"""Later than every day."""


class PartnerState(msgspec.Struct, gc=False, kw_only=True):
    """Everything about one partner in one programme.

    The fields up to `counters` are stored; the children are stored under their own keys; the rest is of this process.

    Attributes:
        tier: None until the first event under a revision with tiers.
        clock_day: The latest local day of any event; never goes back.
        horizon_day: The latest UTC day of any event but `partner.*`: where the 90 days of memory are counted from.
            A partner registered today may still bring years of history along.
        seen_days: UTC days that have a bucket of seen events, sorted.
        profile: Facts about the partner, newest by arrival; `profile_packed` as they were last encoded.
        profile_ids: Hashes of all `partner.*` events: an old snapshot that comes again must not undo a newer one.
        series: By series id (`series.series_id`).
        assigned: The tier reached by hand or by choice, which no review takes away; None without one.
        marks: Milestone to the spans of its metric that have decided: lower bound outside, upper bound inside, in turns
            and ascending, in the metric's smallest units (plain numbers in millionths).
        raises: Reward to the percentage points, in ppm, that milestones raised it by.
        told: Inactivity to the last day on which its metric had taken something when the silence was told.
        alarm_day: The local day at whose close the partner's silences are to be looked at; NO_ALARM: none.
        counters: What limits have let through.
        today: The seen events of `horizon_day`, where most events belong; some other empty day before there are any.
        seen_count: Seen events in memory, those of today excluded.
        owner: What stands in the keys of all children.
        changed: Children to be written. One list for all partners of a fold.
        rates: The programme's exchange rates in this partition, as of the event in hand.
        key, size: What it is stored under, and estimated bytes in memory as of the last write.
        has_negative: Whether any total of any day may be below zero, so that leaving a window behind may raise a sum.
        facts, gate: What conditions see of the profile, and how `eligible.partner` judged it: revision number,
            why it is not met, trace.
        terms: What was negotiated and applies, as last looked up (`terms.Applying`).
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
    profile_packed: msgspec.Raw | None = None
    profile_ids: bytes = b""
    series: dict[int, Series] = {}
    assigned: str | None = None
    marks: dict[str, list[int]] = {}
    raises: dict[str, int] = {}
    told: dict[str, int] = {}
    alarm_day: int = NO_ALARM
    counters: Counters = {}
    deals: dict[str, DealState] = {}
    leads: dict[str, LeadState] = {}
    customers: dict[str, CustomerState] = {}
    seen: dict[int, SeenDay] = {}
    changed: list[Child] = []
    today: SeenDay = msgspec.field(default_factory=lambda: SeenDay(day=NO_DAY))
    seen_count: int = 0
    rates: Rates = NO_RATES
    owner: bytes = b""
    key: bytes = b""
    size: int = 0
    settled_by: int = NEVER
    settled_day: int = 0
    beneficiary: str = ""
    beneficiary_json: bytes = b""
    facts: dict[str, Any] = {}
    gate: tuple[int, str, tuple[TraceLine, ...]] | None = None
    terms: tuple[int, int, int, tuple[int, ...] | None] | None = None
    has_negative: bool = False

    def __post_init__(self) -> None:
        self.owner = owner_of(self.programme, self.partner)
        self.key = partner_key(self.programme, self.partner)
        self.beneficiary = f"partner:{self.partner}"
        self.beneficiary_json = beneficiary_json(self.beneficiary)


def beneficiary_json(beneficiary: str, occasion: str = "") -> bytes:
    """The end of the JSON array that decision ids are hashed from: for whom, and on which occasion."""
    return encode_text(beneficiary) + (b"," + encode_text(occasion) + b"]" if occasion else b',""]')


class RevisionRecord(msgspec.Struct, frozen=True, array_like=True):
    """A revision that entered this partition, for everybody or for some; the same one may enter again.

    Attributes:
        effective_from_ms: From which event time it is in force in this partition.
        activation: Number of the activation in the programme.
        canary: For whom; None: for everybody.
    """

    revision: int
    digest: str
    effective_from_ms: int
    source_text: str
    activation: int
    canary: Canary | None = None


class ProgrammeState(msgspec.Struct, frozen=True, array_like=True):
    """The revisions of one programme in one partition, in order of activation."""

    version: int = STATE_VERSION
    revisions: tuple[RevisionRecord, ...] = ()


def programme_key(programme: str) -> bytes:
    return f"r:{programme}".encode()


def decided_key(programme: str) -> bytes:
    return f"n:{programme}".encode()


def rates_key(programme: str) -> bytes:
    return f"x:{programme}".encode()


def partner_key(programme: str, partner: str) -> bytes:
    return f"s:{programme}:{partner}".encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_any: Final = msgspec.msgpack.Decoder().decode
_decode_programme: Final = msgspec.msgpack.Decoder(ProgrammeState).decode


def encode_partner(state: PartnerState) -> bytes:
    return _encode(
        [
            STATE_VERSION,
            state.tier,
            state.clock_day,
            state.horizon_day,
            state.seen_days.tobytes(),
            _packed_profile(state),
            encode_series(state.series),
            state.profile_ids,
            _over_time(state),
            encode_counters(state.counters),
        ]
    )


def _over_time(state: PartnerState) -> list[Any] | None:
    """What most partners never have, in one place of the encoding."""
    if not (state.marks or state.told or state.assigned is not None or state.alarm_day != NO_ALARM):
        return None
    return [state.assigned, state.marks, state.raises, state.told, state.alarm_day]


def _packed_profile(state: PartnerState) -> msgspec.Raw:
    if state.profile_packed is None:
        state.profile_packed = msgspec.Raw(_encode(msgspec.to_builtins(state.profile)))
    return state.profile_packed


def decode_partner(programme: str, partner: str, value: bytes) -> PartnerState:
    """Raises StateUnreadable."""
    stored = checked(_decode_any(value))
    series = decode_all_series(stored[6])
    assigned, marks, raises, told, alarm_day = stored[8] or (None, {}, {}, {}, NO_ALARM)
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
        assigned=assigned,
        marks=marks,
        raises=raises,
        told=told,
        alarm_day=alarm_day,
        counters=decode_counters(stored[9]),
        has_negative=any(isinstance(each, SumSeries) and min(each.values, default=0) < 0 for each in series.values()),
    )


def encode_programme(state: ProgrammeState) -> bytes:
    return _encode(state)


def decode_programme(value: bytes) -> ProgrammeState:
    """Raises StateUnreadable."""
    state = _decode_programme(value)
    if state.version != STATE_VERSION:
        raise StateUnreadable(f"revisions of version {state.version}; this program knows version {STATE_VERSION}")
    return state


def encode_decided(newest_decided_ms: int | None, closed_ms: int | None = None) -> bytes:
    return _encode([STATE_VERSION, newest_decided_ms, closed_ms])


def decode_decided(value: bytes) -> int | None:
    """The newest time of an event of the programme that was decided under a revision. Raises StateUnreadable."""
    return decode_marks(value)[0]


def decode_marks(value: bytes) -> tuple[int | None, int | None]:
    """The same, and the end of the last day that closed. Raises StateUnreadable."""
    _, newest_decided_ms, closed_ms = checked(_decode_any(value))
    return newest_decided_ms, closed_ms
