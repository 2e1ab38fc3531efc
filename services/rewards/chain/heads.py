"""Holds heads that were signed against the chain as it is now."""

from __future__ import annotations

from typing import Final

from contracts.facts import LedgerHead
from services.rewards.chain.encoding import HASH_VERSION
from services.rewards.chain.findings import Finding, Findings
from services.rewards.chain.signing import is_signed
from services.rewards.reads.connect import Connection, open_ledger

NAMED_MAX: Final = 10
_HEADS: Final = (
    "SELECT block, hash, (extract(epoch FROM signed_at) * 1000)::bigint, public_key, signature FROM rewards.heads"
    " WHERE block < coalesce(%s, block + 1) ORDER BY block DESC LIMIT %s"
)


def newest_head(postgres: str) -> LedgerHead | None:
    """The newest signed head; None before the first one."""
    heads = kept_heads(postgres, limit=1)
    return heads[0] if heads else None


def kept_heads(postgres: str, *, before: int | None = None, limit: int) -> list[LedgerHead]:
    """Signed heads, the newest first; only those of earlier blocks than `before`."""
    with open_ledger(postgres) as connection:
        return _kept(connection, limit, before=before)


def check_kept_heads(postgres: str, public_key: bytes | None, findings: Findings) -> LedgerHead | None:
    """Every kept head is in the chain, and the newest one is signed; returns that.

    A signed head covers every block before it, so the signatures of older ones say nothing more.

    `public_key` is whose signature it must be; None takes the key that the head names, which only tells whether the two
    belong together.
    """
    with open_ledger(postgres) as connection:
        for block, is_there in connection.execute(
            "SELECT h.block, b.number IS NOT NULL FROM rewards.heads h LEFT JOIN rewards.blocks b ON b.number = h.block"
            " WHERE b.hash IS DISTINCT FROM h.hash ORDER BY h.block LIMIT %s",
            (NAMED_MAX,),
        ).fetchall():
            findings.add(_differs(block, is_there=is_there))
        heads = _kept(connection, 1)
    if not heads:
        return None
    (head,) = heads
    if not is_signed(head, public_key):
        findings.add(_unsigned(head))
    return head


def check_given_head(postgres: str, head: LedgerHead, public_key: bytes | None, findings: Findings) -> None:
    """A head that somebody has kept elsewhere is in the chain, and is signed."""
    if not is_signed(head, public_key) or head.hash_version != HASH_VERSION:
        findings.add(_unsigned(head))
    with open_ledger(postgres) as connection:
        row = connection.execute("SELECT hash FROM rewards.blocks WHERE number = %s", (head.block,)).fetchone()
    if row is None or bytes(row[0]).hex() != head.hash:
        findings.add(_differs(head.block, is_there=row is not None))


def _kept(connection: Connection, count_max: int, *, before: int | None = None) -> list[LedgerHead]:
    rows = connection.execute(_HEADS, (before, count_max)).fetchall()
    return [
        LedgerHead(
            id=f"head-{block}-{signed_at_ms}",
            block=block,
            hash=bytes(hash).hex(),
            hash_version=HASH_VERSION,
            signed_at_ms=signed_at_ms,
            public_key=bytes(public_key).hex(),
            signature=bytes(signature).hex(),
        )
        for block, hash, signed_at_ms, public_key, signature in rows
    ]


def _differs(block: int, *, is_there: bool) -> Finding:
    if not is_there:
        return Finding(kind="head-missing", block=block, message="it was signed, and is not in the chain any more")
    return Finding(
        kind="head-differs",
        block=block,
        message="another hash of it was signed: it, or a block before it, was rewritten",
    )


def _unsigned(head: LedgerHead) -> Finding:
    return Finding(
        kind="head-signature",
        block=head.block,
        message=f"its head is not signed by the key it must be ({head.public_key})",
    )
