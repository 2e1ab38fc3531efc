"""Exchange rates as `goodword.rates` tells them: one record per programme, day and pair, the newest of each kept.

The same rates enter the log of every partition as `rates.published`, for the rules; this topic is for whoever converts
money that is earned already.
"""

from __future__ import annotations

from typing import Final

import msgspec

RATE_PUBLISHED: Final = "rate.published"


class RatePublished(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What one unit of a pair's base is in its quote, from a day on.

    Attributes:
        programme: Whose rate it is.
        day: The first day it is for, as 2026-03-01.
        pair: `EUR/USD`: one EUR is `rate` USD.
        rate: An exact decimal as text: `1.0842`.
        source: Who published it.
    """

    programme: str
    day: str
    pair: str
    rate: str
    source: str

    @property
    def key(self) -> str:
        """Of its record: what a newer one of the same replaces."""
        return f"{self.programme}:{self.day}:{self.pair}"


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(RatePublished)


def encode_rate(rate: RatePublished) -> bytes:
    return _encoder.encode(rate)


def decode_rate(value: bytes) -> RatePublished:
    return _decoder.decode(value)
