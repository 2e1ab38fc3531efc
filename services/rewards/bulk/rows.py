"""A large batch of transfers as COPY takes it, with the hash of each row and what each balance moves by.

Pure. A row of `COPY … (FORMAT binary)` and the bytes that are hashed (services/rewards/chain/encoding.py) are the same
fields in the same order, but for the accounts, which are numbers in one and addresses in the other; so a row is encoded
once. Fields of a fixed size are packed together, and what repeats is looked up. A test compares the hashes with those
of the readable encoder.
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Final, NamedTuple

from contracts.facts import TransferPosted
from contracts.ids import event_hash
from services.rewards import elements
from services.rewards.chain.encoding import ROW_FIELDS
from services.rewards.elements import NULL, POSTGRES_EPOCH_MS
from services.rewards.packing import BigintArray, TextArray, UuidArray

COLUMNS: Final = (*ROW_FIELDS[:-2], "debit_id", "credit_id")
"""Of rewards.transfers, in the order of a row."""
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_ROW: Final = struct.pack(">h", len(COLUMNS))
_END: Final = b"\xff\xff"
_UUID: Final = "00000010"
"""The length of one, in the hexadecimal text that they are made of."""
_UUIDS_BYTES: Final = 3 * (4 + 16)
_NUMBERS: Final = struct.Struct(">iqiqiqiqii")
_ACCOUNTS: Final = struct.Struct(">iqiq")
_TIME: Final = struct.Struct(">iq")
_KIND: Final = attrgetter("stage", "unit", "programme", "rule")
_RARE: Final = attrgetter("expires_at_ms", "takes_back", "reason", "booked_by")
_LENGTHS: Final = [struct.pack(">i", length) for length in range(256)]


class Bulk(NamedTuple):
    """A batch sorted by id.

    Attributes:
        rows: All of what COPY reads.
        hashes: Of the rows, one after the other.
        accounts, units, minors: What each balance moves by; the amounts as text, because nothing bounds their sum.
    """

    ids: UuidArray
    rows: bytes
    hashes: bytes
    accounts: BigintArray
    units: TextArray
    minors: TextArray


class _Kinds(dict[tuple[str, str, str, str], bytes]):
    """The texts that say what a transfer is, encoded together."""

    def __missing__(self, texts: tuple[str, str, str, str]) -> bytes:
        encoded = self[texts] = b"".join([_text(text) for text in texts])
        return encoded


class _Rare(dict[tuple[int | None, str | None, str | None, str | None], bytes]):
    """What most transfers do not have, encoded together."""

    def __missing__(self, fields: tuple[int | None, str | None, str | None, str | None]) -> bytes:
        expires_at_ms, takes_back, reason, booked_by = fields
        taken = NULL if takes_back is None else _LENGTHS[16] + bytes.fromhex(takes_back.replace("-", ""))
        encoded = self[fields] = _time(expires_at_ms) + taken + _text(reason) + _text(booked_by)
        return encoded


class _Times(dict[int | None, bytes]):
    """Legs of a posting share their times."""

    def __missing__(self, time_ms: int | None) -> bytes:
        encoded = self[time_ms] = _time(time_ms)
        return encoded


def bulk_of(batch: Sequence[TransferPosted], accounts: Mapping[str, int]) -> Bulk:
    """The batch as it is copied.

    Args:
        batch: Sorted by id.
        accounts: Address to number.

    Raises:
        KeyError: An account that is not in `accounts`.
    """
    rows = _rows_without_accounts(batch)
    debits, credits = [t.debit for t in batch], [t.credit for t in batch]
    sha256 = hashlib.sha256
    hashes = b"".join(
        [
            sha256(row + debit + credit).digest()
            for row, debit, credit in zip(rows, elements.texts(debits), elements.texts(credits), strict=True)
        ]
    )
    debit_ids, credit_ids, pack = [accounts[a] for a in debits], [accounts[a] for a in credits], _ACCOUNTS.pack
    ends = [pack(8, debit, 8, credit) for debit, credit in zip(debit_ids, credit_ids, strict=True)]
    moved = _moved(batch, debit_ids, credit_ids)
    return Bulk(
        UuidArray.of(elements.uuids([t.id for t in batch])),
        b"".join(chain((_SIGNATURE,), chain.from_iterable(zip(repeat(_ROW), rows, ends, strict=False)), (_END,))),
        hashes,
        BigintArray.of(elements.bigints([account for account, _, _ in moved])),
        TextArray.of(elements.texts([unit for _, unit, _ in moved])),
        TextArray.of([_text(str(minor)) for _, _, minor in moved]),
    )


def _rows_without_accounts(batch: Sequence[TransferPosted]) -> list[bytes]:
    texts = [text for t in batch for text in (t.id, t.group, t.decision)]
    uuids = bytes.fromhex((_UUID + _UUID.join(texts)).replace("-", "")) if texts else b""
    events = [(t.event_source, t.event_id) for t in batch]
    # Legs of a posting have one event.
    event_hashes = {event: event_hash(*event) for event in set(events)}
    times, pack, epoch_ms = _Times(), _NUMBERS.pack, POSTGRES_EPOCH_MS
    numbers = [
        pack(
            8,
            t.amount_minor,
            8,
            event_hashes[event],
            8,
            (t.time_ms - epoch_ms) * 1_000,
            8,
            (t.posted_at_ms - epoch_ms) * 1_000,
            4,
            t.revision,
        )
        for t, event in zip(batch, events, strict=True)
    ]
    columns = (
        [uuids[start : start + _UUIDS_BYTES] for start in range(0, len(uuids), _UUIDS_BYTES)],
        numbers,
        map(_Kinds().__getitem__, map(_KIND, batch)),
        elements.texts([t.partner for t in batch]),
        elements.texts([t.event_source for t in batch]),
        [_text(t.event_id) for t in batch],
        elements.texts([t.customer for t in batch]),
        [_text(t.deal) for t in batch],
        [_text(t.lead) for t in batch],
        map(times.__getitem__, [t.available_at_ms for t in batch]),
        map(_Rare().__getitem__, map(_RARE, batch)),
        map(times.__getitem__, [t.news_at_ms for t in batch]),
    )
    return list(map(b"".join, zip(*columns, strict=True)))


def _moved(
    batch: Sequence[TransferPosted], debits: Sequence[int], credits: Sequence[int]
) -> list[tuple[int, str, int]]:
    """Account, unit, and what the balance moves by."""
    by_unit: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for t, debit, credit in zip(batch, debits, credits, strict=True):
        minors, amount_minor = by_unit[t.unit], t.amount_minor
        minors[debit] -= amount_minor
        minors[credit] += amount_minor
    return [(account, unit, minor) for unit, minors in by_unit.items() for account, minor in minors.items()]


def _text(text: str | None) -> bytes:
    if text is None:
        return NULL
    encoded = text.encode()
    length = len(encoded)
    return (_LENGTHS[length] if length < 256 else struct.pack(">i", length)) + encoded


def _time(time_ms: int | None) -> bytes:
    return NULL if time_ms is None else _TIME.pack(8, (time_ms - POSTGRES_EPOCH_MS) * 1_000)
