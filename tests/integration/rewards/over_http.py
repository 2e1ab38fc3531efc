"""The API of the ledger, asked by several people; every answer is held against its description."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jsonschema
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from runtime.clock import Clock, SystemClock
from runtime.database import Connections, Database
from runtime.http import http_problem
from services.rewards.api import build_api, routes
from services.rewards.api.books import Books
from services.rewards.keys import create_ledger_key

OPENAPI = build_api(None).openapi()
PEOPLE = {"vic": ("viewer",), "fay": ("finance",), "abe": ("approver",)}


class Http:
    """A client that is several people, by their names."""

    def __init__(self, client: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.client, self.tokens = client, tokens
        self.sent = 0

    async def __call__(
        self, who: str, method: str, path: str, *, key: str | None = None, **asked: Any
    ) -> httpx.Response:
        """A POST is sent under a fresh key, unless one is given."""
        self.sent += 1
        headers = {"authorization": f"Bearer {self.tokens.get(who, who)}"} if who else {}
        if method == "POST" and key != "":
            headers["idempotency-key"] = key or f"k{self.sent}"
        answer = await self.client.request(method, path, headers=headers | asked.pop("headers", {}), **asked)
        check_described(method, answer)
        return answer


def check_described(method: str, answer: httpx.Response) -> None:
    """The body is as the OpenAPI says for this path and status."""
    path = answer.request.url.path.removeprefix("/v1")
    media = answer.headers["content-type"].split(";")[0]
    problem = OPENAPI["paths"]["/balances"]["get"]["responses"]["default"]["content"]["application/problem+json"]
    if answer.status_code >= 400:
        assert media == "application/problem+json", answer.text
        jsonschema.validate(answer.json(), problem["schema"])
        return
    if not media.endswith("json"):
        return
    (found,) = [
        operations[method.lower()]
        for template, operations in OPENAPI["paths"].items()
        if re.fullmatch(_pattern(template), path) and method.lower() in operations
    ]
    schema = found["responses"][str(answer.status_code)]["content"][media]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": OPENAPI["components"]})


def _pattern(template: str) -> str:
    """Only addresses and references of events may hold slashes."""
    filled = re.sub(r"\\{(account|reference)\\}", ".+", re.escape(template))
    return re.sub(r"\\{.*?\\}", "[^/]+", filled)


@asynccontextmanager
async def asking(ledger_url: str, database: Database, *, clock: Clock | None = None) -> AsyncIterator[Http]:
    """The API with a key for each of PEOPLE, and the operator's."""
    tokens = {"operator": "secret"}
    for owner, roles in PEOPLE.items():
        tokens[owner] = (await create_ledger_key(database, owner=owner, roles=roles, who="root")).token
    async with calling(ledger_url, database, tokens, clock=clock) as http:
        yield http


@asynccontextmanager
async def calling(
    ledger_url: str, database: Connections, tokens: dict[str, str], *, clock: Clock | None = None
) -> AsyncIterator[Http]:
    """The API with keys that are there already."""
    made = routes(books_of(ledger_url, database, clock=clock), admin_key=SecretStr("secret"))
    transport = httpx.ASGITransport(Starlette(routes=made, exception_handlers={HTTPException: http_problem}))
    async with httpx.AsyncClient(transport=transport, base_url="http://rewards") as client:
        yield Http(client, tokens)


def books_of(ledger_url: str, database: Connections, *, clock: Clock | None = None) -> Books:
    return Books(
        postgres=ledger_url,
        database=database,
        clock=clock or SystemClock(),
        write_off_minor_max=5_000,
        requests_days=7,
    )
