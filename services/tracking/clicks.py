"""Click ids: proof that somebody followed a partner's link, which needs no look-up of the click.

A click id is `<link>.<time>.<nonce>.<signature>`: the link's code, the time in milliseconds and 48 random bits,
both in hexadecimal, and the first 128 bits of HMAC-SHA256 (RFC 2104) over the text before the last dot, in
base64url. Pure: secret, time and nonce come from the caller. The format is frozen: click ids live in cookies.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

CLICK_PARAMETER: Final = "gw_click"
"""Name of the cookie and of the query parameter that hands the click id to the target page."""
NONCE_BYTES: Final = 6
CLICK_ID_LENGTH_MAX: Final = 128

_CLICK_ID: Final = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9a-f]{1,12})\.([0-9a-f]{12})\.([A-Za-z0-9_-]{22})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Click:
    """What a valid click id says: which link was followed, and when."""

    link: str
    time_ms: int


def click_name(link: str, time_ms: int, nonce: bytes) -> str:
    """The click id without its signature; also the id of the `click.recorded` event, which anybody may read."""
    return f"{link}.{time_ms:x}.{nonce.hex()}"


def sign(secret: bytes, name: str) -> str:
    """The click id of a click's name."""
    return f"{name}.{_signature(secret, name)}"


def verify(secrets: tuple[bytes, ...], click_id: str) -> Click | None:
    """What the click id says, or None when it is not one that we made.

    Args:
        secrets: The newest first; older ones stay valid until they are removed.
        click_id: As the sender gave it.
    """
    found = _CLICK_ID.fullmatch(click_id)
    if found is None:
        return None
    name, _, given = click_id.rpartition(".")
    for secret in secrets:
        if hmac.compare_digest(_signature(secret, name), given):
            return Click(link=found[1], time_ms=int(found[2], 16))
    return None


def with_click(target_url: str, click_id: str) -> str:
    """The target with the click id as one more query parameter, fragment kept at the end."""
    parts = urlsplit(target_url)
    parameter = f"{CLICK_PARAMETER}={quote(click_id, safe='')}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{parameter}" if parts.query else parameter))


def _signature(secret: bytes, name: str) -> str:
    digest = hmac.new(secret, name.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
