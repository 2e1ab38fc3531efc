"""A batch of transfers as rewards.post takes it: its columns, and the hash of each row.

Pure. Every value is packed once, and serves both: as an element of its column's array, and as a field of its row, whose
hash services/rewards/chain/encoding.py describes. Tests compare these hashes with both other encoders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.facts import TransferPosted
from contracts.ids import event_hash
from services.rewards import elements
from services.rewards.chain.encoding import row_hashes
from services.rewards.packing import BigintArray, IntegerArray, TextArray, TimestamptzArray, UuidArray


def post_columns(batch: Sequence[TransferPosted], accounts: Mapping[str, int]) -> tuple[object, ...]:
    """The parameters of rewards.post, in its order, but for the facts.

    Args:
        batch: Sorted by id.
        accounts: Address to number, of all that the batch moves something between.
    """
    ids = elements.uuids([t.id for t in batch])
    groups = elements.uuids([t.group for t in batch])
    decisions = elements.uuids([t.decision for t in batch])
    amounts = elements.bigints([t.amount_minor for t in batch])
    event_hashes = elements.bigints([event_hash(t.event_source, t.event_id) for t in batch])
    event_ats = elements.times([t.time_ms for t in batch])
    posted_ats = elements.times([t.posted_at_ms for t in batch])
    revisions = elements.integers([t.revision for t in batch])
    stages = elements.texts([t.stage for t in batch])
    units = elements.texts([t.unit for t in batch])
    programmes = elements.texts([t.programme for t in batch])
    rules = elements.texts([t.rule for t in batch])
    partners = elements.texts([t.partner for t in batch])
    sources = elements.texts([t.event_source for t in batch])
    events = elements.unique_texts([t.event_id for t in batch])
    customers = elements.texts([t.customer for t in batch])
    deals = elements.unique_texts([t.deal for t in batch])
    leads = elements.unique_texts([t.lead for t in batch])
    available_ats = _or_none(elements.optional_times, [t.available_at_ms for t in batch])
    expires_ats = _or_none(elements.optional_times, [t.expires_at_ms for t in batch])
    taken = [t.takes_back for t in batch]
    takes_backs = _or_none(elements.optional_uuids, taken)
    reasons = _or_none(elements.texts, [t.reason for t in batch])
    booked_bys = _or_none(elements.texts, [t.booked_by for t in batch])
    news_ats = _or_none(elements.optional_times, [t.news_at_ms for t in batch])
    nothing = [elements.NULL] * len(batch)
    hashes = row_hashes(
        (
            *(ids, groups, decisions, amounts, event_hashes, event_ats, posted_ats, revisions, stages, units),
            *(programmes, rules, partners, sources, events, customers, deals, leads),
            *(column or nothing for column in (available_ats, expires_ats, takes_backs)),
            *(column or nothing for column in (reasons, booked_bys, news_ats)),
            elements.texts([t.debit for t in batch]),
            elements.texts([t.credit for t in batch]),
        )
    )
    return (
        UuidArray.of(ids),
        UuidArray.of(groups),
        UuidArray.of(decisions),
        BigintArray.of(elements.bigints([accounts[t.debit] for t in batch])),
        BigintArray.of(elements.bigints([accounts[t.credit] for t in batch])),
        BigintArray.of(amounts),
        BigintArray.of(event_hashes),
        TimestamptzArray.of(event_ats),
        TimestamptzArray.of(posted_ats),
        IntegerArray.of(revisions),
        TextArray.of(stages),
        TextArray.of(units),
        TextArray.of(programmes),
        TextArray.of(rules),
        TextArray.of(partners),
        TextArray.of(sources),
        TextArray.of(events),
        TextArray.of(customers),
        TextArray.of(deals),
        TextArray.of(leads),
        available_ats and TimestamptzArray.of(available_ats),
        expires_ats and TimestamptzArray.of(expires_ats),
        takes_backs and TextArray.of(elements.unique_texts(taken)),
        reasons and TextArray.of(reasons),
        booked_bys and TextArray.of(booked_bys),
        news_ats and TimestamptzArray.of(news_ats),
        hashes,
    )


def _or_none(pack: Callable[[list[Any]], list[bytes]], column: list[Any]) -> list[bytes] | None:
    """Most batches have no such value, and then none is packed or read."""
    return None if column.count(None) == len(column) else pack(column)
