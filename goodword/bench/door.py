"""Requests to the front door, written as they are over a few connections: a client that costs as little as it can.

The server under test shares its cores with us, and a full HTTP client takes more of them than the door itself.
"""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


def request_of(url: str, key: str, body: bytes) -> bytes:
    """A whole HTTP request with a batch of CloudEvents."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/cloudevents-batch+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Connection:
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def ask(self, request: bytes) -> dict[str, Any]:
        """Send a request of `request_of`. Raises RuntimeError unless it is answered 202."""
        self._writer.write(request)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        answer: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        if b" 202 " not in head[:16]:
            raise RuntimeError(f"the door answered {head[:40]!r}: {answer}")
        return answer

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class Door:
    """Several connections; a post takes the one that is free."""

    def __init__(self, url: str, key: str, *, connections: int) -> None:
        self._url = url
        self._key = key
        self._count = connections
        self._free: asyncio.Queue[Connection] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for _ in range(self._count):
            self._free.put_nowait(await Connection.open(self._url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            await self._free.get_nowait().close()

    async def post(self, body: bytes) -> None:
        """Raises RuntimeError unless it is answered 202."""
        connection = await self._free.get()
        try:
            await connection.ask(request_of(self._url, self._key, body))
        finally:
            self._free.put_nowait(connection)
