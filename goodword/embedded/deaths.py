"""How often something died lately: how long to wait before the next start, and when to stop trying.

Every death makes the next wait longer, up to a cap. Only those that count against it lead to giving up: what served
and was killed from outside, as by a fault test or an impatient operator, is started again however often.
"""

from __future__ import annotations

from collections import deque
from typing import Final

DEATHS_MAX: Final = 5
DEATHS_WINDOW_S: Final = 60.0
RESTART_WAIT_S_MIN: Final = 0.25
RESTART_WAIT_S_MAX: Final = 5.0
_REMEMBERED_MAX: Final = 16


class Deaths:
    """When something died lately; times in seconds of one clock, in order."""

    def __init__(self) -> None:
        self._all_s: deque[float] = deque(maxlen=_REMEMBERED_MAX)
        self._counted_s: deque[float] = deque(maxlen=DEATHS_MAX)

    def add(self, now_s: float, *, counts: bool = True) -> None:
        """Args:
        now_s: When it died.
        counts: Whether it died of itself, and not of somebody who killed it while it served.
        """
        self._all_s.append(now_s)
        if counts:
            self._counted_s.append(now_s)

    def too_many(self, now_s: float) -> bool:
        """Whether the last DEATHS_MAX that count lie within the window."""
        return len(self._counted_s) == DEATHS_MAX and now_s - self._counted_s[0] <= DEATHS_WINDOW_S

    def wait_s(self, now_s: float) -> float:
        """RESTART_WAIT_S_MIN after the first death of the window, doubling with each more, up to the cap."""
        recent = sum(1 for time_s in self._all_s if now_s - time_s <= DEATHS_WINDOW_S)
        return float(min(RESTART_WAIT_S_MIN / 2 * 2**recent, RESTART_WAIT_S_MAX))
