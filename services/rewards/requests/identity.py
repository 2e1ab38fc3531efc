"""What names a request, and what tells two requests apart. Pure.

As the IETF's draft of the header Idempotency-Key has it (draft-ietf-httpapi-idempotency-key-header): the sender makes
up a key for what it wants done once, and may send the same request under it as often as it likes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem

HEADER: Final = "Idempotency-Key"
KEY_LENGTH_MAX: Final = 255
_KEY: Final = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]+)"|([\x21\x23-\x5b\x5d-\x7e]+)', re.ASCII)
"""A string of RFC 8941 without escapes; without the quotation marks as well, as most send it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A request's name, which is its sender's and the key's, and the fingerprint of what it asks."""

    who: str
    key: str
    fingerprint: bytes


def identity_of(header: str | None, *, who: str, method: str, target: str, body: bytes) -> Identity:
    """The identity of a request.

    Args:
        header: Value of Idempotency-Key; None when there is none.
        who: The owner of the bearer key; another's requests are others.
        method: Of HTTP.
        target: Path and query.
        body: As it came.

    Raises:
        PermanentError: `idempotency-key-missing`, `idempotency-key-malformed`.
    """
    if header is None:
        raise PermanentError(
            Problem(
                code="idempotency-key-missing",
                message="a request that changes something is sent under a key of its own",
                where=HEADER,
                help=f'send {HEADER}: "…" with a fresh UUID, and the same one when asking again',
            )
        )
    found = _KEY.fullmatch(header.strip()) if len(header) <= KEY_LENGTH_MAX + 2 else None
    key = (found[1] or found[2]) if found else ""
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise PermanentError(
            Problem(
                code="idempotency-key-malformed",
                message=f"a key is 1 to {KEY_LENGTH_MAX} characters of ASCII, without quotation marks and backslashes",
                where=HEADER,
            )
        )
    return Identity(who, key, hashlib.sha256(msgspec.json.encode([method, target, body])).digest())
