"""What the front door lets in: bytes to events, or to a reason that helps.

Pure: `now_ms` is handed in. Checks run in a fixed order and stop at the first fault of an event; one bad event never
costs its neighbours. Texts are kept as they were sent; extra fields move to `attributes` (`diagnose`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from contracts.events import EPOCH
from services.tracking.diagnose import look_closely
from services.tracking.envelope import Shape, read_elements, read_envelopes
from services.tracking.faults import Candidate, Checked, fault_of, nul_fault, reject

MILLISECOND: Final = timedelta(milliseconds=1)


def check_body(body: bytes, shape: Shape, *, now_ms: int, future_ms_max: int, events_max: int) -> Checked:
    """Every event of a body, checked.

    Raises:
        Malformed, TooMany: The body as a whole cannot be taken.
    """
    latest_ms = now_ms + future_ms_max
    checked = Checked([], [], [])
    envelopes = read_envelopes(body, shape, events_max)
    if envelopes is None:
        for index, element in enumerate(read_elements(body, shape, events_max)):
            look_closely(element, index, latest_ms, checked)
        return checked
    may_have_nul = b"\\u0000" in body
    for index, envelope in enumerate(envelopes):
        time_ms = (envelope.time - EPOCH) // MILLISECOND
        fault = fault_of(envelope, time_ms, latest_ms)
        if fault is None and may_have_nul:
            fault = nul_fault(msgspec.to_builtins(envelope))
        if fault is None:
            checked.candidates.append(Candidate(index, envelope, time_ms))
        else:
            reject(checked, index, envelope.id, envelope.type, fault)
    return checked
