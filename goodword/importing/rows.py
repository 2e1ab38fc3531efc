"""One row of a CSV file to its events, as the mapping says. Pure.

Promises: a row gives all its events or none; whatever was put right, found missing or refused is told by the name
it has in the mapping; a refusal says which column and why. The same row gives the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from contracts.errors import PermanentError, Problem
from goodword.importing.mapping import Cell, Condition, EventOf, Missing
from goodword.importing.mapping import Mapping as EventMapping
from goodword.importing.values import BadValue, instant, integer, minor_units, slug

Row = Sequence[str]
"""The cells of the data file's row, then those of each joined row, in the order of `columns`."""
COMMON_REMEMBERED_MAX: Final = 20_000
_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_LEFT_OUT: Final = object()
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a row gives no events: the name it is counted under, the column, and the reason in words."""

    name: str
    column: str
    reason: str


class _RowRefused(Exception):
    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.name)
        self.rejected = rejected


@dataclass(slots=True)
class Counts:
    """What was found, by the mapping's names."""

    repairs: Counter[str] = field(default_factory=Counter)
    flaws: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class MappedEvent:
    """An event as it is sent: JSON of a structured CloudEvent."""

    time_ms: int
    body: bytes


class Join:
    """A joined file, read whole: key to cells."""

    def __init__(self, name: str, columns: Sequence[str], rows: Mapping[str, Row]) -> None:
        self.name = name
        self.columns = [f"{name}.{column}" for column in columns]
        self.rows = rows
        self.empty: Row = [""] * len(columns)


