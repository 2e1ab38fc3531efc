"""Which partners a shadow follows: a share of them by a hash of their own. Pure, and the same in every process.

A partner's place does not depend on the shadow, so two shadows after each other can be compared; nor on the
canary's hash (`services.rules.revisions.canary`), so a canary's partners are in it as often as others.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

ALL_PPM: Final = 1_000_000
SHARE_DEFAULT_PPM: Final = 10_000
"""So many that the whole costs less than a tenth of deciding (docs/performance.md#shadow)."""
PLACES_CACHED_MAX: Final = 100_000


@lru_cache(maxsize=PLACES_CACHED_MAX)
def place_ppm(key: bytes) -> int:
    """Where the partner of a record with this key stands among all, 0 to 999,999.

    Frozen: under another hash a running shadow would meet partners whose past it does not know.
    """
    return int.from_bytes(sha256(b"shadow/" + key).digest()[:8], "big") % ALL_PPM
