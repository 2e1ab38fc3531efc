"""How fast the rules decide: the pure fold, states in memory, decision objects made; no bus and no store.

`rules-fold` is 50 rewards, 6 metrics with windows and 3 tiers over a mixed stream of leads, deals, surveys and
activities, with about 1.2 decisions an event. `rules-1000` is the same with 1,000 rewards, for which the time of every
single event counts. The raw path decodes the same events and does nothing else.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from contracts.events import (
    Activity,
    Amount,
    Customer,
    Deal,
    Event,
    EventData,
    Lead,
    PartnerProfile,
    RulesetActivated,
    Survey,
    decode_data_list,
    encode_data,
)
from goodword.bench.report import BenchRow
from services.rules.fold import Fold
from services.rules.language import digest_of

PROGRAMME: Final = "bench"
PARTNERS: Final = 1_000
BATCH_RECORDS: Final = 2_000
EVENTS: Final = 200_000
EVENTS_SINGLY: Final = 20_000
SPREAD_DAYS: Final = 60
_START_MS: Final = 1_735_689_600_000  # 2025-01-01
_PRODUCTS: Final = tuple(f"Product {number}" for number in range(10))
_OFFICES: Final = ("Central", "East", "West", "North")
_COUNTRIES: Final = ("US", "CA", "NO", "BR", "ID")


async def run(*, events: int = EVENTS) -> list[BenchRow]:
    """Measure both rows."""
    stream = make_events(events)
    return [measure_batches(rule_set(50), stream), measure_singly(rule_set(1_000), stream[:EVENTS_SINGLY])]


def measure_batches(text: str, stream: Sequence[Event]) -> BenchRow:
    """Throughput in batches, each decoded just before, as in the service; p50 and p99 are of a batch."""
    fold = _fold_of(text)
    raw_s, took_ms = 0.0, []
    cpu_s = 0.0
    with _collecting_when_idle():
        for start in range(0, len(stream), BATCH_RECORDS):
            batch, decoded_s = _decoded(stream[start : start + BATCH_RECORDS])
            raw_s += decoded_s
            fold.load(dict.fromkeys(fold.missing_keys(batch)))
            cpu, started = time.process_time(), time.perf_counter()
            fold.fold(batch)
            took_ms.append((time.perf_counter() - started) * 1000)
            cpu_s += time.process_time() - cpu
            fold.take_dirty()
    return _row("rules-fold", len(stream), raw_s, took_ms, cpu_s)


def measure_singly(text: str, stream: Sequence[Event]) -> BenchRow:
    """The time of every single event; p50 and p99 are of an event."""
    fold = _fold_of(text)
    events, raw_s = _decoded(stream)
    fold.load(dict.fromkeys(fold.missing_keys(events)))
    took_ms = []
    cpu = time.process_time()
    with _collecting_when_idle():
        for event in events:
            started = time.perf_counter()
            fold.fold_one(event)
            took_ms.append((time.perf_counter() - started) * 1000)
    return _row("rules-1000", len(events), raw_s, took_ms, time.process_time() - cpu)


def _decoded(stream: Sequence[Event]) -> tuple[list[Event], float]:
    """The events as they come off the bus, and the seconds that their decoding took."""
    values = [encode_data(event.data) for event in stream]
    started = time.perf_counter()
    data = decode_data_list(values)
    took_s = time.perf_counter() - started
    return [msgspec.structs.replace(event, data=each) for event, each in zip(stream, data, strict=True)], took_s


@contextmanager
def _collecting_when_idle() -> Iterator[None]:
    """As the service does: garbage is collected between batches when there is time, never in the middle of one."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _fold_of(text: str) -> Fold:
    fold = Fold(0)
    activated = RulesetActivated(revision=1, digest=digest_of(text), effective_from_ms=0, source_text=text)
    data = EventData(programme=PROGRAMME, ruleset=activated)
    event = Event(type="ruleset.activated", source="goodword/rules", id="ruleset-1", time_ms=_START_MS, data=data)
    fold.load(dict.fromkeys(fold.missing_keys([event])))
    fold.fold([event])
    return fold


def _row(name: str, count: int, raw_s: float, took_ms: list[float], cpu_s: float) -> BenchRow:
    per_second, raw_per_second = count / (sum(took_ms) / 1000), count / raw_s
    took_ms.sort()
    return BenchRow(
        name=name,
        bus="none",
        per_second=per_second,
        raw_per_second=raw_per_second,
        ratio=per_second / raw_per_second,
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        cpu_ms_per_1000=cpu_s / count * 1e6,
    )


