"""Metrics take the event (docs/rules.md#order, step 6): each series once, on the event's own day, with the share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from contracts.decisions import RULE_METRIC, Decision, TraceLine
from contracts.events import Amount
from contracts.money import PPM
from contracts.ruleset import Metric
from services.rules.amounts.given import shared
from services.rules.amounts.measures import Kind, amount_in_words, describe
from services.rules.amounts.rates import converted, no_rate
from services.rules.bounds.lasting import WON, note_win
from services.rules.deciding.decide import Case, decide
from services.rules.deciding.facts import mark
from services.rules.generate.case import write_case
from services.rules.generate.reads import Reads
from services.rules.states.children import CustomerState, customer_key
from services.rules.states.series import Kind as SeriesKind
from services.rules.states.series import new_series, series_id
from services.rules.states.state import PartnerState

_DATA = Kind("data")


class Taker:
    """One event type that adds to one series; `minus` takes off.

    Attributes:
        metrics: The ids of all that share the series.
    """

    def __init__(self, metric: Metric, *, is_minus: bool) -> None:
        self.metric = metric
        self.metrics = [metric.id]
        self.series = series_id(metric)
        self._is_minus = is_minus

    def write(self, reads: Reads) -> None:
        """An event without the value is not taken; one in another currency without a rate is not, and is denied."""
        metric, source = self.metric, reads.source
        if metric.kind == "count" or metric.of is None:
            self._write_add(reads, "1", may_be_negative=False)
            return
        value = reads.value(metric.of)
        if metric.kind == "distinct":
            with source.block(f"if {value} is not None:"):
                as_text = f"{value} if {value}.__class__ is str else {source.constant(_as_text)}({value})"
                source.add(f"n = {as_text}")
                self._write_add(reads, "n", may_be_negative=False)
            return
        sign = "-" if self._is_minus else ""
        if reads.vocabulary.kind(metric.of).name == "amount":
            amount, unit = source.constant(Amount), source.constant(metric.unit)
            customer = reads.value("customer.id") if metric.per_customer else ""
            with source.block(f"if {value}.__class__ is {amount}:"):
                source.add(
                    f"n = {sign}({value}.minor if data.share_ppm == {PPM} else "
                    f"{source.constant(shared)}({value}.minor, data.share_ppm))",
                    f"if {value}.currency != {unit}: "
                    f"n = {source.constant(converted)}(n, {value}.currency, {unit}, day, state.rates)",
                )
                with source.block("if n is not None:"):
                    self._write_add(reads, "n", may_be_negative=True)
                # What is kept per customer takes no event without one anyway.
                head = f"elif {customer} is not None:" if customer else "else:"
                with source.block(head):
                    ids, miss = source.constant(tuple(self.metrics)), source.constant(missed)
                    source.add(f"made += {miss}({write_case(reads)}, {ids}, {value}, {unit}, tier)")
            return
        with source.block(f"if {value}.__class__ is int:"):
            source.add(f"n = {sign}{value}")
            self._write_add(reads, "n", may_be_negative=True)

    def _write_add(self, reads: Reads, taken: str, *, may_be_negative: bool) -> None:
        metric, source = self.metric, reads.source
        id, kind = source.constant(self.series), source.constant(metric.kind)
        if may_be_negative:
            source.add(f"if {taken} < 0: state.has_negative = True")
        if metric.per_customer:
            customer, take = reads.value("customer.id"), source.constant(take_for_customer)
            source.add(f"if {customer} is not None: {take}(state, {customer}, {id}, {kind}, day, {taken})")
            return
        series = reads.series(metric.id)
        source.add(
            f"if {series} is None: {series} = state.series[{id}] = {source.constant(new_series)}({kind})",
            f"{series}.add(day, {taken})",
        )


def missed(case: Case, metrics: Sequence[str], value: Amount, unit: str, tier: str | None) -> list[Decision]:
    """The denials that say which metrics could not take the amount, so that no number is too small without a reason."""
    saw = f"{amount_in_words(value)}, {no_rate(value.currency, unit)}"
    return [
        decide(
            case,
            RULE_METRIC,
            f"{metric}: {saw}",
            (TraceLine(metric, saw, "unknown", RULE_METRIC),),
            tier,
            occasion=metric,
        )
        for metric in metrics
    ]


def take_for_customer(
    state: PartnerState, customer_id: str, series: int, kind: SeriesKind, day: int, taken: Any
) -> None:
    """Add to a metric `per: customer`."""
    customer = state.customers.get(customer_id)
    if customer is None:
        customer = state.customers[customer_id] = CustomerState(customer_key(state.owner, customer_id), is_changed=True)
        state.changed.append(customer)
    else:
        mark(state, customer)
    known = customer.series.get(series)
    if known is None:
        known = customer.series[series] = new_series(kind)
    known.add(day, taken)


class FirstWin:
    """Remembers the customer's first won deal, which `for` counts from."""

    series = None

    def write(self, reads: Reads) -> None:
        customer, note = reads.value("customer.id"), reads.source.constant(note_win)
        reads.source.add(f"if {customer} is not None: {note}(state, {customer}, day)")


def takers_of(event_type: str, metrics: Iterable[Metric], *, notes_wins: bool = False) -> tuple[Taker | FirstWin, ...]:
    """What an event of that type adds to, each series once; `notes_wins` when a reward says `for`."""
    takers: dict[int | None, Taker | FirstWin] = {}
    if notes_wins and event_type == WON:
        takers[None] = FirstWin()
    for metric in metrics:
        is_minus = event_type == metric.minus and metric.of is not None
        if event_type not in metric.on and not is_minus:
            continue
        known = takers.get(series_id(metric))
        if isinstance(known, Taker):
            known.metrics.append(metric.id)
        else:
            takers[series_id(metric)] = Taker(metric, is_minus=event_type not in metric.on)
    return tuple(takers.values())


def _as_text(value: Any) -> str:
    return describe(value, _DATA, {})
