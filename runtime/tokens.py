"""Bearer tokens of our own: `gw_<key id>_<secret>`. Only the SHA-256 of the secret is stored.

The secret has 256 random bits, so a slow hash would protect nothing. Pure, but for `new_token`'s randomness.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

_TOKEN: Final = re.compile(r"gw_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)


def new_token() -> tuple[str, str]:
    """A fresh key id and the token that has it; the token is shown once and never stored."""
    key_id = secrets.token_hex(6)
    return key_id, f"gw_{key_id}_{secrets.token_hex(32)}"


def parse_token(token: str) -> tuple[str, bytes] | None:
    """Key id and SHA-256 of the secret, or None when it is no token of ours."""
    found = _TOKEN.fullmatch(token)
    return (found[1], hashlib.sha256(found[2].encode()).digest()) if found else None


def is_secret(stored_sha256: bytes, secret_sha256: bytes) -> bool:
    """Compares without telling by time how much was right."""
    return hmac.compare_digest(stored_sha256, secret_sha256)
