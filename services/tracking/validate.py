"""What the front door lets in: bytes to events, or to a reason that helps.

Pure: `now_ms` is handed in. Checks run in a fixed order and stop at the first fault of an event; one bad event never
costs its neighbours. Texts are kept as they were sent; extra fields move to `attributes` (`diagnose`).
"""

from __future__ import annotations

import msgspec

from services.tracking.diagnose import look_closely
from services.tracking.envelope import Shape, read_elements, read_envelopes
from services.tracking.faults import Checked, admit, nul_fault, reject


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
        if may_have_nul and (fault := nul_fault(msgspec.to_builtins(envelope))):
            reject(checked, index, envelope.id, envelope.type, fault)
        else:
            admit(checked, index, envelope, latest_ms)
    return checked