class RowMapper:
    """A mapping bound to a file's header and its joined files.

    Raises:
        PermanentError: `unknown-column`: the mapping names columns that the files do not have; all of them.
    """

    def __init__(self, mapping: EventMapping, header: Sequence[str], joins: Mapping[str, Join]) -> None:
        self.counts = Counts()
        columns = [*header, *(column for join in joins.values() for column in join.columns)]
        self._index = {column: index for index, column in enumerate(columns)}
        self._width = len(header)
        self._unknown: list[str] = []
        self._joins = [(joins[name], self._column(spec.on), spec.required) for name, spec in mapping.join.items()]
        self._repairs = [(repair.name, self._column(repair.column), repair.values) for repair in mapping.repair]
        self._rejects = [(named.name, next(iter(named.when)), self._condition(named.when)) for named in mapping.reject]
        self._flaws = [(named.name, self._condition(named.when)) for named in mapping.flaw]
        self._common = self._remembered(self._object(mapping.data), _columns_in(mapping.data))
        self._programme = mapping.programme
        self._source = mapping.source
        self._events = [self._event(event) for event in mapping.events]
        if self._unknown:
            raise PermanentError(
                Problem(
                    code="unknown-column",
                    message=f"the mapping names columns that are not there: {', '.join(dict.fromkeys(self._unknown))}",
                    help=f"there are: {', '.join(columns)}",
                )
            )

    def map(self, cells: Row) -> list[MappedEvent] | Rejected:
        """The events of one row, in the mapping's order, or why there are none."""
        if len(cells) != self._width:
            return Rejected("wrong number of cells", "", f"{len(cells)} cells where the header has {self._width}")
        row = [cell.strip() for cell in cells]
        try:
            self._join(row)
            repaired = self._repair(row)
            for name, column, holds in self._rejects:
                if holds(row):
                    return Rejected(name, column, name)
            common = self._common(row)
            events = [event for make in self._events if (event := make(row, common)) is not None]
        except _RowRefused as refusal:
            return refusal.rejected
        # Counted only now: a row that is refused was not put right.
        self.counts.repairs.update(repaired)
        self.counts.flaws.update(name for name, holds in self._flaws if holds(row))
        return events

    def _join(self, row: list[str]) -> None:
        for join, on, is_required in self._joins:
            key = row[on]
            found = join.rows.get(key)
            if found is None and key and is_required:
                raise _RowRefused(Rejected(f"unknown {join.name}", join.name, f"no row of {join.name} has {key!r}"))
            row.extend(join.empty if found is None else found)

    def _repair(self, row: list[str]) -> list[str]:
        repaired = []
        for name, column, values in self._repairs:
            right = values.get(row[column])
            if right is not None:
                row[column] = right
                repaired.append(name)
        return repaired

    def _column(self, name: str) -> int:
        index = self._index.get(name)
        if index is None:
            self._unknown.append(name)
            return 0
        return index

    def _condition(self, condition: Condition) -> Callable[[Row], bool]:
        tests: list[tuple[int, frozenset[str], bool]] = []
        for name, wanted in condition.items():
            if isinstance(wanted, Missing):
                tests.append((self._column(name), frozenset({""}), wanted.missing))
            else:
                tests.append((self._column(name), frozenset([wanted] if isinstance(wanted, str) else wanted), True))
        return lambda row: all((row[column] in texts) is expected for column, texts, expected in tests)

    def _event(self, event: EventOf) -> Callable[[Row, dict[str, Any]], MappedEvent | None]:
        holds = self._condition(event.when)
        identity = self._text(event.id, is_required=True)
        time_column, time_name = self._column(event.time.from_), event.time.from_
        format, timezone = event.time.format, event.time.timezone
        own = self._object(event.data)
        kind, source = event.type, self._source

        def make(row: Row, common: dict[str, Any]) -> MappedEvent | None:
            if not holds(row):
                return None
            text = row[time_column]
            if not text:
                raise _RowRefused(Rejected(f"missing {time_name}", time_name, "an event needs its time"))
            try:
                time_ms, shown = instant(text, format, timezone)
            except BadValue as error:
                raise _RowRefused(Rejected(f"bad {time_name}", time_name, f"{text!r}: {error}")) from None
            context = {"specversion": "1.0", "type": kind, "source": source, "id": identity(row), "time": shown}
            try:
                return MappedEvent(time_ms, _encode(context | {"data": _merged(common, own(row))}))
            except UnicodeEncodeError:
                raise _RowRefused(
                    Rejected("bad encoding", "", "the row is not written in the file's encoding")
                ) from None

        return make

    def _object(self, template: Mapping[str, Any]) -> Callable[[Row], dict[str, Any]]:
        """Fields that come out empty are left out, and so is an object of which nothing is left."""
        fields = [(name, self._field(part)) for name, part in template.items()]

        def make(row: Row) -> dict[str, Any]:
            made = {}
            for name, field_of in fields:
                value = field_of(row)
                if value is not _LEFT_OUT:
                    made[name] = value
            return made

        return make

    def _remembered(
        self, make: Callable[[Row], dict[str, Any]], columns: Sequence[str]
    ) -> Callable[[Row], dict[str, Any]]:
        """Partners and customers repeat from row to row; what the same cells gave is not worked out again.

        What is returned is shared, so nobody may change it.
        """
        indexes = [self._column(name) for name in columns]
        known: dict[tuple[str, ...], dict[str, Any]] = {}

        def remembered(row: Row) -> dict[str, Any]:
            cells = tuple(row[index] for index in indexes)
            made = known.get(cells)
            if made is None:
                if len(known) >= COMMON_REMEMBERED_MAX:
                    known.clear()
                made = known[cells] = {"programme": self._programme, **make(row)}
            return made

        return remembered

    def _field(self, part: Any) -> Callable[[Row], Any]:
        if isinstance(part, Cell):
            return self._cell(part)
        if isinstance(part, str):
            return self._text(part, is_required=False)
        if isinstance(part, dict):
            made = self._object(part)
            return lambda row: made(row) or _LEFT_OUT
        return lambda row: part

    def _text(self, template: str, *, is_required: bool) -> Callable[[Row], Any]:
        pieces = _PLACEHOLDER.split(template)
        columns = [(name, self._column(name)) for name in pieces[1::2]]
        literals = pieces[0::2]

        def make(row: Row) -> Any:
            text = literals[0]
            for (name, column), literal in zip(columns, literals[1:], strict=True):
                cell = row[column]
                if not cell:
                    if is_required:
                        raise _RowRefused(Rejected(f"missing {name}", name, "an event's id needs it"))
                    return _LEFT_OUT
                text += cell + literal
            return text

        return make

    def _cell(self, cell: Cell) -> Callable[[Row], Any]:
        column, name, convert = self._column(cell.from_), cell.from_, _converter(cell)

        def make(row: Row) -> Any:
            text = row[column]
            if not text:
                return _LEFT_OUT
            try:
                return convert(text)
            except BadValue as error:
                raise _RowRefused(Rejected(f"bad {name}", name, f"{text!r}: {error}")) from None

        return make


def _columns_in(part: Any) -> list[str]:
    """The columns that a template reads, in its order."""
    if isinstance(part, Cell):
        return [part.from_]
    if isinstance(part, str):
        return _PLACEHOLDER.findall(part)
    if isinstance(part, dict):
        return list(dict.fromkeys(name for inner in part.values() for name in _columns_in(inner)))
    return []


def _converter(cell: Cell) -> Callable[[str], Any]:
    convert = _plain_converter(cell)
    if cell.map is None:
        return convert
    table = cell.map

    def look_up(text: str) -> Any:
        found = table.get(text)
        if found is None:
            raise BadValue("not in the mapping's table")
        return convert(found)

    return look_up


def _plain_converter(cell: Cell) -> Callable[[str], Any]:
    if cell.as_ == "slug":
        return slug
    if cell.as_ == "integer":
        return integer
    if cell.as_ == "date":
        return lambda text: instant(text, cell.format, "UTC")[1][:10]
    if cell.as_ == "amount":
        currency = cell.currency or ""
        return lambda text: {"minor": minor_units(text, currency, cell.multiply), "currency": currency}
    return str


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The event's own fields over the row's, objects field by field."""
    merged = dict(common)
    for name, value in own.items():
        before = merged.get(name)
        merged[name] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
