"""What is sent in one request: lines of NDJSON, passed through as they are, with the place each came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

EVENTS_MAX: Final = 2_000
BYTES_MAX: Final = 4 * 1024 * 1024
"""The door takes 5,000 events and 5 MiB."""

Place = tuple[str, int]
"""File and line."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines in order. `places[i]` is where `lines[i]` came from."""

    lines: list[bytes]
    places: list[Place]

    @property
    def body(self) -> bytes:
        return b"\n".join(self.lines) + b"\n"

    def halves(self) -> tuple[Batch, Batch]:
        middle = len(self.lines) // 2
        return Batch(self.lines[:middle], self.places[:middle]), Batch(self.lines[middle:], self.places[middle:])


def batches(
    lines: Iterable[tuple[Place, bytes]], *, events_max: int = EVENTS_MAX, bytes_max: int = BYTES_MAX
) -> Iterator[Batch]:
    """Cut the stream into batches; a line larger than a batch gets one of its own."""
    held: list[bytes] = []
    places: list[Place] = []
    size = 0
    for place, line in lines:
        if held and (len(held) >= events_max or size + len(line) >= bytes_max):
            yield Batch(held, places)
            held, places, size = [], [], 0
        held.append(line)
        places.append(place)
        size += len(line) + 1
    if held:
        yield Batch(held, places)
