"""Which partners a canary takes: a share of them by hash, or a group. Pure, and the same in every partition and replay.

A partner's place does not depend on when it is asked or on who else there is. Raising the share of a revision keeps
those it has already; another revision starts with other partners. Group members are judged event by event, by what the
partner's profile said before it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.events import Canary
from services.rules.states.state import PartnerState

ALL_PPM: Final = 1_000_000
PLACES_CACHED_MAX: Final = 100_000


def takes(canary: Canary, revision: int, state: PartnerState) -> bool:
    """Whether the partner of this state is under the canary's revision."""
    if canary.group is not None:
        return canary.group in (state.profile.groups or ())
    return place_ppm(state.programme, revision, state.partner) < (canary.share_ppm or 0)


@lru_cache(maxsize=PLACES_CACHED_MAX)
def place_ppm(programme: str, revision: int, partner: str) -> int:
    """Where the partner stands among all, 0 to 999,999; frozen: another encoding would move partners over."""
    digest = sha256(msgspec.json.encode((programme, revision, partner))).digest()
    return int.from_bytes(digest[:8], "big") % ALL_PPM


def check_canary(canary: Canary) -> None:
    """Raises PermanentError(`bad-canary`) unless it names either a share or a group."""
    share_ppm = canary.share_ppm
    is_share = share_ppm is not None and 0 < share_ppm < ALL_PPM
    if (canary.group is None) != is_share or (share_ppm is not None and not is_share) or canary.group == "":
        raise PermanentError(
            Problem(
                code="bad-canary",
                message="a canary takes either a share of the partners, more than none and less than all, or a group",
                where="canary",
                help="for everybody, activate without a canary",
            )
        )
