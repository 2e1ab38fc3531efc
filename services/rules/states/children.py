"""What a partner's state keeps apart: each deal, lead, customer and day of seen events under a key of its own.

So a batch reads and writes only what it touches. The encodings are frozen, see `services.rules.states.state`. In memory
a child knows its key, and whether it stands in its partner's list of changes already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.rules.bounds.counters import Counters, decode_counters, encode_counters
from services.rules.states.series import Series, decode_series

STATE_VERSION: Final = 2
"""First element of every encoded state. Another number is refused, never guessed at."""

EVENT_HASH_BYTES: Final = 8
"""Of the SHA-256 of programme, source and id: enough that no two events of one partner and day are mixed up."""

LEAD_REGISTERED: Final = 1
LEAD_QUALIFIED: Final = 2
LEAD_DISQUALIFIED: Final = 4

DEAL_OPENED: Final = 1
DEAL_WON: Final = 2
DEAL_LOST: Final = 4


class StateUnreadable(ValueError):
    """Stored bytes that this version does not know: rebuild from the log (`goodword rebuild rules`)."""


class Sale(msgspec.Struct, gc=False, array_like=True):
    """A deal as it was won, or renewed for one period.

    Attributes:
        period: Of a renewal; empty else.
        minor, currency: The amount of the whole deal, whatever the partner's share.
        refunded_minor: What refunds took off it so far.
    """

    period: str
    minor: int
    currency: str
    refunded_minor: int = 0

    @property
    def left_minor(self) -> int:
        return max(self.minor - self.refunded_minor, 0)


class Grant(msgspec.Struct, gc=False, array_like=True):
    """What was granted at a sale and can be taken back.

    Attributes:
        id: The decision's, as 16 bytes.
        decimals: Of the unit, where the decision told them.
        minor: What was granted.
        sale: Its place among the deal's sales.
        until_day: The last local day on which a refund takes back.
        refunded_minor: Of the sale, by refunds within the window.
        taken_minor: What was taken back so far.
    """

    id: bytes
    rule: str
    beneficiary: str
    unit: str
    decimals: int | None
    minor: int
    sale: int
    until_day: int
    refunded_minor: int = 0
    taken_minor: int = 0


class DealState(msgspec.Struct, gc=False):
    """What happened to one deal of one partner; every one of these happens once. None stands for an empty list.

    Attributes:
        flags: The sum of the `DEAL_` flags.
        periods: Renewals, by period.
        refunds: Refund ids.
        ids: Hashes of all events of this deal, EVENT_HASH_BYTES each: a repeat is known however late it comes.
        locked_by: The revision that the deal's referral is pinned to; None when it is not.
        sales, grants: What refunds are shares of, and take back; stored only where a programme claws back.
    """

    key: bytes = b""
    flags: int = 0
    periods: list[str] | None = None
    refunds: list[str] | None = None
    ids: bytes = b""
    is_changed: bool = False
    locked_by: int | None = None
    sales: list[Sale] | None = None
    grants: list[Grant] | None = None

    def encode(self) -> bytes:
        stored: list[Any] = [STATE_VERSION, self.flags, self.periods, self.refunds, self.ids]
        if self.locked_by is not None or self.sales is not None:
            stored.append(self.locked_by)
        if self.sales is not None:
            stored += [self.sales, self.grants]
        return _encode(stored)


class LeadState(msgspec.Struct, gc=False):
    """What happened to one lead: the sum of the `LEAD_` flags, and the hashes of all its events.

    Attributes:
        locked_by: The revision that the referral is pinned to; None when it is not.
    """

    key: bytes = b""
    flags: int = 0
    ids: bytes = b""
    is_changed: bool = False
    locked_by: int | None = None

    def encode(self) -> bytes:
        stored = [STATE_VERSION, self.flags, self.ids]
        return _encode(stored if self.locked_by is None else [*stored, self.locked_by])


class CustomerState(msgspec.Struct, gc=False):
    """What is remembered of one customer of one partner.

    Attributes:
        series: The metrics `per: customer`.
        first_won_day: Local day of the first deal that was won and counted, by arrival, where a reward says `for`.
        counters: What limits `per customer` have let through.
    """

    key: bytes = b""
    series: dict[int, Series] = {}
    first_won_day: int | None = None
    counters: Counters = {}
    is_changed: bool = False

    def encode(self) -> bytes:
        counters = encode_counters(self.counters)
        return _encode([STATE_VERSION, encode_series(self.series), self.first_won_day, counters])


class SeenDay(msgspec.Struct, gc=False):
    """The events of one UTC day.

    Attributes:
        hashes: EVENT_HASH_BYTES of the hash of each, in order of arrival.
        is_forgotten: The memory has left the day; nothing is stored of it any more.
    """

    key: bytes = b""
    day: int = 0
    hashes: dict[bytes, None] = {}
    is_changed: bool = False
    is_forgotten: bool = False

    def encode(self) -> bytes | None:
        return None if self.is_forgotten else _encode([STATE_VERSION, b"".join(self.hashes)])


Child = DealState | LeadState | CustomerState | SeenDay


def holds(known: bytes, hashed: bytes) -> bool:
    """Whether the hash is one of those that stand here one after the other."""
    return hashed in _hashes_in(known)


def _hashes_in(known: bytes) -> list[bytes]:
    return [known[start : start + EVENT_HASH_BYTES] for start in range(0, len(known), EVENT_HASH_BYTES)]


def owner_of(programme: str, partner: str) -> bytes:
    """What stands in every key of the partner's children."""
    return f":{programme}:{partner}:".encode()


def deal_key(owner: bytes, deal: str) -> bytes:
    return b"d" + owner + deal.encode()


def lead_key(owner: bytes, lead: str) -> bytes:
    return b"l" + owner + lead.encode()


def customer_key(owner: bytes, customer: str) -> bytes:
    return b"c" + owner + customer.encode()


def seen_key(owner: bytes, utc_day: int) -> bytes:
    return b"e%b%d" % (owner, utc_day)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


def decode_child(key: bytes, value: bytes) -> Child:
    """The child under that key. Raises StateUnreadable."""
    stored = checked(_decode(value))
    match key[:2]:
        case b"d:":
            deal = DealState(key, *stored[1:5])
            deal.locked_by = stored[5] if len(stored) > 5 else None
            if len(stored) > 6:
                deal.sales = msgspec.convert(stored[6], list[Sale])
                deal.grants = msgspec.convert(stored[7], list[Grant] | None)
            return deal
        case b"e:":
            return SeenDay(key, int(key[key.rindex(b":") + 1 :]), dict.fromkeys(_hashes_in(stored[1])))
        case b"l:":
            lead = LeadState(key, *stored[1:3])
            lead.locked_by = stored[3] if len(stored) > 3 else None
            return lead
        case _:
            return CustomerState(key, decode_all_series(stored[1]), stored[2], decode_counters(stored[3]))


def encode_series(series: Mapping[int, Series]) -> list[Any]:
    # In order of first use, which the log determines; a dict keeps it through a round trip.
    return [[series_id, each.encode()] for series_id, each in series.items()]


def decode_all_series(stored: list[Any]) -> dict[int, Series]:
    return {series_id: decode_series(encoded) for series_id, encoded in stored}


def checked(stored: Any) -> Any:
    """The decoded list, if it is of this version. Raises StateUnreadable."""
    if stored[0] != STATE_VERSION:
        raise StateUnreadable(f"a state of version {stored[0]}; this program knows version {STATE_VERSION}")
    return stored
