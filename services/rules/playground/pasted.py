"""Events as people paste them: CloudEvents as NDJSON or in a JSON array, or the shorthand of tests.

Pure. Problems say line and column of the pasted text, all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from contracts.events import BROADCAST_TYPES, EVENT_TYPES, REQUIRED_FIELDS, Event, EventData, decode_data, parse_time_ms
from services.rules.language import LocatedProblem

PATH: Final = "events"
_FIELDS: Final = frozenset(EventData.__struct_fields__)


class _Misfit(Exception):
    """Why a value is no event."""


class Pasted(NamedTuple):
    """Events in the order they were pasted, or the problems that kept them from being read."""

    events: list[Event]
    problems: list[LocatedProblem]


def is_json(text: str) -> bool:
    """Whether the text is CloudEvents rather than the shorthand, whose lists begin with a dash."""
    return text.lstrip().startswith(("{", "["))


def read_cloud_events(text: str, *, programme: str, events_max: int) -> Pasted:
    """One JSON object a line, or one array of objects. An event without a programme is taken for this one's."""
    events: list[Event] = []
    problems: list[LocatedProblem] = []
    for line, found in _objects(text):
        if len(events) + len(problems) >= events_max:
            problems.append(_problem(line, "too-many-events", f"at most {events_max} events are played at once"))
            break
        if isinstance(found, LocatedProblem):
            problems.append(found)
            continue
        try:
            events.append(_event(found, programme))
        except (_Misfit, ValueError, msgspec.ValidationError) as error:
            problems.append(_problem(line, "not-an-event", str(error)))
    return Pasted(events, problems)


def _objects(text: str) -> Iterator[tuple[int, Any]]:
    """Line and value of each; a problem in place of what is no JSON."""
    if text.lstrip().startswith("["):
        try:
            values = msgspec.json.decode(text, type=list[Any])
        except msgspec.DecodeError as error:
            yield 1, _problem(1, "malformed-json", str(error))
            return
        for value in values:
            yield 1, value
        return
    for line, part in enumerate(text.splitlines(), 1):
        if not part.strip():
            continue
        try:
            yield line, msgspec.json.decode(part)
        except msgspec.DecodeError as error:
            yield line, _problem(line, "malformed-json", str(error))


def _event(value: Any, programme: str) -> Event:
    if not isinstance(value, dict):
        raise _Misfit("an event is a JSON object")
    for name in ("type", "source", "id", "time"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise _Misfit(f"an event needs {name}, a text")
    type_name = value["type"]
    if type_name not in EVENT_TYPES and type_name not in BROADCAST_TYPES:
        raise _Misfit(f"no event type is called {type_name!r}")
    data = value.get("data")
    if not isinstance(data, dict):
        raise _Misfit("an event needs data, an object")
    known = {name: each for name, each in data.items() if name in _FIELDS}
    extra = {name: each for name, each in data.items() if name not in _FIELDS}
    if extra:
        # The front door does the same.
        known["attributes"] = {**extra, **(known.get("attributes") or {})}
    known.setdefault("programme", programme)
    decoded = decode_data(msgspec.json.encode(known))
    missing = [field for field in _required(type_name) if not _has(decoded, field)]
    if missing:
        raise _Misfit(f"{type_name} needs data.{missing[0]}")
    return Event(type_name, value["source"], value["id"], parse_time_ms(value["time"]), decoded)


def _required(type_name: str) -> tuple[str, ...]:
    if type_name in BROADCAST_TYPES:
        return ()
    fields = REQUIRED_FIELDS.get(type_name, ())
    return fields if "partner" in fields else ("partner", *fields)


def _has(data: EventData, field: str) -> bool:
    value: Any = data
    for part in field.split("."):
        value = getattr(value, part, None)
    return value is not None


def _problem(line: int, code: str, message: str) -> LocatedProblem:
    return LocatedProblem(code, message, line, 1, 1, path=PATH)
