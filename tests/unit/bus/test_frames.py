from __future__ import annotations

import pytest

from runtime.bus.port import Received, Record
from runtime.bus.postgres import frames


@pytest.mark.parametrize("count", [0, 1, 300])
def test_blobs_join_by_joining_bytes(count: int) -> None:
    records = [Record(b"k%d" % n, b"v", (("n", b"%d" % n),)) for n in range(count)]
    body = frames.encode(records) + frames.encode([Record(b"last", b"")])
    found = frames.decode(body, count=count + 1, first_offset=100, offsets=None, recorded_at_ms=7)
    assert found == [
        *(Received(100 + n, b"k%d" % n, b"v", (("n", b"%d" % n),), 7) for n in range(count)),
        Received(100 + count, b"last", b"", (), 7),
    ]


def test_headers_stay_in_order_and_repeated() -> None:
    """Names may repeat, and the same value under another name is another header."""
    headers = ((("a", b"1"), ("b", b"1"), ("a", b"1")), (), (("b", b"1"), ("a", b"2")))
    body = frames.encode([Record(b"k", b"v", one) for one in headers])
    found = frames.decode(body, count=3, first_offset=0, offsets=None, recorded_at_ms=0)
    assert tuple(one.headers for one in found) == headers


@pytest.mark.parametrize("count", [1, 3])
def test_a_blob_with_another_count_than_its_row_is_refused(count: int) -> None:
    body = frames.encode([Record(b"k", b"v"), Record(b"k", b"v")])
    with pytest.raises(ValueError, match=r"records|argument"):
        frames.decode(body, count=count, first_offset=0, offsets=None, recorded_at_ms=0)


def test_the_encoding_is_frozen() -> None:
    """Blobs outlive the code that wrote them."""
    record = Record(b"partner", b'{"a":1}', (("ce_id", b"x"), ("ce_type", "ż".encode())))
    assert frames.encode([record]).hex() == (
        "00000030929193c407706172746e6572c4077b2261223a317d9200019292a563655f6964c4017892a763655f74797065c402c5bc"
    )


def test_compaction_keeps_offsets_with_gaps() -> None:
    body = frames.encode([Record(b"a", b"1"), Record(b"b", b"2")])
    found = frames.decode(body, count=2, first_offset=0, offsets=[3, 9], recorded_at_ms=0)
    assert [one.offset for one in found] == [3, 9]
