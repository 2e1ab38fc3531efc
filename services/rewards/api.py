"""HTTP of the rewards service: questions to the ledger. Operator's bearer key only; nothing here changes anything.

GET /v1/balances                        every balance
GET /v1/trial-balance                   per unit; `minor` must be 0
GET /v1/statements/{account}            ?unit=… &limit=… &cursor=… &order=newest|oldest
GET /v1/holds                           ?of=partner:… &limit=…: what is on hold, and until when
GET /v1/waiting                         ?limit=…: decisions that wait for a budget, or for what they take back from
GET /v1/budgets                         what was put in, what was claimed, what is left
GET /v1/explain/{reference}             a transfer, a decision or an event; 404 when the ledger knows nothing of it
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import PermanentError, Problem
from runtime.http import json_response, problem_response
from runtime.operator import operator_only
from services.rewards.reads import balances, budgets, explain, holds, statement, trial_balance, waiting

READS_MAX: Final = 4
"""Questions answered at once; further ones wait."""
PAGE_DEFAULT: Final = 100


def routes(*, postgres: str, admin_key: SecretStr | None) -> list[BaseRoute]:
    """The routes, wired."""
    turn = asyncio.Semaphore(READS_MAX)

    async def ask(question: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """In a thread with a connection of its own, so that a long answer holds up no posting."""
        async with turn:
            return await asyncio.to_thread(question, postgres, *arguments, **options)

    async def get_balances(request: Request) -> Response:
        return json_response({"balances": await ask(balances)})

    async def get_trial_balance(request: Request) -> Response:
        return json_response({"trial_balance": await ask(trial_balance)})

    async def get_statement(request: Request) -> Response:
        query = request.query_params
        order = query.get("order", "newest")
        if order not in {"newest", "oldest"}:
            return problem_response(Problem(code="bad-order", message="order is newest or oldest", where="order"), 422)
        return json_response(
            await ask(
                statement,
                request.path_params["account"],
                unit=query.get("unit"),
                limit=_limit(request),
                cursor=query.get("cursor"),
                newest_first=order == "newest",
            )
        )

    async def get_explanation(request: Request) -> Response:
        reference = request.path_params["reference"]
        explanation = await ask(explain, reference)
        if explanation is None:
            problem = Problem(
                code="nothing-known",
                message=f"the ledger knows no transfer, decision or event {reference}",
                help="an event is named by source/id; one that was just sent may take a moment",
            )
            return problem_response(problem, 404)
        return json_response(explanation)

    async def get_holds(request: Request) -> Response:
        return json_response(
            {"holds": await ask(holds, beneficiary=request.query_params.get("of"), limit=_limit(request))}
        )

    async def get_waiting(request: Request) -> Response:
        return json_response({"waiting": await ask(waiting, limit=_limit(request))})

    async def get_budgets(request: Request) -> Response:
        return json_response({"budgets": await ask(budgets)})

    guard = operator_only(admin_key)
    return [
        Route("/v1/balances", guard(get_balances), methods=["GET"]),
        Route("/v1/trial-balance", guard(get_trial_balance), methods=["GET"]),
        Route("/v1/holds", guard(get_holds), methods=["GET"]),
        Route("/v1/waiting", guard(get_waiting), methods=["GET"]),
        Route("/v1/budgets", guard(get_budgets), methods=["GET"]),
        # Ids may hold slashes, in addresses and in events alike.
        Route("/v1/statements/{account:path}", guard(get_statement), methods=["GET"]),
        Route("/v1/explain/{reference:path}", guard(get_explanation), methods=["GET"]),
    ]


def _limit(request: Request) -> int:
    limit = request.query_params.get("limit", str(PAGE_DEFAULT))
    if not limit.isascii() or not limit.isdigit() or len(limit) > 9:
        raise PermanentError(Problem(code="bad-limit", message="limit is a number", where="limit"))
    return int(limit)
