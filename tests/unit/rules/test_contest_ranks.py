"""Ranks of a contest, and which decisions tell a number in one."""

from __future__ import annotations

from datetime import date

from contracts.decisions import Decision, TraceLine
from runtime.bus.port import Received
from services.rules.clock.calendar import Zone, day_of_date
from services.rules.clock.days import DAYS_MAX, day_closed_records, days_to_close
from services.rules.contests.ranks import Score, ranked, scores_in
from services.rules.fold import FoldResult
from services.rules.records.encode import decision_records

LINE = (TraceLine("race from 2026-03-01 to 2026-03-31", "15.00 USD", "met", "contest"),)


def score(partner: str, value: int, reached_ms: int = 0) -> Score:
    return Score(programme="p", contest="race", partner=partner, value=value, unit="USD", reached_ms=reached_ms)


def told(
    partner: str,
    value: int,
    time_ms: int,
    *,
    amount_minor: int | None = None,
    granted: bool = True,
    rule: str = "race",
    trace: tuple[TraceLine, ...] = LINE,
) -> Received:
    decision = Decision(
        id="id", granted=granted, programme="p", revision=1, rule=rule, partner=partner,
        beneficiary=f"partner:{partner}",
        event_type="deal.won", event_source="crm", event_id="e", time_ms=time_ms, amount_minor=amount_minor,
        base_minor=value, base_unit="USD", trace=trace,
    )  # fmt: skip
    (record,) = decision_records(FoldResult([decision], [""], []), 0)
    return Received(0, record.key, record.value, record.headers, 0)


def test_the_larger_number_is_first_then_the_earlier_then_the_id() -> None:
    places = ranked(
        [score("c", 5, 9), score("b", 5, 9), score("a", 5, 10), score("d", 7, 99), score("e", 0), score("f", -3)]
    )
    assert [(each.rank, each.partner) for each in places] == [(1, "d"), (2, "b"), (3, "c"), (4, "a")]


def test_the_last_number_of_a_partner_counts_and_the_newest_time() -> None:
    scores = scores_in([told("a", 100, 50), told("b", 1, 1), told("a", 300, 20)])
    assert [(each.partner, each.value, each.reached_ms) for each in scores] == [("a", 300, 50), ("b", 1, 1)]


def test_prizes_denials_and_other_decisions_tell_no_number() -> None:
    other = (TraceLine("deal.amount >= 1 USD", "15.00 USD", "met"),)
    assert (
        scores_in([told("a", 1, 1, amount_minor=5), told("a", 1, 1, granted=False), told("a", 1, 1, trace=other)]) == []
    )


def test_days_close_one_after_the_other_and_only_when_they_have_ended() -> None:
    zone = Zone("America/New_York")
    day = day_of_date(date(2026, 3, 8))
    assert zone.start_ms(day + 1) - zone.start_ms(day) == 23 * 3_600_000
    assert list(days_to_close(zone, None, zone.start_ms(day + 1))) == [day]
    assert list(days_to_close(zone, day - 1, zone.start_ms(day + 1) - 1)) == []
    assert list(days_to_close(zone, day - 3, zone.start_ms(day + 1))) == [day - 2, day - 1, day]
    assert len(days_to_close(zone, day - 400, zone.start_ms(day + 1))) == DAYS_MAX


def test_every_partition_is_told_of_a_day_with_its_last_millisecond() -> None:
    zone = Zone("Australia/Lord_Howe")
    day = day_of_date(date(2026, 4, 5))
    records = day_closed_records("p", zone, day, 3, 0)
    assert [record.partition for record in records] == [0, 1, 2]
    assert dict(records[0].headers)["ce_id"] == b"day-p-2026-04-05"
    assert dict(records[0].headers)["ce_time"] == b"2026-04-05T13:29:59.999Z"
