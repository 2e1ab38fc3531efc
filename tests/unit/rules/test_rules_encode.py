"""Decisions leave as CloudEvents in binary mode: derived id, the event's time and trace, keyed by partner."""

from __future__ import annotations

from contracts.decisions import Decision, decode_decision
from services.rules.fold import FoldResult
from services.rules.records.encode import decision_records


def decision(id: str, time_ms: int, *, granted: bool) -> Decision:
    return Decision(
        id=id,
        granted=granted,
        programme="p",
        revision=1,
        rule="r",
        partner="ana",
        beneficiary="partner:ana",
        event_type="deal.won",
        event_source="crm",
        event_id="e",
        time_ms=time_ms,
    )


def test_each_decision_is_a_cloud_event_of_its_verdict_time_and_trace() -> None:
    decisions = [decision("1", 0, granted=True), decision("2", 0, granted=False), decision("3", 1_500, granted=True)]
    records = decision_records(FoldResult(decisions, ["tp", "", "tp2"], []), 2_000)
    assert [decode_decision(each.value) for each in records] == decisions
    assert {(each.key, each.partition) for each in records} == {(b"ana", None)}
    common = {
        "ce_specversion": b"1.0",
        "ce_source": b"goodword/rules",
        "ce_recordedat": b"1970-01-01T00:00:02.000Z",
        "content-type": b"application/json",
    }
    granted, denied = {"ce_type": b"decision.granted"}, {"ce_type": b"decision.denied"}
    epoch, later = {"ce_time": b"1970-01-01T00:00:00.000Z"}, {"ce_time": b"1970-01-01T00:00:01.500Z"}
    assert [dict(each.headers) for each in records] == [
        common | granted | epoch | {"ce_id": b"1", "ce_traceparent": b"tp"},
        common | denied | epoch | {"ce_id": b"2"},
        common | granted | later | {"ce_id": b"3", "ce_traceparent": b"tp2"},
    ]
