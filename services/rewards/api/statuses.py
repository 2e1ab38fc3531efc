"""HTTP status of what the ledger refuses, by code; 422 for all others."""

from __future__ import annotations

from typing import Final

STATUSES: Final = {
    "idempotency-key-missing": 400,
    "idempotency-key-malformed": 400,
    "approver-needed": 403,
    "second-person-missing": 403,
    "nothing-known": 404,
    "invoice-unknown": 404,
    "no-head": 404,
    "no-such-block": 404,
    "no-catalogue": 404,
    "stock-below-taken": 409,
    "no-such-redemption": 404,
    "no-such-membership": 404,
    "no-such-gift": 404,
    "no-such-item": 404,
    "same-person": 403,
    "out-of-stock": 409,
    "not-enough": 409,
    "budget-spent": 409,
    "budget-waited-for": 409,
    "membership-active": 409,
    "no-such-run": 404,
    "no-such-payout": 404,
    "run-in-other-state": 409,
    "run-has-other-terms": 409,
    "run-not-approved": 409,
    "payout-in-other-state": 409,
    "payout-open": 409,
    "request-in-progress": 409,
}
