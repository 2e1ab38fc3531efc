"""The checks that every event passes, in a fixed order, and what a fault is. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from contracts.events import (
    BROADCAST_TYPES,
    EVENT_TYPES,
    REQUIRED_FIELDS,
    SYSTEM_TYPES,
    Amount,
)
from contracts.money import CURRENCY_DECIMALS, PPM
from services.tracking.envelope import Envelope
from services.tracking.times import read_time

TIME_MS_MIN: Final = -2_208_988_800_000
"""1900-01-01: an earlier time is a mistake of the sender's calendar."""
ATTRIBUTES_MAX: Final = 64
ATTRIBUTE_NAME_LENGTH_MAX: Final = 128
TEXT_LENGTH_MAX: Final = 1024
INTEGER_MAX: Final = 2**63 - 1

Extensions = tuple[tuple[str, bytes], ...]


class Fault(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with one event: a stable code, the JSON path, and a sentence for its sender."""

    code: str
    field: str
    reason: str


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A refused element, as the answer names it. `index` counts the elements (for NDJSON: lines with text) from 0."""

    index: int
    id: str | None
    field: str
    reason: str
    code: str


class Candidate(msgspec.Struct, gc=False):
    """An event that is well formed; whether it is new, and whose, is decided later. `time` is its `ce_time`."""

    index: int
    envelope: Envelope
    time_ms: int
    time: bytes
    extensions: Extensions = ()


class Checked(msgspec.Struct):
    """A request's events: those that may pass, those that may not, and the type of each of the latter."""

    candidates: list[Candidate]
    rejections: list[Rejection]
    rejected_types: list[str]


_NEEDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    type: tuple((path.partition(".")[0], path.partition(".")[2]) for path in paths)
    for type, paths in REQUIRED_FIELDS.items()
    if type in EVENT_TYPES
}
"""Event type to what it needs: a field of data, and a field within that (empty: the field itself is enough)."""


def admit(checked: Checked, index: int, envelope: Envelope, latest_ms: int, extensions: Extensions = ()) -> None:
    """Put an event whose fields have the right types among the candidates, or its first fault among the rejections."""
    fault = fault_of(envelope)
    if fault is None:
        try:
            time_ms, time = read_time(envelope.time)
        except ValueError as error:
            fault = time_fault("time", str(error))
        else:
            if TIME_MS_MIN <= time_ms <= latest_ms:
                checked.candidates.append(Candidate(index, envelope, time_ms, time, extensions))
                return
            fault = (
                Fault("time-in-future", "time", "the time is further in the future than clocks may differ")
                if time_ms > latest_ms
                else Fault("time-too-early", "time", "the time is before the year 1900")
            )
    reject(checked, index, envelope.id, envelope.type, fault)


def reject(checked: Checked, index: int, id: str | None, type: str, fault: Fault) -> None:
    checked.rejections.append(Rejection(index, id, fault.field, fault.reason, fault.code))
    checked.rejected_types.append(type)


def fault_of(envelope: Envelope) -> Fault | None:
    """The first fault of an event, its time apart; None when there is none."""
    if envelope.specversion != "1.0":
        return Fault("wrong-specversion", "specversion", f'"{envelope.specversion[:32]}" is not "1.0"')
    needs = _NEEDS.get(envelope.type)
    if needs is None:
        return type_fault(envelope.type)
    if not envelope.id.isprintable():
        return Fault("bad-event-id", "id", "an event's id is 1–256 printable characters")
    if envelope.datacontenttype is not None and envelope.datacontenttype.partition(";")[0] != "application/json":
        return Fault("wrong-datacontenttype", "datacontenttype", "data is application/json")
    data = envelope.data
    for room, field in needs:
        value = getattr(data, room)
        if value is None or (field and getattr(value, field) is None):
            place = f"data.{room}" if value is None or not field else f"data.{room}.{field}"
            return Fault("missing-field", place, f"a {envelope.type} needs {place}")
    # Together first: it runs for every event, and next to none has one of them.
    if data.ruleset is not None or data.rates is not None or data.contest is not None or data.attribution is not None:
        own = {"ruleset": data.ruleset, "rates": data.rates, "contest": data.contest, "attribution": data.attribution}
        name = next(field for field, value in own.items() if value is not None)
        return Fault("reserved-field", f"data.{name}", f"{name} is written by the system itself")
    if data.share_ppm != PPM and data.partner is None:
        return Fault("share-without-partner", "data.share_ppm", "a share belongs to a partner that is named")
    if data.deal is not None and data.deal.amount is not None and (fault := _deal_amount_fault(data.deal.amount)):
        return fault
    if data.customer is not None:
        revenue = data.customer.annual_revenue
        if revenue is not None and revenue.currency not in CURRENCY_DECIMALS:
            return currency_fault(revenue, "data.customer.annual_revenue.currency")
    if data.profile is not None and data.profile.joined_at is not None and data.profile.joined_at.tzinfo is None:
        return time_fault("data.profile.joined_at", "timezone")
    return attributes_fault(data.attributes) if data.attributes else None


