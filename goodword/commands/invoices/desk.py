"""What commands about papers share: papers to issue with, and problems of files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from services.rewards.papers.store import Papers

T = TypeVar("T")

FontsOption = Annotated[
    Path | None,
    typer.Option("--fonts", metavar="DIR", exists=True, file_okay=False, help="Fonts for letters that Typst's lack."),
]


def with_papers(data: Path | None, work: Callable[[Papers], Awaitable[T]]) -> T:
    """Do it in the service's role, on the stack that was named."""
    from goodword.target import find_target
    from runtime.clock import SystemClock
    from runtime.database import Database
    from services.rewards.papers.store import Papers
    from services.rewards.store import SETUP

    async def run(postgres: str) -> T:
        database = Database(postgres, application="papers", setup=SETUP)
        await database.start()
        try:
            return await work(Papers(database, clock=SystemClock()))
        finally:
            await database.stop()

    return asyncio.run(run(find_target(data).postgres))
