"""How a transfer and a block become bytes, and those a hash: version 1. Pure, and FROZEN.

Hashes of this version are in ledgers, on the bus and in auditors' hands. Nothing here may change what it gives: a new
column, or another order, is a version of its own beside this one. docs/adr/0013-hash-chain.md has it in words.

A row is the SHA-256 of its fields in the order of ROW_FIELDS, each as PostgreSQL's binary protocol sends it: a
big-endian int32 length, then the bytes; NULL is the length -1 and no bytes. Lengths make it unambiguous: no two rows
encode alike. Accounts are their addresses, not their numbers, so that nobody can rename an account unseen.

There are three encoders, which tests hold together: `encode_row`, to be read; the columns that
`services/rewards/columns.py` packs for posting, for speed; and `rewards.row_bytes_1` in SQL.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.facts import TransferPosted
from contracts.ids import event_hash
from services.rewards.elements import NULL, POSTGRES_EPOCH_MS

HASH_VERSION: Final = 1
HASH_BYTES: Final = 32
NO_HASH: Final = bytes(HASH_BYTES)
"""What the first block has instead of a previous hash."""
ROW_FIELDS: Final = (
    "id",
    "group_id",
    "decision_id",
    "amount_minor",
    "event_hash",
    "event_at",
    "posted_at",
    "revision",
    "stage",
    "unit",
    "programme",
    "rule",
    "partner",
    "event_source",
    "event_id",
    "customer",
    "deal",
    "lead",
    "available_at",
    "expires_at",
    "takes_back",
    "reason",
    "booked_by",
    "news_at",
    "debit",
    "credit",
)
"""The columns of rewards.transfers, with the addresses of its accounts for their numbers."""

_BLOCK_DOMAIN: Final = b"goodword/ledger/block/1"
_BLOCK: Final = struct.Struct(">q32siq32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block as it is hashed.

    Attributes:
        number: Without gaps. From 1; of a ledger older than its chain, from the number its first sealed block got.
        previous: The hash of the block before it; NO_HASH for the first.
        count: Its transfers; 0 for one that tells notices only.
        sealed_at_us: Microseconds since 2000-01-01 UTC, as PostgreSQL counts them.
        row_hashes: The hashes of its transfers, in the order of their ids, one after the other.
    """

    number: int
    previous: bytes
    count: int
    sealed_at_us: int
    row_hashes: bytes


def block_hash(block: Block) -> bytes:
    """SHA-256 of the domain, number, previous hash, count, time, and the SHA-256 of the row hashes."""
    rows = hashlib.sha256(block.row_hashes).digest()
    return hashlib.sha256(
        _BLOCK_DOMAIN + _BLOCK.pack(block.number, block.previous, block.count, block.sealed_at_us, rows)
    ).digest()


def row_hashes(columns: Sequence[Iterable[bytes]]) -> bytes:
    """The hashes of rows whose fields are encoded already, column by column in the order of ROW_FIELDS."""
    sha256 = hashlib.sha256
    return b"".join([sha256(row).digest() for row in map(b"".join, zip(*columns, strict=False))])


def row_hash(transfer: TransferPosted) -> bytes:
    return hashlib.sha256(encode_row(transfer)).digest()


def encode_row(transfer: TransferPosted) -> bytes:
    """One transfer, field by field."""
    return b"".join(fields_of(transfer).values())


def fields_of(transfer: TransferPosted) -> dict[str, bytes]:
    """The encoded fields, by their names and in their order."""
    fields = {
        "id": _uuid(transfer.id),
        "group_id": _uuid(transfer.group),
        "decision_id": _uuid(transfer.decision),
        "amount_minor": _bigint(transfer.amount_minor),
        "event_hash": _bigint(event_hash(transfer.event_source, transfer.event_id)),
        "event_at": _time(transfer.time_ms),
        "posted_at": _time(transfer.posted_at_ms),
        "revision": _sized(struct.pack(">i", transfer.revision)),
        "stage": _text(transfer.stage),
        "unit": _text(transfer.unit),
        "programme": _text(transfer.programme),
        "rule": _text(transfer.rule),
        "partner": _text(transfer.partner),
        "event_source": _text(transfer.event_source),
        "event_id": _text(transfer.event_id),
        "customer": _text(transfer.customer),
        "deal": _text(transfer.deal),
        "lead": _text(transfer.lead),
        "available_at": _time(transfer.available_at_ms),
        "expires_at": _time(transfer.expires_at_ms),
        "takes_back": NULL if transfer.takes_back is None else _uuid(transfer.takes_back),
        "reason": _text(transfer.reason),
        "booked_by": _text(transfer.booked_by),
        "news_at": _time(transfer.news_at_ms),
        "debit": _text(transfer.debit),
        "credit": _text(transfer.credit),
    }
    assert tuple(fields) == ROW_FIELDS
    return fields


def split_row(encoded: bytes) -> dict[str, bytes]:
    """The fields of a row that `encode_row` or PostgreSQL encoded, each with its length."""
    fields, start = {}, 0
    for name in ROW_FIELDS:
        (length,) = struct.unpack_from(">i", encoded, start)
        end = start + 4 + max(length, 0)
        fields[name] = encoded[start:end]
        start = end
    return fields


def _uuid(text: str) -> bytes:
    return _sized(bytes.fromhex(text.replace("-", "")))


def _bigint(value: int) -> bytes:
    return _sized(struct.pack(">q", value))


def _time(time_ms: int | None) -> bytes:
    return NULL if time_ms is None else _bigint((time_ms - POSTGRES_EPOCH_MS) * 1_000)


def _text(text: str | None) -> bytes:
    return NULL if text is None else _sized(text.encode())


def _sized(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value
