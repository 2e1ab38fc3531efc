"""A partner's link: its code in the address, and the one target it leads to. Pure.

A target is checked once, when the link is made, and only stored targets are redirected to: `GET /r/{code}` can
never become an open redirect.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from contracts.errors import Problem
from contracts.ids import is_id

CODE_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without 0, 1, i, l and o: codes are read out on the telephone."""
CODE_LENGTH: Final = 8
TARGET_LENGTH_MAX: Final = 2048

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CONTROL_OR_SPACE: Final = re.compile(r"[\x00-\x20\x7f\\]")


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored link. `channel` and `campaign` are the partner's own words for where it is shown."""

    code: str
    programme: str
    partner: str
    target: str
    channel: str | None = None
    campaign: str | None = None


def is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def problem_of(link: Link) -> Problem | None:
    """What is wrong with a link somebody wants to make; None when nothing is."""
    if not is_code(link.code):
        return Problem(code="bad-link-code", message="a code is 1–64 of A–Z a–z 0–9 _ -", where="code")
    for name, value in (("programme", link.programme), ("partner", link.partner)):
        if not is_id(value):
            return Problem(code="bad-id", message=f"{name} is not an id", where=name, help="no colon, no spaces")
    for name, text in (("channel", link.channel), ("campaign", link.campaign)):
        if text is not None and (len(text) > 128 or not text.isprintable()):
            return Problem(code="bad-text", message=f"{name} is at most 128 printable characters", where=name)
    return _target_problem(link.target)


def landing_page(target: str) -> str:
    """The target without query and fragment, which may hold anything; at most 1,024 characters."""
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"[:1024]


def _target_problem(target: str) -> Problem | None:
    advice = "such as https://www.example.com/offer"
    if len(target) > TARGET_LENGTH_MAX or _CONTROL_OR_SPACE.search(target) or not target.isascii():
        return Problem(
            code="bad-target",
            message=f"a target is at most {TARGET_LENGTH_MAX} ASCII characters without spaces or backslashes",
            where="target",
            help=advice,
        )
    try:
        parts = urlsplit(target)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        is_complete = False
    if not is_complete:
        return Problem(
            code="bad-target", message="a target is a whole http or https address", where="target", help=advice
        )
    return None
