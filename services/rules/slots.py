"""Slots: where each path of a rule set finds its value, and the function that fills them for one event.

Every path used anywhere in a revision has a slot of a list, and behind it one for the value's words, made when first
needed; a generated function per event type fills the ones that
type can need, reading fields of our own structs only. Metrics are left unread: they are computed at most once per
event, when a condition first asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from contracts.errors import InvariantBroken
from contracts.events import Activity, Customer, Deal, Event, Lead, Link, PartnerProfile, Survey
from contracts.ruleset import Metric
from services.rules.calendar import WindowStart
from services.rules.conditions import UNREAD
from services.rules.facts import partner_facts
from services.rules.judge import FALSE, TRUE, Kind
from services.rules.series import DistinctSeries, MeanSeries, Series, SumSeries
from services.rules.state import PartnerState

STATE: Final = 0
CUSTOMER_ID: Final = 1
DAY: Final = 2
"""The last day of every window that is read: the event's local day, or the partner's clock day for tiers."""
_FIRST_SLOT: Final = 3

_STRUCTS: Final = {
    "customer": Customer,
    "lead": Lead,
    "deal": Deal,
    "survey": Survey,
    "activity": Activity,
    "link": Link,
}
_ATTRIBUTES: Final = "attributes."

_DATA: Final = Kind("data")
_KINDS: Final = {
    "partner.joined_at": Kind("time"),
    "deal.amount": Kind("amount"),
    "customer.annual_revenue": Kind("amount"),
    "customer.employees": Kind("number"),
}

Slots = list[Any]
Fill = Callable[[Event, PartnerState, int], Slots]


class SlotMap:
    """The slots of one revision."""

    def __init__(self, metrics: Iterable[Metric], series_id_of: Callable[[Metric], int]) -> None:
        self._metrics = {metric.id: metric for metric in metrics}
        self._series_id_of = series_id_of
        self._slot_of: dict[str, int] = {}
        self.readers: dict[int, Callable[[Slots], Any]] = {}

    def slot(self, path: str) -> int:
        """The slot of a path or metric; a new one at first sight. Raises InvariantBroken for an unknown path."""
        found = self._slot_of.get(path)
        if found is None:
            found = self._slot_of[path] = _FIRST_SLOT + 2 * len(self._slot_of)
            metric = self._metrics.get(path)
            if metric is not None:
                self.readers[found] = _reader(metric, self._series_id_of(metric))
            else:
                _expression(path, self._slot_of)
        return found

    def is_metric(self, path: str) -> bool:
        return path in self._metrics

    def kind(self, path: str) -> Kind:
        metric = self._metrics.get(path)
        if metric is not None:
            return Kind("mean" if metric.kind == "mean" else "sum", metric.unit)
        return _KINDS.get(path, _DATA)

    def depends_on_event(self, path: str) -> bool:
        """Whether the path's value may differ between two events although the partner's state is the same."""
        metric = self._metrics.get(path)
        if metric is not None:
            return metric.per_customer
        return not (path == "tier" or path.startswith("partner."))

    def compile_fill(self, paths: Iterable[str]) -> Fill:
        """A function that makes the slots of an event, with these paths filled in; for when all slots are known."""
        table: dict[str, Any] = {
            "template": self._template(),
            "facts_of": partner_facts,
            "flags": {True: TRUE, False: FALSE},
        }
        sections: dict[str, list[str]] = {}
        for number, path in enumerate(sorted(set(paths))):
            if path in self._metrics:
                continue
            slot = self._slot_of[path]
            section, line = _expression(path, self._slot_of)
            if section == "attributes":
                table[f"k{number}"] = path.removeprefix(_ATTRIBUTES)
                line = f"v = attributes.get(k{number}); x[{slot}] = flags[v] if v is True or v is False else v"
            sections.setdefault(section, []).append(line)
        exec(compile(_fill_source(sections), "<compiled rules>", "exec"), table)  # noqa: S102 - names of ours only
        fill: Fill = table["fill"]
        return fill

    @staticmethod
    def forget(x: Slots, metric_slots: Iterable[int]) -> None:
        """Let these metrics be read again, as of another day or after they took an event."""
        for slot in metric_slots:
            x[slot] = UNREAD
            x[slot + 1] = None

    def _template(self) -> Slots:
        template: Slots = [None] * (_FIRST_SLOT + 2 * len(self._slot_of))
        for slot in self.readers:
            template[slot] = UNREAD
        return template


def _expression(path: str, slot_of: dict[str, int]) -> tuple[str, str]:
    """The section of the event a path lives in, and the line that reads it."""
    slot = slot_of[path]
    section, _, field = path.partition(".")
    if path == "tier":
        return "state", f"x[{slot}] = state.tier"
    if path == "member":
        return "data", f"x[{slot}] = data.member"
    if section == "event" and field in ("type", "source", "id"):
        return "event", f"x[{slot}] = event.{field}"
    if section == "partner" and (field == "id" or field in PartnerProfile.__struct_fields__):
        return "facts", f"x[{slot}] = facts[{field!r}]"
    if section in _STRUCTS and field in _STRUCTS[section].__struct_fields__:
        return section, f"x[{slot}] = {section}.{field}"
    if path.startswith(_ATTRIBUTES):
        return "attributes", ""
    raise InvariantBroken(f"a rule set that passed the checks reads {path!r}, which there is not")


def _fill_source(sections: dict[str, list[str]]) -> str:
    lines = [
        "def fill(event, state, day):",
        " x = template[:]",
        " data = event.data",
        " customer = data.customer",
        " x[0] = state; x[2] = day",
        " if customer is not None:",
        "  x[1] = customer.id",
        *(f"  {line}" for line in sections.pop("customer", ())),
    ]
    for section in _STRUCTS:
        if section in sections:
            lines += [f" {section} = data.{section}", f" if {section} is not None:"]
            lines += [f"  {line}" for line in sections.pop(section)]
    if "attributes" in sections:
        lines += [" attributes = data.attributes", " if attributes:"]
        lines += [f"  {line}" for line in sections.pop("attributes")]
    if "facts" in sections:
        lines.append(" facts = state.facts or facts_of(state)")
    for rest in sections.values():
        lines += [f" {line}" for line in rest]
    return "\n".join([*lines, " return x"])


def _reader(metric: Metric, series_id: int) -> Callable[[Slots], Any]:
    """What reads the metric as of the day in the slots; None means no value."""
    starts = WindowStart(metric.window)
    nothing = None if metric.kind == "mean" else 0

    def of_partner(x: Slots) -> Any:
        series: Series | None = x[STATE].series.get(series_id)
        day = x[DAY]
        return nothing if series is None else series.between(starts[day], day)

    def of_customer(x: Slots) -> Any:
        if x[CUSTOMER_ID] is None:
            return None
        customer = x[STATE].customers.get(x[CUSTOMER_ID])
        series: SumSeries | MeanSeries | DistinctSeries | None = (
            None if customer is None else customer.series.get(series_id)
        )
        day = x[DAY]
        return nothing if series is None else series.between(starts[day], day)

    return of_customer if metric.per_customer else of_partner
