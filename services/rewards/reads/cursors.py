"""Where a page ended, as text that means nothing to anybody else."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

from contracts.errors import PermanentError, Problem

T = TypeVar("T", bound=msgspec.Struct)


def encode_cursor(at: msgspec.Struct) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(at)).decode()


def decode_cursor(text: str, kind: type[T]) -> T:
    """What `encode_cursor` was given. Raises PermanentError (`bad-cursor`)."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=kind)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise bad_cursor() from error


def bad_cursor(message: str = "not a cursor of ours") -> PermanentError:
    return PermanentError(Problem(code="bad-cursor", message=message, where="cursor"))
