"""HTTP status of what the ledger refuses, by code; 422 for all others."""

from __future__ import annotations

from typing import Final

STATUSES: Final = {
    "idempotency-key-missing": 400,
    "idempotency-key-malformed": 400,
    "approver-needed": 403,
    "nothing-known": 404,
    "request-in-progress": 409,
}
