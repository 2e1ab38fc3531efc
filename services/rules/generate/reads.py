"""Where a path finds its value (docs/rules.md#paths), and metrics as of a day (docs/rules.md#windows).

Each is read when a line first needs it, and kept in a local variable. The function must have the locals `event`,
`state`, `data`, and `tier` when a path asks for it.
"""

from __future__ import annotations

from typing import Final

from contracts.errors import InvariantBroken
from services.rules.deciding.facts import partner_facts
from services.rules.deciding.judge import FALSE, TRUE
from services.rules.deciding.vocabulary import ATTRIBUTES, PARTNER_FACTS, STRUCTS, Vocabulary
from services.rules.generate.source import Source
from services.rules.states.series import series_id

YES_OR_NO: Final = {True: TRUE, False: FALSE}


class Reads:
    """Writes the lines that read values.

    Args:
        memo: Name of a dict in which metrics and words are kept between several functions for one event; None when
            there is only one function.
    """

    def __init__(
        self, source: Source, vocabulary: Vocabulary, event_type: str, revision: int, memo: str | None = None
    ) -> None:
        self.source = source
        self.revision = revision
        self.vocabulary = vocabulary
        self.event_type = event_type
        self.memo = memo

    def value(self, path: str, day: str = "day") -> str:
        """The local that holds the path's value, None when there is none; of a metric, as of the local `day`."""
        if self.vocabulary.metric(path) is not None:
            return self._metric(path, day)
        if path == "tier":
            return "tier"
        return self.source.once(("value", path), "v", lambda name: self._read(name, path))

    def section(self, section: str) -> str:
        """The local that holds a part of the event's data."""
        return self.source.once(("section", section), "d", lambda name: self.source.add(f"{name} = data.{section}"))

    def _read(self, name: str, path: str) -> None:
        source = self.source
        section, _, field = path.partition(".")
        if path == "member":
            source.add(f"{name} = data.member")
        elif path == "event.type":
            source.add(f"{name} = {source.constant(self.event_type)}")
        elif section == "event" and field in {"source", "id"}:
            source.add(f"{name} = event.{field}")
        elif section == "partner" and field in PARTNER_FACTS:
            facts = source.once("facts", "f", self._facts)
            source.add(f"{name} = {facts}[{field!r}]")
        elif section in STRUCTS and field in STRUCTS[section].__struct_fields__:
            part = self.section(section)
            source.add(f"{name} = None if {part} is None else {part}.{field}")
        elif path.startswith(ATTRIBUTES):
            attributes = self.section("attributes")
            key, words = source.constant(path.removeprefix(ATTRIBUTES)), source.constant(YES_OR_NO)
            source.add(
                f"{name} = {attributes}.get({key})", f"if {name} is True or {name} is False: {name} = {words}[{name}]"
            )
        else:
            raise InvariantBroken(f"a rule set that passed the checks reads {path!r}, which there is not")

    def _facts(self, name: str) -> None:
        self.source.add(f"{name} = state.facts or {self.source.constant(partner_facts)}(state)")

    def series(self, path: str) -> str:
        """The local that holds the series of a metric; None when nothing was taken yet."""
        metric = self.vocabulary.metric(path)
        assert metric is not None
        id = series_id(metric)
        source = self.source

        def write(name: str) -> None:
            holder = self._customer_series() if metric.per_customer else source.once("series", "h", of_partner)
            known = f"{holder}.get({source.constant(id)})"
            source.add(f"{name} = {known}" if not metric.per_customer else f"{name} = {holder} and {known}")

        def of_partner(name: str) -> None:
            source.add(f"{name} = state.series")

        return source.once(("series", id), "s", write)

    def _customer_series(self) -> str:
        """The local that holds the series of the event's customer; None or empty when there are none."""
        customer = self.value("customer.id")

        def write(name: str) -> None:
            self.source.add(
                f"{name} = None if {customer} is None else state.customers.get({customer})",
                f"if {name} is not None: {name} = {name}.series",
            )

        return self.source.once("customer series", "h", write)

    def _metric(self, path: str, day: str) -> str:
        """What a metric comes to at the day; None means no value, also of a customer whom the event does not name."""
        metric = self.vocabulary.metric(path)
        assert metric is not None
        source = self.source
        nothing = "None" if metric.kind == "mean" else "0"

        def write(name: str) -> None:
            series = self.series(path)
            starts = source.constant(self.vocabulary.starts(metric))
            read = f"{series}.between({starts}[{day}], {day}) if {series} else {nothing}"
            if metric.per_customer:
                read = f"None if {self.value('customer.id')} is None else {read}"
            source.add(f"{name} = {read}")

        def write_kept(name: str) -> None:
            key = source.constant(path)
            source.add(f"{name} = {self.memo}.get({key})")
            with source.block(f"if {name} is None:"):
                write(name)
                source.add(f"{self.memo}[{key}] = {name}")

        return source.once(("metric", path, day), "v", write if self.memo is None else write_kept)
