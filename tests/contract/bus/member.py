"""A member of a group as a process of its own: prints what it is told, one JSON line each, until killed.

Usage: python -m tests.contract.bus.member NAME URL TOPIC GROUP
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from runtime.bus.open import open_bus
from runtime.bus.port import Batch


class _Printer:
    async def assigned(self, topic: str, partition: int) -> int | None:
        _print(assigned=partition)
        return None

    async def handle(self, batch: Batch) -> None:
        await batch.commit()
        _print(partition=batch.partition, values=[one.value.decode() for one in batch.records])

    async def revoked(self, topic: str, partition: int) -> None:
        _print(revoked=partition)


def _print(**line: Any) -> None:
    print(json.dumps(line), flush=True)


async def _run(name: str, url: str, topic: str, group: str) -> None:
    bus = open_bus(kafka=url if name == "kafka" else None, postgres=url, client="member")
    await bus.start()
    subscription = await bus.subscribe(topic, group, _Printer(), batch_records_max=10, batch_bytes_max=1_000_000)
    await subscription.wait()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