def make_events(count: int, *, seed: int = 1) -> list[Event]:
    """A mixed stream in order of time, the same for everybody: leads, deals, surveys and activities."""
    draw = random.Random(seed)  # noqa: S311 - made-up data, the same for everybody
    profile = PartnerProfile(status="active", country="US")
    made = [
        _event("partner.registered", number, f"partner-{number}", EventData(programme=PROGRAMME, profile=profile))
        for number in range(PARTNERS)
    ][:count]
    step_ms = SPREAD_DAYS * 86_400_000 // count
    for number in range(len(made), count):
        type_name = draw.choices(_TYPES, _WEIGHTS)[0]
        data = _data(draw, number, type_name)
        made.append(_event(type_name, number, f"partner-{draw.randrange(PARTNERS)}", data, number * step_ms))
    return made


_TYPES: Final = (
    "lead.registered", "deal.opened", "deal.stage_changed", "deal.won", "deal.lost", "deal.renewed", "survey.answered",
    "activity.recorded",
)  # fmt: skip
_WEIGHTS: Final = (20, 20, 10, 20, 10, 5, 5, 10)


def _event(type_name: str, number: int, partner: str, data: EventData, later_ms: int = 0) -> Event:
    data.partner = partner
    return Event(type=type_name, source="crm/bench", id=f"event-{number}", time_ms=_START_MS + later_ms, data=data)


def _data(draw: random.Random, number: int, type_name: str) -> EventData:
    which = draw.randrange(5_000)
    data: dict[str, Any] = {
        "customer": Customer(
            id=f"customer-{which}",
            name=f"Customer {which}",
            industry=("retail", "software", "finance")[which % 3],
            employees=which * 37 % 2_000,
            country=_COUNTRIES[which % 5],
        ),
        "attributes": {"office": draw.choice(_OFFICES)},
    }
    if type_name.startswith("deal."):
        amount = Amount(draw.randrange(5_000, 3_000_000), "USD")
        data["deal"] = Deal(id=f"D{number}", product=draw.choice(_PRODUCTS), amount=amount)
        data["period"] = "2026" if type_name == "deal.renewed" else None
    elif type_name.startswith("lead."):
        data["lead"] = Lead(id=f"L{number}", channel="web")
    elif type_name.startswith("survey."):
        data["survey"] = Survey(kind="nps", score=draw.randrange(11))
    else:
        data["activity"] = Activity(kind=draw.choice(("training", "event")), quantity=1)
    return EventData(programme=PROGRAMME, **data)


_HEAD: Final = """\
schema: goodword/v1
programme: bench
currency: USD
timezone: America/New_York
units:
  POINTS: {}
eligible:
  partner:
    - partner.status == active
qualified:
  lead:
    - customer.employees >= 500
    - customer.industry in [software, finance]
  deal:
    - deal.amount >= 500 USD
metrics:
  sales_12m: {sum: deal.amount, on: [deal.won, deal.renewed], minus: deal.refunded, over: 12 months}
  sales_quarter: {sum: deal.amount, on: [deal.won, deal.renewed], minus: deal.refunded, over: this quarter}
  wins_year: {count: deal.won, over: this year}
  customers: {distinct: customer.id, on: deal.won, over: 90 days}
  nps: {mean: survey.score, on: survey.answered, over: 180 days}
  trained: {sum: activity.quantity, on: activity.recorded, over: 30 days}
tiers:
  - id: bronze
  - id: silver
    when:
      - sales_12m >= 100_000 USD
  - id: gold
    when:
      any:
        - sales_12m >= 300_000 USD
        - customers >= 40
rewards:
"""


def rule_set(rewards: int) -> str:
    """A rule set with that many rewards, over the event types, most with tests of product and office."""
    return _HEAD + "".join(_reward(number) for number in range(rewards))


def _reward(number: int) -> str:
    product, office = _PRODUCTS[number % 10], _OFFICES[number // 10 % 4]
    kind = number % 5
    minimum = f"{500 + number}.00"
    if kind < 2:
        return (
            f"  - id: commission-{number}\n    on: [deal.won, deal.renewed]\n    when:\n"
            f"      - deal.product == {product}\n      - attributes.office == {office}\n"
            f"      - deal.amount >= {minimum} USD\n      - wins_year < {100 + number}\n"
            f"    give: {{percent: {{by: tier, values: {{bronze: 5, silver: 7.5, gold: 10}}}}, of: deal.amount, "
            f"at_most: 10_000 USD}}\n"
        )
    if kind in (2, 3):
        return (
            f"  - id: lead-{number}\n    on: lead.qualified\n    when:\n      - attributes.office == {office}\n"
            f"      - customer.country == {_COUNTRIES[number // 5 % 5]}\n      - customer.employees >= {500 + number}\n"
            f"    give: {number + 1} USD\n"
        )
    on = ("survey.answered", "activity.recorded")[number // 5 % 2]
    return (
        f"  - id: points-{number}\n    on: {on}\n    when:\n      - attributes.office == {office}\n"
        f"      - customer.country == {_COUNTRIES[number // 10 % 5]}\n      - trained < {5 + number}\n"
        f"    give: {number + 1} POINTS\n"
    )
