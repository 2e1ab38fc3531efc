"""`goodword rules playground`: the page on which rules are tried out."""

from __future__ import annotations

import asyncio
import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, problems_shown, say

PATH = "/playground"


def playground(
    alone: Annotated[
        bool, typer.Option("--alone", help="Serve the page from here, also when a stack is running.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Of a page served from here; 0: any.")] = 0,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the address of the playground: that of the running stack, or of one served from here until Ctrl-C.

    The operator's key stands behind the # of the address, which no server sees.
    """
    url = None if alone else _running(data)
    if url is not None:
        _tell(url, browse=browse, as_json=as_json)
        return
    with problems_shown():
        asyncio.run(_serve(port, browse=browse, as_json=as_json))


def _running(data: Path | None) -> str | None:
    """The page of the running stack; None when no stack runs. A folder that was named must be one that runs."""
    from contracts.errors import PermanentError
    from goodword.target import find_target

    try:
        target = find_target(data)
        return f"{target.service('rules')}{PATH}#key={target.key()}"
    except PermanentError as error:
        if data is not None:
            with problems_shown():
                raise
        say(f"no stack runs here ({error.problem.message}): the page is served alone", "dim")
        return None


async def _serve(port: int, *, browse: bool, as_json: bool) -> None:
    """On this machine only, with a key of its own, until Ctrl-C."""
    import uvicorn
    from pydantic import SecretStr
    from starlette.applications import Starlette

    from goodword.embedded.ports import free_port
    from runtime.operator import operator_only
    from services.rules.playground.http import routes

    key = secrets.token_urlsafe(16)
    chosen = port or free_port()
    app = Starlette(routes=routes(guard=operator_only(SecretStr(key)), is_busy=lambda: False))

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                _tell(f"http://127.0.0.1:{chosen}{PATH}#key={key}", browse=browse, as_json=as_json)
                say("Ctrl-C ends it", "dim")

    config = uvicorn.Config(app, host="127.0.0.1", port=chosen, log_level="warning", access_log=False)
    config.server_header = False
    await Server(config).serve()


def _tell(url: str, *, browse: bool, as_json: bool) -> None:
    if as_json:
        emit_json({"url": url})
    else:
        out.print(url, markup=False)
    if browse:
        typer.launch(url)
