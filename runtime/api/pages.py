"""Long lists come in pages: how many rows, and where the next one begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from contracts.errors import PermanentError, Problem

PAGE_ROWS_MAX: Final = 200
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX, description="Rows of a page.")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="The `next` of the page before.")]


class Asked(BaseModel):
    """What somebody sends. A name that is not known is a mistake, not something to pass over."""

    model_config = ConfigDict(extra="forbid")


def page_of(
    rows: Sequence[Row], limit: int, place: Callable[[Row], tuple[str | int, ...]]
) -> tuple[list[Row], str | None]:
    """Of rows that were asked for one more than fit: those that do, and where the next page begins, if there is one.

    `place` is what the cursor is made of, of the last row.
    """
    page = list(rows[:limit])
    return page, cursor_of(*place(page[-1])) if len(rows) > limit else None


def cursor_of(*parts: str | int) -> str:
    """Where the next page begins; opaque, so that it may change."""
    return base64.urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode()


def texts_of(cursor: str, count: int) -> list[str]:
    """What a cursor was made of. Raises PermanentError(`bad-cursor`)."""
    try:
        parts = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().split("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        parts = []
    if len(parts) != count or any("\0" in part for part in parts):
        raise bad_cursor()
    return parts


def parts_of(cursor: str, count: int) -> list[str]:
    """What a cursor was made of whose last part is a number. Raises PermanentError(`bad-cursor`)."""
    parts = texts_of(cursor, count)
    if not (parts[-1].isascii() and parts[-1].isdigit()) or len(parts[-1]) > 18:
        raise bad_cursor()
    return parts


def bad_cursor() -> PermanentError:
    return PermanentError(
        Problem(code="bad-cursor", message="this is no cursor of ours", where="cursor", help="take `next` of a page")
    )