def _deal_amount_fault(amount: Amount) -> Fault | None:
    if amount.currency not in CURRENCY_DECIMALS:
        return currency_fault(amount, "data.deal.amount.currency")
    if amount.minor < 0:
        return Fault(
            "negative-amount",
            "data.deal.amount.minor",
            "a deal's amount is not negative; money given back is a deal.refunded with the amount given back",
        )
    return None


def attributes_fault(attributes: Mapping[str, Any]) -> Fault | None:
    """The first attribute that rules could not use."""
    if len(attributes) > ATTRIBUTES_MAX:
        return Fault("too-many-attributes", "data.attributes", f"an event has at most {ATTRIBUTES_MAX} attributes")
    for name, value in attributes.items():
        if not 0 < len(name) <= ATTRIBUTE_NAME_LENGTH_MAX or not name.isprintable():
            return Fault(
                "bad-attribute-name",
                "data.attributes",
                f"an attribute's name is 1–{ATTRIBUTE_NAME_LENGTH_MAX} printable characters",
            )
        kind = value.__class__
        if kind is str:
            if len(value) > TEXT_LENGTH_MAX:
                return Fault(
                    "text-too-long", f"data.attributes.{name}", f"a text is at most {TEXT_LENGTH_MAX:,} characters"
                )
        elif kind is int:
            if not -INTEGER_MAX <= value <= INTEGER_MAX:
                return Fault(
                    "number-out-of-range", f"data.attributes.{name}", "an integer has at most 64 bits; send it as text"
                )
        elif kind is float:
            return Fault(
                "float-attribute",
                f"data.attributes.{name}",
                "a number with a decimal point differs from machine to machine; send it as text or integer",
            )
        elif kind is not bool:
            return Fault(
                "attribute-not-scalar",
                f"data.attributes.{name}",
                "an attribute is a text, an integer, true or false; not an object or a list",
            )
    return None


def type_fault(type: str) -> Fault:
    """Why the type is refused, with the nearest one that is not."""
    if type in BROADCAST_TYPES or type in SYSTEM_TYPES:
        return Fault("system-type", "type", f'"{type}" is written by the system itself')
    shown = type[:64]
    near = difflib.get_close_matches(shown, EVENT_TYPES, n=1, cutoff=0.5)
    advice = f'did you mean "{near[0]}"?' if near else "all types: docs/events.md"
    return Fault("unknown-type", "type", f'there is no type "{shown}"; {advice}')


def time_fault(field: str, said: str) -> Fault:
    """What a decoder said about a time, in words for its sender."""
    if "timezone" in said:
        return Fault("time-without-offset", field, "a time needs an offset, such as Z or +02:00")
    return Fault("malformed-time", field, "a time is RFC 3339, such as 2017-03-01T09:30:00Z")


def currency_fault(amount: Amount, field: str) -> Fault:
    return Fault("unknown-currency", field, f'"{amount.currency}" is not an ISO 4217 code, such as USD or EUR')


def nul_fault(value: Any, path: str = "") -> Fault | None:
    """The first text with a NUL character, which PostgreSQL cannot keep."""
    if isinstance(value, str):
        return Fault("nul-character", path, "a text may not have NUL characters") if "\0" in value else None
    if isinstance(value, Mapping):
        for key, inner in value.items():
            at = f"{path}.{key}" if path else str(key)
            if "\0" in str(key):
                return Fault("nul-character", path, "a name may not have NUL characters")
            if fault := nul_fault(inner, at):
                return fault
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if fault := nul_fault(inner, f"{path}[{number}]"):
                return fault
    return None
