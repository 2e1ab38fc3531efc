"""Ids: what senders may call things, and the ids we derive.

Derived ids are UUIDv8 (RFC 9562, section 5.8): 48 bits of the event's time in milliseconds, so that they
sort by time and index well, then bits of SHA-256 over a JSON array. A JSON array and not a joined string,
so that no two different inputs can encode alike. The encodings here are frozen: changing one changes which
deliveries are the same, and so what is paid (docs/adr/0005-ledger-ids.md).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

ID_LENGTH_MAX: Final = 128
# `(?!\n)`: in Python `$` alone would also match before a closing line feed, and let "acme\n" in.
ID_PATTERN: Final = r"^[A-Za-z0-9._~/@+\-]{1,128}$(?!\n)"
_ID: Final = re.compile(r"[A-Za-z0-9._~/@+\-]{1,128}", re.ASCII)
_ID_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/@+-"
_DELETE_ID_CHARACTERS: Final = str.maketrans("", "", _ID_CHARACTERS)
_TIME_MS_MAX: Final = 2**48 - 1
_encode = msgspec.json.encode


def is_id(text: str) -> bool:
    """Whether the text may be an id of a partner, customer, lead, deal, source or programme.

    A colon above all is refused: it separates the segments of account addresses.
    """
    return _ID.fullmatch(text) is not None


def are_ids(texts: Sequence[str]) -> bool:
    """Whether `is_id` holds for each of the texts; for many a fraction of the time."""
    if not texts:
        return True
    joined = "".join(texts)
    # isascii first: translate is fast for ASCII only.
    if not joined.isascii() or joined.translate(_DELETE_ID_CHARACTERS):
        return False
    return all(texts) and max(map(len, texts)) <= ID_LENGTH_MAX


def derived_uuid(time_ms: int, parts: bytes) -> str:
    """A UUIDv8 of the time and of SHA-256 over `parts`, as text.

    Args:
        time_ms: Milliseconds since 1970 in UTC; before 1970 counts as 0.
        parts: The JSON array that tells this id from every other one.
    """
    return uuid_text(time_ms, hashlib.sha256(parts).hexdigest())


def uuid_text(time_ms: int, digest_hex: str) -> str:
    """Lay out time and digest as UUIDv8 text; split off for the fold, which feeds the hash in parts."""
    stamp = f"{min(max(time_ms, 0), _TIME_MS_MAX):012x}"
    variant = "89ab"[int(digest_hex[3], 16) & 3]
    return f"{stamp[:8]}-{stamp[8:]}-8{digest_hex[:3]}-{variant}{digest_hex[4:7]}-{digest_hex[7:19]}"


def decision_id(
    *, time_ms: int, programme: str, source: str, event_id: str, rule: str, beneficiary: str, occasion: str = ""
) -> str:
    """The id of what one rule decides for one beneficiary at one event (docs/rules.md#decisions).

    `occasion` tells apart several decisions of one rule at one event (the multiple a repeating milestone
    reached, the decision a clawback takes from) and is empty else.
    """
    return derived_uuid(time_ms, _encode([programme, source, event_id, rule, beneficiary, occasion]))


def transfer_id(decision: str, stage: str, leg: int = 0) -> str:
    """The id of one transfer of one decision at one stage (`granted`, `released`, `paid`, …).

    It keeps the decision's time prefix, so that N deliveries of a decision make one posting.
    """
    digest = hashlib.sha256(_encode([decision, stage, leg])).hexdigest()
    return uuid_text(int(decision[:8] + decision[9:13], 16), digest)


def event_hash(source: str, event_id: str) -> int:
    """A signed 64-bit hash of `source` + `id`, for indexes and memories of what was seen."""
    digest = hashlib.blake2b(_encode([source, event_id]), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
