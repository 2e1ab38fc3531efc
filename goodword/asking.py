"""A question to a stack's stores, answered in amounts that people can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from goodword.amounts import Amounts, amounts_now
from goodword.target import find_target
from goodword.terminal import problems_shown

Answer = TypeVar("Answer")


def ask(data: Path | None, question: Callable[[str], Answer]) -> tuple[Answer, Amounts]:
    """The answer of the PostgreSQL of the stack that was named, and how amounts of it are shown; problems end it."""
    with problems_shown():
        postgres = find_target(data).postgres
        return question(postgres), amounts_now(postgres)
