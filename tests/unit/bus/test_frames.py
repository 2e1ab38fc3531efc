from __future__ import annotations

import pytest

from runtime.bus.port import Received, Record
from runtime.bus.postgres import frames


@pytest.mark.parametrize("count", [1, 15, 16, 17, 65_535, 65_536])
def test_blobs_join_by_joining_bytes(count: int) -> None:
    """15 and 65,535 are the last lengths that MessagePack writes in its shorter headers."""
    records = [Record(b"k%d" % n, b"v", (("n", b"%d" % n),)) for n in range(count)]
    body = frames.encode(records) + frames.encode([Record(b"last", b"")])
    found = frames.decode(body, count=count + 1, first_offset=100, offsets=None, recorded_at_ms=7)
    assert found[0] == Received(100, b"k0", b"v", (("n", b"0"),), 7)
    assert found[-1] == Received(100 + count, b"last", b"", (), 7)
    assert [one.offset for one in found] == list(range(100, 101 + count))


def test_the_encoding_is_frozen() -> None:
    """Blobs outlive the code that wrote them."""
    record = Record(b"partner", b'{"a":1}', (("ce_id", b"x"), ("ce_type", "ż".encode())))
    assert frames.encode([record]).hex() == (
        "93c407706172746e6572c4077b2261223a317d9292a563655f6964c4017892a763655f74797065c402c5bc"
    )


def test_compaction_keeps_offsets_with_gaps() -> None:
    body = frames.encode([Record(b"a", b"1"), Record(b"b", b"2")])
    found = frames.decode(body, count=2, first_offset=0, offsets=[3, 9], recorded_at_ms=0)
    assert [one.offset for one in found] == [3, 9]
