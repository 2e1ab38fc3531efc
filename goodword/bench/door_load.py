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
from urllib.parse import urlsplit

from goodword.bench import crm_like


def requests_of(url: str, key: str, *, events: int, batch: int, salt: str) -> list[bytes]:
    """Whole HTTP requests, `batch` events each; `salt` makes their ids other ones than before."""
    parts = urlsplit(url)
    lines = crm_like.lines(events)
    made = []
    while chunk := list(islice(lines, batch)):
        body = b"[" + b",".join(line.strip().replace(b'"id":"', b'"id":"' + salt.encode(), 1) for line in chunk) + b"]"
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/cloudevents-batch+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def send(url: str, requests: Sequence[bytes], *, connections: int) -> tuple[float, int, list[float]]:
    """Seconds, events accepted, and milliseconds of each request; the requests are shared out in order."""
    parts = urlsplit(url)
    waiting = iter(requests)
    accepted = 0
    latencies_ms: list[float] = []

    async def sender() -> None:
        nonlocal accepted
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request in waiting:
            began = perf_counter()
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
            latencies_ms.append((perf_counter() - began) * 1000)
            if b" 202 " not in head[:16]:
                raise RuntimeError(f"the door answered {head[:40]!r}: {answer}")
            accepted += answer["accepted"]
        writer.close()
        await writer.wait_closed()

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
