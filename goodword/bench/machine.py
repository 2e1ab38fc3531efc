"""How fast this machine is at the moment, in one number that needs nothing of ours: `json.loads` of one event.

Figures of two machines, or of a quiet and a busy hour, can be compared by it; docs/performance.md says what it was
where the aims were set.
"""

from __future__ import annotations

import json
import time
from typing import Final

from goodword.bench import crm_like

AIMS_SET_AT_US: Final = 3.8
"""What it took on the machine where the aims were set, for an event of about 600 bytes."""
_EVENT_BYTES: Final = 600
_TIMES: Final = 2_000
_ROUNDS: Final = 5


def json_loads_us() -> float:
    """Microseconds that `json.loads` takes for an event of `_EVENT_BYTES`, the best of a few rounds."""
    event = json.loads(next(crm_like.lines(1)))
    event["data"]["attributes"]["note"] = "x" * max(0, _EVENT_BYTES - len(json.dumps(event)) - len(', "note": ""'))
    text = json.dumps(event)
    best_s = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_TIMES):
            json.loads(text)
        best_s = min(best_s, time.perf_counter() - began)
    return best_s / _TIMES * 1e6
