"""Both sides of a back-test, added up; what a checkpoint keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from contracts.decisions import Decision
from services.rules.backtest.sums import Sums
from services.rules.backtest.window import Window

FORMAT: Final = 1
"""Of stored sums; another one is not read."""


class _Stored(msgspec.Struct, array_like=True):
    format: int
    before: Sums
    after: Sums


class Comparison:
    """The sums of both sides; a `replay.Taker`."""

    def __init__(self, window: Window, before: Sums | None = None, after: Sums | None = None) -> None:
        self._window = window
        self.before = before or Sums()
        self.after = after or Sums()

    def take(self, before: Sequence[Decision], after: Sequence[Decision]) -> None:
        self.before.take(before, self._window)
        self.after.take(after, self._window)

    def reject(self, before: int, after: int) -> None:
        self.before.rejected += before
        self.after.rejected += after

    def add(self, other: Self) -> None:
        self.before.add(other.before)
        self.after.add(other.after)

    def encode(self) -> bytes:
        return _encode(_Stored(FORMAT, self.before, self.after))

    @classmethod
    def decode(cls, value: bytes, window: Window) -> Self:
        """Raises ValueError for another format."""
        stored = _decode(value)
        if stored.format != FORMAT:
            raise ValueError(f"sums of format {stored.format}; this program knows {FORMAT}")
        return cls(window, stored.before, stored.after)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode
