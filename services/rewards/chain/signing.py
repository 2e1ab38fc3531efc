"""Signs heads of the chain with Ed25519, and checks signatures. Pure.

A head says: after this block, the hash is this. Whoever keeps one can tell whether anything before it was rewritten, by
anybody without the private key. What is signed is frozen: a domain, the block's number, its hash, and the time.
"""

from __future__ import annotations

import struct
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from contracts.errors import PermanentError, Problem
from contracts.facts import LedgerHead
from services.rewards.chain.encoding import HASH_BYTES, HASH_VERSION

KEY_BYTES: Final = 32
_DOMAIN: Final = b"goodword/ledger/head/1"
_HEAD: Final = struct.Struct(">q32sq")


class Signer:
    """Signs with one key.

    Args:
        key: The private key as 64 hexadecimal digits, or as PEM.

    Raises:
        PermanentError: `signing-key-unreadable`.
    """

    def __init__(self, key: str) -> None:
        self._key = _private_key(key.strip())
        self.public_key: Final = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, block: int, hash: bytes, signed_at_ms: int) -> LedgerHead:
        """The same head at the same time gets the same signature."""
        return LedgerHead(
            id=f"head-{block}-{signed_at_ms}",
            block=block,
            hash=hash.hex(),
            hash_version=HASH_VERSION,
            signed_at_ms=signed_at_ms,
            public_key=self.public_key.hex(),
            signature=self._key.sign(_signed(block, hash, signed_at_ms)).hex(),
        )


def is_signed(head: LedgerHead, public_key: bytes | None) -> bool:
    """Whether that key signed it, whatever key the head itself names; None: whether the key that it names did."""
    try:
        hash = bytes.fromhex(head.hash)
        public_key = bytes.fromhex(head.public_key) if public_key is None else public_key
        if len(hash) != HASH_BYTES:
            return False
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            bytes.fromhex(head.signature), _signed(head.block, hash, head.signed_at_ms)
        )
    except (InvalidSignature, ValueError, struct.error):
        return False
    return True


def public_key_of(text: str) -> bytes:
    """A public key as 64 hexadecimal digits or as PEM.

    Raises:
        PermanentError: `public-key-unreadable`.
    """
    text = text.strip()
    try:
        if "BEGIN" in text:
            loaded = load_pem_public_key(text.encode())
            if not isinstance(loaded, Ed25519PublicKey):
                raise ValueError(f"a key of another kind: {type(loaded).__name__}")
            return loaded.public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = bytes.fromhex(text)
        if len(key) != KEY_BYTES:
            raise ValueError(f"{len(key)} bytes instead of {KEY_BYTES}")
    except ValueError as error:
        raise _unreadable("public-key-unreadable", "the public key", error) from None
    return key


def _private_key(text: str) -> Ed25519PrivateKey:
    try:
        if "BEGIN" in text:
            loaded = load_pem_private_key(text.encode(), password=None)
            if not isinstance(loaded, Ed25519PrivateKey):
                raise ValueError(f"a key of another kind: {type(loaded).__name__}")
            return loaded
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    except (ValueError, TypeError) as error:
        raise _unreadable("signing-key-unreadable", "the signing key", error) from None


def _unreadable(code: str, what: str, error: Exception) -> PermanentError:
    return PermanentError(
        Problem(
            code=code,
            message=f"{what} cannot be read: {error}",
            help="64 hexadecimal digits (`openssl rand -hex 32` makes a private one), or PEM of Ed25519",
        )
    )


def _signed(block: int, hash: bytes, signed_at_ms: int) -> bytes:
    return _DOMAIN + _HEAD.pack(block, hash, signed_at_ms)
