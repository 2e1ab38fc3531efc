"""Facts packed for the outbox come out as the records that consumers expect."""

from __future__ import annotations

from contracts.events import event_headers
from contracts.facts import LEDGER_SOURCE, TRANSFER_POSTED, TransferPosted, decode_transfer
from services.rewards.facts import fact_records, pack_facts
from services.rewards.postings import plan_transfers
from tests.support.decisions import decided, head

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def facts(*numbers: int) -> list[TransferPosted]:
    heads = [head(decided(number, partner=f"p{number}", customer_name="Çåncity ☃")) for number in numbers]
    return plan_transfers(heads, [TRACE] * len(heads), posted_at_ms=1_767_300_000_123).transfers


def test_a_fact_is_a_cloud_event_keyed_by_partner() -> None:
    (fact,) = facts(7)
    (record,) = fact_records(pack_facts([fact]), None)
    assert record.key == b"p7"
    assert decode_transfer(record.value) == fact
    assert record.headers == event_headers(
        type=TRANSFER_POSTED,
        source=LEDGER_SOURCE,
        id=fact.id,
        time_ms=fact.time_ms,
        recorded_at_ms=fact.posted_at_ms,
        traceparent=TRACE,
    )


def test_only_what_was_posted_leaves_and_each_once() -> None:
    first, second, third = facts(1, 2, 3)
    blob = pack_facts([first, second, second, third])
    assert [decode_transfer(r.value) for r in fact_records(blob, {second.id, third.id})] == [second, third]
    assert fact_records(blob, set()) == []
    assert len(fact_records(blob, None)) == 4
