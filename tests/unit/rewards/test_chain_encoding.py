"""What is hashed, is hashed for ever: golden vectors, and the fast encoder gives what the readable one gives."""

from __future__ import annotations

import hashlib
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.facts import TransferPosted
from services.rewards.bulk.rows import bulk_of
from services.rewards.chain.encoding import NO_HASH, ROW_FIELDS, Block, block_hash, encode_row, fields_of, row_hash
from services.rewards.columns import post_columns
from tests.support.transfers import any_transfer, plain

FULL: Final = plain(
    2,
    stage="clawed_back",
    amount_minor=2**63 - 1,
    unit="PTS",
    revision=2**31 - 1,
    event_source="crm/ácmé",
    event_id="opp 2 ✓",
    customer="cancity",
    deal="d-1",
    lead="",
    available_at_ms=0,
    expires_at_ms=253_402_300_799_999,
    takes_back="01940000-0000-8000-8000-000000000001",
    reason="typo\nin the \\file",
    booked_by="ann",
    news_at_ms=946_684_800_000,
)
GOLDEN: Final = [
    (plain(), "182bf2ffa130245629182f43b828be2c5adead30123564d9e2762ebc5a22c068"),
    (FULL, "029258b37f090d9d967e613a5843cce11298449a481cebc54f9fe09812831392"),
]
GOLDEN_BLOCKS: Final = [
    (
        Block(number=1, previous=NO_HASH, count=0, sealed_at_us=0, row_hashes=b""),
        "c7020344536c797a4377b7453df79b9f74edfc060dedd9b5feb4433308a494c5",
    ),
    (
        Block(number=2**63 - 1, previous=bytes(range(32)), count=2, sealed_at_us=-1, row_hashes=b"\xab" * 64),
        "78a92414c8d7884fc24298dafe96c06f1434e69333cd888bd713c996668aa0e9",
    ),
]


def test_rows_hash_as_they_always_did() -> None:
    assert [(t, row_hash(t).hex()) for t, _ in GOLDEN] == GOLDEN


def test_blocks_hash_as_they_always_did() -> None:
    assert [(b, block_hash(b).hex()) for b, _ in GOLDEN_BLOCKS] == GOLDEN_BLOCKS


def test_a_row_is_its_fields_each_with_its_length() -> None:
    encoded = encode_row(plain())
    assert encoded.startswith(bytes.fromhex("00000010") + bytes.fromhex(plain().id.replace("-", "")))
    assert encoded.endswith(b"\0\0\0\x18programme:crm-sales:cost\0\0\0\x15partner:ann:available")
    assert fields_of(plain())["amount_minor"] == bytes.fromhex("00000008" + "0000000000002710")
    assert fields_of(plain())["lead"] == b"\xff\xff\xff\xff"
    assert fields_of(FULL)["lead"] == b"\0\0\0\0"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_transfer, max_size=5))
def test_the_columns_hash_as_the_rows_do(batch: list[TransferPosted]) -> None:
    addresses = [address for t in batch for address in (t.debit, t.credit)]
    accounts = {address: number for number, address in enumerate(addresses)}
    *_, hashes = post_columns(batch, accounts)
    assert hashes == b"".join(map(row_hash, batch))
    assert bulk_of(batch, accounts).hashes == hashes


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_transfer, any_transfer)
def test_no_two_rows_encode_alike(one: TransferPosted, other: TransferPosted) -> None:
    assert (encode_row(one) == encode_row(other)) == (fields_of(one) == fields_of(other))
    assert len(fields_of(one)) == len(ROW_FIELDS)


def test_every_part_of_a_block_is_in_its_hash() -> None:
    known = {"number": 2, "previous": NO_HASH, "count": 1, "sealed_at_us": 3, "row_hashes": b"\1" * 32}
    others = {"number": 3, "previous": b"\1" * 32, "count": 2, "sealed_at_us": 4, "row_hashes": b"\2" * 32}
    hashes = [block_hash(Block(**(known | {name: other}))) for name, other in [("number", 2), *others.items()]]  # type: ignore[arg-type]  # by name
    assert len(set(hashes)) == 6
    assert all(len(one) == hashlib.sha256().digest_size for one in hashes)
