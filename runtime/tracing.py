"""One trace id from the HTTP request to the mail: W3C Trace Context (REC, 2021-11-23), section 3.2.

The id travels as `traceparent` in the HTTP header, the `ce_traceparent` record header, and the ledger's facts.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII)


def new_traceparent() -> str:
    """A fresh, sampled trace context."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def accept_traceparent(text: str | None) -> str:
    """The sender's trace context when it is well formed, else a fresh one."""
    if text:
        found = _TRACEPARENT.fullmatch(text)
        if found and found[1] != "0" * 32 and found[2] != "0" * 16:
            return text
    return new_traceparent()


def trace_id(traceparent: str) -> str:
    """The 32 hex digits that all logs of one journey share; empty when there is no trace."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else ""
