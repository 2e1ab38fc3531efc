from __future__ import annotations

import random

import pytest
from aiokafka.partitioner import DefaultPartitioner

from runtime.bus.partitioner import partition_of

SEED = 20261122


@pytest.mark.parametrize("count", [1, 4, 8, 12, 1000])
def test_keys_go_where_kafka_s_default_partitioner_sends_them(count: int) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    theirs = DefaultPartitioner()
    partitions = list(range(count))
    keys = [b"", b"a", b"ab", b"abc", b"abcd", b"moses-frase", b"\xff" * 9, "żółw".encode()]
    keys += [dice.randbytes(dice.randint(0, 40)) for _ in range(300)]
    assert [partition_of(key, count) for key in keys] == [theirs(key, partitions, partitions) for key in keys]


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_choice_is_frozen(key: bytes, murmur2: int) -> None:
    """The values of Apache Kafka's own UtilsTest.testMurmur2, so that no upgrade of aiokafka can move both."""
    assert partition_of(key, 2**31) == murmur2 & 0x7FFFFFFF
