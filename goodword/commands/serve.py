"""`goodword serve NAME`: one service in this process, for containers and for the supervisor."""

from __future__ import annotations

import asyncio
import importlib
from enum import StrEnum
from typing import Annotated

import typer

from goodword.embedded.parent import tie_to_supervisor


class ServiceName(StrEnum):
    TRACKING = "tracking"
    RULES = "rules"
    REWARDS = "rewards"
    NOTIFY = "notify"


def serve(name: Annotated[ServiceName, typer.Argument(help="Which service.")]) -> None:
    """Run one service until SIGTERM; settings come from GOODWORD_* variables."""
    tie_to_supervisor()
    import uvloop
    from pydantic import ValidationError

    from contracts.errors import PermanentError, Problem
    from goodword.terminal import EXIT_USAGE, fail

    module = importlib.import_module(f"services.{name.value}.app")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            exit_code = runner.run(module.run())
    except ValidationError as error:
        first = error.errors()[0]
        setting = "_".join(("GOODWORD", *(str(part).upper() for part in first["loc"])))
        fail(Problem(code="bad-setting", message=first["msg"], where=setting, help="docs/operations.md"), EXIT_USAGE)
    except PermanentError as error:
        fail(error.problem)
    raise typer.Exit(exit_code)
