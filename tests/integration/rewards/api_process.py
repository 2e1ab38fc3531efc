"""A process that serves the ledger's API, to be killed: `python -m tests.integration.rewards.api_process URL PORT`."""

from __future__ import annotations

import asyncio
import sys

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from runtime.database import Database
from services.rewards.api import routes
from services.rewards.store import SETUP
from tests.integration.rewards.over_http import books_of


async def main(url: str, port: int) -> None:
    database = Database(url, application="rewards-http", setup=SETUP)
    await database.start()
    made = routes(books_of(url, database), admin_key=SecretStr("secret"))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=made), port=port, log_level="error", lifespan="off"))
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
