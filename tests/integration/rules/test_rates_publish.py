"""Exchange rates reach every partition, are used by what follows, and can be listed; told again they change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.decisions import decode_decision
from contracts.errors import PermanentError
from contracts.events import RatesPublished
from contracts.rates import decode_rate
from contracts.topics import RATES as RATES_TOPIC
from contracts.topics import REFERRALS
from runtime.bus.port import Bus
from services.rules.lifecycle.audit import read_audit
from services.rules.lifecycle.publish_rates import publish_rates, read_rates_told
from services.rules.store import StateStore
from tests.integration.rules.conftest import PARTITIONS
from tests.integration.rules.harness import (
    PROGRAMME,
    START_MS,
    FixedClock,
    Start,
    assert_undisturbed,
    decided,
    drained,
    record,
)

RATES = [RatesPublished("2016-11-01", {"EUR/USD": "1.25"}), RatesPublished("2016-11-02", {"EUR/USD": "0.5"})]


@pytest.mark.usefixtures("published")
async def test_rates_serve_the_events_that_follow_and_are_listed(
    start: Start, bus: Bus, store: StateStore, schema_url: str
) -> None:
    partners = [f"partner-{number}" for number in range(12)]
    deal = {"id": "d", "amount": {"minor": 9_000, "currency": "EUR"}}

    async def win(deal_id: str) -> None:
        data = {"programme": PROGRAMME, "deal": deal | {"id": deal_id}}
        await bus.publish(
            REFERRALS.name,
            [record(each, "deal.won", f"{each}-{deal_id}", START_MS, data | {"partner": each}) for each in partners],
        )

    await win("before")
    assert (
        await publish_rates([PROGRAMME], RATES[:1], postgres=schema_url, bus=bus, clock=FixedClock(), who="ana")
        == PARTITIONS
    )
    assert (
        await publish_rates([PROGRAMME], RATES[:1], postgres=schema_url, bus=bus, clock=FixedClock(), who="ana")
        == PARTITIONS
    )
    await win("after")
    process = start()
    await process.ready()
    await drained(bus, store)
    await assert_undisturbed(bus, store)

    decisions = [decode_decision(value) for values in (await decided(bus)).values() for value in values]
    paid = {(each.deal, each.granted) for each in decisions if each.rule == "commission"}
    assert paid == {("before", False), ("after", True)}
    missed = [each for each in decisions if each.rule == "metric"]
    assert {(each.occasion, each.deal) for each in missed} == {("sales", "before")}

    (told,) = await read_rates_told(store, PROGRAMME, PARTITIONS)
    assert (told.day, told.pair, told.rate, told.partitions, told.of) == ("2016-11-01", "EUR/USD", "1.25", 4, 4)
    told_twice = [each for each in await read_audit(schema_url, PROGRAMME) if each.action == "rates published"]
    assert [(each.who, each.revision, each.details["by_day"]) for each in told_twice] == [
        ("ana", None, {"2016-11-01": {"EUR/USD": "1.25"}})
    ] * 2
    assert await process.metric('goodword_rules_bus_lag_records{group="contests"') == 0
    assert await process.stop() == 0


async def test_rates_are_told_to_whoever_converts_what_is_earned(bus: Bus, schema_url: str) -> None:
    """One record per pair and day, under a key that keeps only the newest of each."""
    await publish_rates([PROGRAMME], RATES, postgres=schema_url, bus=bus, clock=FixedClock(), who="ana")
    told: dict[str, Any] = {}
    for partition, end in (await bus.end_offsets(RATES_TOPIC.name)).items():
        async for records in bus.read(RATES_TOPIC.name, partition, start=0, end=end, batch_records_max=100):
            told |= {record.key.decode(): decode_rate(record.value).rate for record in records}
    assert told == {f"{PROGRAMME}:{each.day}:{pair}": rate for each in RATES for pair, rate in each.rates.items()}


async def test_what_is_no_rate_is_refused_before_anything_is_told(bus: Bus, schema_url: str) -> None:
    bad = RatesPublished("2016-11-03", {"EUR/USD": "-1"})
    with pytest.raises(PermanentError, match="is not a rate"):
        await publish_rates([PROGRAMME], [*RATES, bad], postgres=schema_url, bus=bus, clock=FixedClock(), who="ana")
    assert set((await bus.end_offsets(REFERRALS.name)).values()) == {0}
    assert [each.action for each in await read_audit(schema_url, PROGRAMME)] == []
