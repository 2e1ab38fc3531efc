"""The sender of the tracking measurement, in a process of its own: ready-made requests over a few connections.

`python -m goodword.bench.door_load URL KEY EVENTS BATCH CONNECTIONS SALT` sends and prints one JSON line:
`{"seconds", "accepted", "latencies_ms"}`. Requests are built before the clock starts and written as they are, so that
the sender costs as little as it can: the server under test shares the two cores with it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import islice
from time import perf_counter

from goodword.bench import crm_like
from goodword.bench.door import Connection, request_of


def requests_of(url: str, key: str, *, events: int, batch: int, salt: str) -> list[bytes]:
    """Whole HTTP requests, `batch` events each; `salt` makes their ids other ones than before."""
    lines = crm_like.lines(events)
    made = []
    while chunk := list(islice(lines, batch)):
        body = b"[" + b",".join(line.strip().replace(b'"id":"', b'"id":"' + salt.encode(), 1) for line in chunk) + b"]"
        made.append(request_of(url, key, body))
    return made


async def send(url: str, requests: Sequence[bytes], *, connections: int) -> tuple[float, int, list[float]]:
    """Seconds, events accepted, and milliseconds of each request; the requests are shared out in order."""
    waiting = iter(requests)
    accepted = 0
    latencies_ms: list[float] = []

    async def sender() -> None:
        nonlocal accepted
        connection = await Connection.open(url)
        for request in waiting:
            began = perf_counter()
            answer = await connection.ask(request)
            latencies_ms.append((perf_counter() - began) * 1000)
            accepted += answer["accepted"]
        await connection.close()

    began = perf_counter()
    await asyncio.gather(*(sender() for _ in range(connections)))
    return perf_counter() - began, accepted, latencies_ms


def main() -> None:
    url, key, events, batch, connections, salt = sys.argv[1:]
    requests = requests_of(url, key, events=int(events), batch=int(batch), salt=salt)
    seconds, accepted, latencies_ms = asyncio.run(send(url, requests, connections=int(connections)))
    print(json.dumps({"seconds": seconds, "accepted": accepted, "latencies_ms": latencies_ms}))


if __name__ == "__main__":
    main()
