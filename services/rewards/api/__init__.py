"""HTTP of the rewards service, for those who look after the money: questions to the ledger, and what people book in it.

One module per subject; `/v1/openapi.json` describes them all, and so does docs/rewards-api.json. Roles are in
`services.rewards.keys`. Lists come in pages (`next`), and every POST needs an Idempotency-Key (`once`).
"""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import BaseRoute

from runtime.api import described_api, mounted
from services.rewards.api import (
    balances,
    bookings,
    budgets,
    catalogue,
    chain,
    conflicts,
    explain,
    gifts,
    invoices,
    liability,
    lives,
    memberships,
    payees,
    payout_plans,
    payout_runs,
    payouts,
    redemptions,
)
from services.rewards.api.books import Books, bearer_of
from services.rewards.api.statuses import STATUSES

_SUBJECTS = (
    *(balances, lives, budgets, bookings, explain, liability, chain, conflicts),
    *(payout_runs, payouts, payees, payout_plans, catalogue, redemptions, memberships, gifts, invoices),
)


def routes(books: Books, *, admin_key: SecretStr | None) -> list[BaseRoute]:
    """The routes, wired. They take everything under `/v1`."""
    return mounted(build_api(books, admin_key=admin_key))


def build_api(books: Books | None, *, admin_key: SecretStr | None = None) -> FastAPI:
    """The application; without the books it can only be described."""
    state = {} if books is None else {"books": books, "bearer": bearer_of(books.database, admin_key)}
    return described_api(
        "Goodword rewards",
        "The ledger: what everybody has, why, what people book by hand, and what leaves it.",
        [module.router for module in _SUBJECTS],
        statuses=STATUSES,
        state=state,
    )
