"""A closer look at one element that did not fit: extra fields find their place, faults get a reason that helps.

Pure. Unknown fields of `data` move to `attributes` under their own name, those of its rooms (customer, deal, …) as
`<room>_<field>`; unknown context attributes of the envelope are CloudEvents extensions and travel on as `ce_*` headers.
What is decoded in the end is checked exactly as on the fast path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from contracts.events import (
    EVENT_TYPES,
    Activity,
    Customer,
    Deal,
    EventData,
    Lead,
    Link,
    PartnerProfile,
    StrictData,
    Survey,
)
from contracts.ids import ID_PATTERN
from services.tracking.envelope import Envelope, malformed_reason, read_envelope
from services.tracking.faults import (
    INTEGER_MAX,
    Checked,
    Extensions,
    Fault,
    admit,
    attributes_fault,
    nul_fault,
    reject,
    time_fault,
    type_fault,
)

EXTENSIONS_MAX: Final = 16
_ID_RULE: Final = "an id is 1–128 of A–Z a–z 0–9 . _ ~ / @ + -"
_ROOMS: Final[dict[str, type[msgspec.Struct]]] = {
    "lead": Lead,
    "deal": Deal,
    "customer": Customer,
    "survey": Survey,
    "activity": Activity,
    "link": Link,
    "profile": PartnerProfile,
}
_ENVELOPE_FIELDS: Final = frozenset(Envelope.__struct_fields__)
_DATA_FIELDS: Final = frozenset(EventData.__struct_fields__)
_ROOM_FIELDS: Final = {room: frozenset(type.__struct_fields__) for room, type in _ROOMS.items()}
_EXTENSION_NAME: Final = re.compile(r"[a-z0-9]{1,20}", re.ASCII)
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")
_OWN_EXTENSIONS: Final = frozenset({"recordedat"})
"""Ours to say: an event read from our log and sent again gets a new one."""


class _Strict(Envelope, forbid_unknown_fields=True):
    # With the patterns, so that msgspec says which id is none.
    source: Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]
    if not TYPE_CHECKING:
        data: StrictData


class _Named(msgspec.Struct):
    # What can be read even where a number elsewhere cannot.
    id: str | None = None
    type: str | None = None


_decoder: Final = msgspec.json.Decoder(_Strict)
_named: Final = msgspec.json.Decoder(_Named)
_plain: Final = msgspec.json.Decoder()
_encoder: Final = msgspec.json.Encoder()


class _Misfit(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def look_closely(element: bytes, index: int, latest_ms: int, checked: Checked) -> None:
    """Decide about one element and put it among the candidates or the rejections of `checked`."""
    value: Any = None
    try:
        extensions: Extensions = ()
        if not _fits(element):
            value = _plain_value(element)
            element, extensions = _settle(value)
        admit(checked, index, read_envelope(element), latest_ms, extensions)
    except _Misfit as misfit:
        reject(checked, index, *_names(element, value), misfit.fault)


def _fits(element: bytes) -> bool:
    if b"\\u0000" in element:
        return False
    try:
        _decoder.decode(element)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _plain_value(element: bytes) -> Any:
    try:
        return _plain.decode(element)
    except msgspec.ValidationError as error:
        raise _Misfit(Fault("number-out-of-range", "", f"a number is out of range: {error}")) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Misfit(Fault("malformed-json", "", malformed_reason(error))) from error


def _names(element: bytes, value: Any) -> tuple[str | None, str]:
    """Id and type as far as they can be told, so that the sender finds its event again."""
    if value is None:
        try:
            named = _named.decode(element)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None, ""
        value = {"id": named.id, "type": named.type}
    if not isinstance(value, dict):
        return None, ""
    id, type = value.get("id"), value.get("type")
    return (id[:256] if isinstance(id, str) else None), (type if isinstance(type, str) else "")


def _settle(value: Any) -> tuple[bytes, Extensions]:
    """The element as it should have come, and its extensions; raises _Misfit with the first fault."""
    if not isinstance(value, dict):
        raise _Misfit(Fault("not-an-object", "", f"an event is a JSON object, not {_kind(value)}"))
    if fault := nul_fault(value):
        raise _Misfit(fault)
    _check_context(value)
    extensions = _take_extensions(value)
    data = {name: inner for name, inner in value["data"].items() if inner is not None}
    _move_extras(data)
    known = {name: inner for name, inner in value.items() if name in _ENVELOPE_FIELDS and inner is not None}
    known["data"] = data
    _check_numbers(data, "data")
    settled = _encoder.encode(known)
    try:
        _decoder.decode(settled)
    except msgspec.ValidationError as error:
        raise _Misfit(_fault_said(str(error), known)) from error
    return settled, extensions


def _check_context(value: dict[str, Any]) -> None:
    """The context attributes that every event needs, in the order in which a person would read them."""
    if "data_base64" in value:
        raise _Misfit(Fault("base64-data", "data_base64", "data is JSON in `data`, not base64"))
    for name in ("specversion", "type", "source", "id", "time", "data"):
        if value.get(name) is None:
            raise _Misfit(Fault("missing-field", name, f"an event needs {name}"))
    if isinstance(value["type"], str) and value["type"] not in EVENT_TYPES:
        raise _Misfit(type_fault(value["type"]))
    if not isinstance(value["data"], dict):
        raise _Misfit(Fault("data-not-an-object", "data", f"data is a JSON object, not {_kind(value['data'])}"))


def _take_extensions(value: dict[str, Any]) -> Extensions:
    names = [name for name in value if name not in _ENVELOPE_FIELDS and name not in _OWN_EXTENSIONS]
    if len(names) > EXTENSIONS_MAX:
        raise _Misfit(Fault("too-many-extensions", "", f"an event has at most {EXTENSIONS_MAX} extension attributes"))
    taken: list[tuple[str, bytes]] = []
    for name in names:
        inner = value[name]
        if inner is None:
            continue
        if not _EXTENSION_NAME.fullmatch(name):
            raise _Misfit(
                Fault(
                    "bad-extension",
                    name[:64],
                    "a context attribute is 1–20 of a–z 0–9; fields of your own belong into data",
                )
            )
        if isinstance(inner, bool):
            text = "true" if inner else "false"
        elif isinstance(inner, int | str):
            text = str(inner)
        else:
            raise _Misfit(Fault("bad-extension", name, "an extension attribute is a text, an integer, true or false"))
        if len(text) > 1024:
            raise _Misfit(Fault("text-too-long", name, "a text is at most 1,024 characters"))
        taken.append((f"ce_{name}", text.encode()))
    return tuple(taken)


def _move_extras(data: dict[str, Any]) -> None:
    """Unknown fields of data and of its rooms become attributes; null counts as absent."""
    given = data.pop("attributes", {})
    if not isinstance(given, dict):
        raise _Misfit(Fault("attribute-not-scalar", "data.attributes", "attributes are a JSON object of scalars"))
    attributes = {name: value for name, value in given.items() if value is not None}

    def move(path: str, name: str, value: Any) -> None:
        if value is None:
            return
        if name in attributes:
            raise _Misfit(Fault("attribute-twice", path, f"this extra field and data.attributes.{name} have one name"))
        if isinstance(value, dict | list):
            reason = f"{path} is not known, and only a text, an integer, true or false can become an attribute"
            raise _Misfit(Fault("attribute-not-scalar", path, reason))
        if fault := attributes_fault({name: value}):
            raise _Misfit(Fault(fault.code, path, fault.reason))
        attributes[name] = value

    for name in [name for name in data if name not in _DATA_FIELDS]:
        move(f"data.{name}", name, data.pop(name))
    for room, fields in _ROOM_FIELDS.items():
        content = data.get(room)
        if isinstance(content, dict):
            for name in [name for name in content if name not in fields]:
                move(f"data.{room}.{name}", f"{room}_{name}", content.pop(name))
    if fault := attributes_fault(attributes):
        raise _Misfit(fault)
    if attributes:
        data["attributes"] = attributes


def _check_numbers(value: Any, path: str) -> None:
    """Floats and integers beyond 64 bits, wherever they are: neither is an amount, a count or an attribute."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_numbers(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_numbers(inner, f"{path}[{number}]")
    elif isinstance(value, float):
        is_amount = path.endswith(".minor")
        reason = (
            "an amount is an integer in minor units: 1054.00 USD is 105400" if is_amount else "a number is an integer"
        )
        raise _Misfit(Fault("float-amount" if is_amount else "float-number", path, reason))
    elif isinstance(value, int) and not isinstance(value, bool) and not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
        raise _Misfit(Fault("number-out-of-range", path, "an integer has at most 64 bits"))


