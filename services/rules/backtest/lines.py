"""Decision by decision, where the two sides granted different amounts: what a restatement is made of.

Both sides decide the same events in the same chunk, so only what differs is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self

import msgspec

from contracts.decisions import Decision
from services.rules.backtest.window import Window

FORMAT: Final = 1


class LineKey(NamedTuple):
    """What was granted for: the same on both sides, whatever the amount."""

    event_source: str
    event_id: str
    rule: str
    beneficiary: str
    occasion: str
    unit: str


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One grant that differs.

    Attributes:
        before_minor, after_minor: What each side granted; 0 where it granted nothing.
        decision: Of the side after, else of the one before; without its trace.
    """

    before_minor: int
    after_minor: int
    decision: Decision

    @property
    def key(self) -> LineKey:
        return key_of(self.decision)


class Lines:
    """The grants that differ; a `replay.Taker`."""

    def __init__(self, window: Window, found: Iterable[Line] = ()) -> None:
        self._window = window
        self.found = list(found)

    def take(self, before: Sequence[Decision], after: Sequence[Decision]) -> None:
        old, new = self._granted(before), self._granted(after)
        for key in (*old, *(key for key in new if key not in old)):
            before_minor = old[key].amount_minor or 0 if key in old else 0
            after_minor = new[key].amount_minor or 0 if key in new else 0
            if before_minor != after_minor:
                decision = msgspec.structs.replace(new.get(key) or old[key], trace=(), budgets=())
                self.found.append(Line(before_minor, after_minor, decision))

    def reject(self, before: int, after: int) -> None:
        """What cannot be judged was not paid, and differs where the other side paid."""

    def add(self, other: Self) -> None:
        self.found += other.found

    def encode(self) -> bytes:
        return _encode((FORMAT, self.found))

    @classmethod
    def decode(cls, value: bytes, window: Window) -> Self:
        """Raises ValueError for another format."""
        format, found = _decode(value)
        if format != FORMAT:
            raise ValueError(f"lines of format {format}; this program knows {FORMAT}")
        return cls(window, found)

    def _granted(self, decisions: Sequence[Decision]) -> dict[LineKey, Decision]:
        month_of = self._window.month_of
        return {
            key_of(decision): decision
            for decision in decisions
            if decision.granted and decision.amount_minor is not None and month_of(decision.time_ms) is not None
        }


def key_of(decision: Decision) -> LineKey:
    """Of a decision with an amount."""
    return LineKey(
        decision.event_source,
        decision.event_id,
        decision.rule,
        decision.beneficiary,
        decision.occasion,
        decision.unit or "",
    )


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, list[Line]]).decode
