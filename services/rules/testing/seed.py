"""The partner before the first event of a test: a new one, but for what `given` says.

Metrics that count the same things share what they count, so a value is put where exactly the windows that were given
see it: in the shortest on the first event's day, and what a longer one has more just before the shorter one begins. A
longer window that was not given has no less than a shorter one that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from math import gcd

from contracts.events import Event, EventData, PartnerProfile, RatesPublished
from contracts.money import PPM
from contracts.ruleset import Metric, RuleSet, RuleTest
from services.rules.amounts.rates import Rates, is_pair
from services.rules.clock.calendar import WindowStart, Zone
from services.rules.deciding.facts import take_partner_facts
from services.rules.states.children import CustomerState, customer_key
from services.rules.states.series import MeanSeries, Series, SumSeries, new_series, series_id
from services.rules.states.state import PartnerState
from services.rules.testing.shorthand import Shorthand, UnusableTest
from services.rules.testing.story import Happening


def seeded_state(
    rules: RuleSet, test: RuleTest, partner: str, happenings: list[Happening], shorthand: Shorthand
) -> PartnerState:
    """The state of the partner before the first event.

    Raises:
        UnusableTest: What is given cannot all be so.
    """
    state = PartnerState(programme=rules.programme, partner=partner)
    state.tier = test.given.get("tier")
    pairs = {path: text for path, text in test.given.items() if is_pair(path)}
    if pairs:
        state.rates = Rates()
        state.rates.take(RatesPublished(date.min.isoformat(), pairs))
    facts = {path: text for path, text in test.given.items() if path.startswith("partner.") and path != "partner.id"}
    if facts:
        learn(state, PartnerProfile(**shorthand.sections(facts)["partner"]))
    given = {metric.id: metric for metric in rules.metrics if metric.id in test.given}
    if given and happenings:
        day = Zone(rules.timezone).day_of(happenings[0].event.time_ms)
        customers = {each.event.data.customer.id for each in happenings if each.event.data.customer is not None}
        wanted = {series_id(metric) for metric in given.values()}
        for id in sorted(wanted):
            metrics = [metric for metric in rules.metrics if series_id(metric) == id]
            _seed(state, id, metrics, _Seeds(metrics, test.given, shorthand, day), sorted(customers))
    return state


def learn(state: PartnerState, profile: PartnerProfile) -> None:
    """Let the partner's profile say so."""
    data = EventData(programme=state.programme, partner=state.partner, profile=profile)
    take_partner_facts(state, Event(type="partner.updated", source="", id="", time_ms=0, data=data))


def _seed(state: PartnerState, id: int, metrics: list[Metric], seeds: _Seeds, customers: Iterable[str]) -> None:
    if metrics[0].per_customer:
        for name in customers:
            customer = state.customers.get(name)
            if customer is None:
                customer = state.customers[name] = CustomerState(customer_key(state.owner, name))
            customer.series[id] = seeds.series()
    else:
        state.series[id] = seeds.series()
    state.has_negative = state.has_negative or seeds.has_negative


class _Seeds:
    """The values of metrics that share one series."""

    def __init__(self, metrics: list[Metric], given: Mapping[str, str], shorthand: Shorthand, day: int) -> None:
        self._metric = metrics[0]
        self._day = day
        self._shorthand = shorthand
        self.has_negative = False
        by_start: dict[int, dict[str, str]] = {}
        for metric in metrics:
            named = by_start.setdefault(WindowStart(metric.window)[day], {})
            if metric.id in given:
                named[metric.id] = given[metric.id]
        # From the shortest window to the longest.
        self._by_start = sorted(by_start.items(), reverse=True)

    def series(self) -> Series:
        series = new_series(self._metric.kind)
        day, had = self._day, None
        for start, named in self._by_start:
            values = {name: self._value(name, text) for name, text in named.items()}
            if len(set(values.values())) > 1:
                raise UnusableTest(f"{' and '.join(values)} count the same, and cannot differ on the first event's day")
            for name, value in list(values.items())[:1]:
                self._add(series, name, day, value, had)
                had = value
            day = start - 1
        return series

    def _value(self, name: str, text: str) -> tuple[int, int]:
        """The value as a fraction; whole but for averages."""
        metric, read = self._metric, self._shorthand
        if metric.unit is not None:
            money = read.money(name, text)
            if money.unit != metric.unit:
                raise UnusableTest(f"{name} is in {metric.unit}, and {text} is not")
            return money.amount_minor, 1
        if metric.kind == "mean":
            millionths = read.number(name, text).millionths
            common = gcd(millionths, PPM)
            return millionths // common, PPM // common
        value = read.whole(name, text)
        if metric.kind in ("count", "distinct") and value < 0:
            raise UnusableTest(f"{name} counts, and cannot be {text}")
        return value, 1

    def _add(self, series: Series, name: str, day: int, value: tuple[int, int], had: tuple[int, int] | None) -> None:
        """Add what this window has more than the shorter ones."""
        if isinstance(series, MeanSeries):
            if had is not None and had != value:
                raise UnusableTest(f"{name} is an average of what another given metric averages: give one of them")
            if had is None:
                series.total.add(day, value[0])
                series.count.add(day, value[1])
            return
        more = value[0] - (had[0] if had else 0)
        if more < 0 and self._metric.kind != "sum":
            raise UnusableTest(f"{name} cannot be less than a metric that counts the same for a shorter time")
        if isinstance(series, SumSeries):
            if more:
                series.add(day, more)
            self.has_negative = self.has_negative or more < 0
            return
        self._shorthand.count_distinct(name, more)
        for number in range(more):
            series.add(day, f"given-{value[0]}-{number}")