def _fault_said(text: str, value: dict[str, Any]) -> Fault:
    """What msgspec said about the value, in words for its sender."""
    place = _PLACE.search(text)
    path = place[1] if place else ""
    said = text[: place.start()] if place else text
    if missing := re.search(r"missing required field `(\w+)`", said):
        path = f"{path}.{missing[1]}" if path else missing[1]
        return Fault("missing-field", path, f"an event needs {path}")
    wrong = _value_at(value, path)
    name = path.rpartition(".")[2]
    if isinstance(wrong, str):
        if name == "joined_at":
            return time_fault(path, said)
        if name == "currency":
            return Fault("unknown-currency", path, f'"{wrong[:32]}" is not an ISO 4217 code, such as USD or EUR')
        if "regex" in said:
            return _id_fault(path, wrong)
        if path == "id":
            return Fault("bad-event-id", "id", "an event's id is 1–256 printable characters")
        if "length" in said:
            return Fault("text-too-long", path, f"a text is {said.partition('of length ')[2] or '<= 1024'} characters")
    if unknown := re.search(r"unknown field `([^`]*)`", said):
        path = f"{path}.{unknown[1]}" if path else unknown[1]
        return Fault("unknown-field", path, "there is no such field here")
    if " <= " in said or " >= " in said:
        return Fault("number-out-of-range", path, said.replace("`", "").replace("Expected int", "the number has to be"))
    return Fault("wrong-type", path, said.replace("`", ""))


def _id_fault(path: str, wrong: str) -> Fault:
    if ":" in wrong:
        return Fault("id-with-colon", path, f'"{wrong[:64]}" has a colon, which ids may not have; {_ID_RULE}')
    return Fault("bad-id", path, f'"{wrong[:64]}" is no id; {_ID_RULE}')


def _value_at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "true or false"),
    (dict, "an object"),
    (list, "an array"),
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
)


def _kind(value: Any) -> str:
    return next((name for type, name in _KINDS if isinstance(value, type)), "null")
