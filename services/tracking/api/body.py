"""Reading request bodies in bounded memory: one body has a limit, and all bodies in hand together have one."""

from __future__ import annotations

import asyncio

from prometheus_client import Gauge
from starlette.requests import Request

from contracts.errors import Problem
from services.tracking.settings import TrackingSettings


class BodyRefused(Exception):
    """The body will not be taken; what is left of it is read by the server and thrown away."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(str(problem))
        self.status = status
        self.problem = problem


class Bodies:
    """The bodies of all requests in hand."""

    def __init__(self, settings: TrackingSettings, gauge: Gauge) -> None:
        self._bytes_max = settings.tracking_body_bytes_max
        self._inflight_bytes_max = settings.tracking_inflight_bytes_max
        self._seconds_max = settings.tracking_body_seconds_max
        self._gauge = gauge
        self._inflight_bytes = 0

    async def read(self, request: Request) -> bytes:
        """The whole body. Its bytes count as in hand until `release`.

        Raises:
            BodyRefused: 413 over the limit (by its declared length before the first byte is read, else at the byte
                that is too many), 503 when too many bodies are in hand, 408 when it takes too long.
            ClientDisconnect: The sender is gone.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._bytes_max:
            raise self._too_large()
        chunks: list[bytes] = []
        taken = 0
        try:
            async with asyncio.timeout(self._seconds_max):
                async for chunk in request.stream():
                    taken += len(chunk)
                    self._add(len(chunk))
                    if taken > self._bytes_max:
                        raise self._too_large()
                    if self._inflight_bytes > self._inflight_bytes_max:
                        raise BodyRefused(
                            503,
                            Problem(
                                code="too-busy",
                                message="too many requests are in hand",
                                help="wait, and send it again",
                            ),
                        )
                    chunks.append(chunk)
        except TimeoutError as error:
            self._add(-taken)
            problem = Problem(code="body-too-slow", message=f"the body took longer than {self._seconds_max:g} seconds")
            raise BodyRefused(408, problem) from error
        except BaseException:
            self._add(-taken)
            raise
        return b"".join(chunks)

    def release(self, body: bytes) -> None:
        """The request of this body is answered."""
        self._add(-len(body))

    def _add(self, bytes_count: int) -> None:
        self._inflight_bytes += bytes_count
        self._gauge.set(self._inflight_bytes)

    def _too_large(self) -> BodyRefused:
        message = f"a request body has at most {self._bytes_max:,} bytes"
        return BodyRefused(413, Problem(code="body-too-large", message=message, help="send several smaller requests"))
