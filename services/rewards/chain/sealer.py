"""Signs the newest head of the chain every so often, and tells it on the bus.

Promises: a head is told before it is kept, so what `rewards.heads` holds has left the ledger; killed in between, the
newest head is signed again. One process signs at a time. It reads the chain and writes heads, and nothing waits
for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.events import format_time
from contracts.facts import LEDGER_HEAD, LEDGER_HEAD_KEY, LEDGER_SOURCE, LedgerHead, encode_fact
from contracts.topics import LEDGER
from runtime import log
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.database import Database
from services.rewards.chain.signing import Signer
from services.rewards.settings import RewardsSettings

LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('goodword/rewards/sealer', 0))"

logger = log.get(__name__)


class Sealer:
    """Looks whether the chain has grown, in rounds (`runtime.rounds`) of `sign_newest`."""

    def __init__(self, database: Database, bus: Bus, signer: Signer, *, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._signer = signer
        self._clock = clock
        logger.info("heads are signed", public_key=signer.public_key.hex())

    async def sign_newest(self) -> LedgerHead | None:
        """Sign and tell the newest head; None where that is done already, or by another process at this moment.

        Raises one of OUTAGES or BusUnavailable.
        """
        async with self._database.connection() as connection, connection.transaction():
            row = await (await connection.execute(LOCK)).fetchone()
            if not (row and row[0]):
                return None
            cursor = await connection.execute(
                "SELECT b.number, b.hash FROM rewards.blocks b"
                " WHERE b.number > coalesce((SELECT max(block) FROM rewards.heads), 0) ORDER BY b.number DESC LIMIT 1"
            )
            newest = await cursor.fetchone()
            if newest is None:
                return None
            head = self._signer.sign(newest[0], bytes(newest[1]), self._clock.now_ms())
            await self._bus.publish(LEDGER.name, [record_of(head)])
            await connection.execute(
                "INSERT INTO rewards.heads (block, hash, signed_at, public_key, signature)"
                " VALUES (%s, %s, to_timestamp(%s / 1000.0), %s, %s) ON CONFLICT DO NOTHING",
                (
                    head.block,
                    bytes.fromhex(head.hash),
                    head.signed_at_ms,
                    self._signer.public_key,
                    bytes.fromhex(head.signature),
                ),
            )
            return head


def signer_of(settings: RewardsSettings) -> Signer | None:
    """Of the key that settings hold, or whose file they name; None without one.

    Raises:
        PermanentError: `signing-key-unreadable`.
    """
    if settings.rewards_signing_key is not None:
        return Signer(settings.rewards_signing_key.get_secret_value())
    if settings.rewards_signing_key_file is None:
        return None
    try:
        return Signer(Path(settings.rewards_signing_key_file).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(
            Problem(
                code="signing-key-unreadable",
                message=f"the signing key cannot be read: {error}",
                where=settings.rewards_signing_key_file,
                help="GOODWORD_REWARDS_SIGNING_KEY_FILE names a file that this process may read",
            )
        ) from error


def record_of(head: LedgerHead) -> Record:
    """As it is told on the bus."""
    at = format_time(head.signed_at_ms).encode()
    return Record(
        key=LEDGER_HEAD_KEY,
        value=encode_fact(head),
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_type", LEDGER_HEAD.encode()),
            ("ce_source", LEDGER_SOURCE.encode()),
            ("ce_id", head.id.encode()),
            ("ce_time", at),
            ("ce_recordedat", at),
            ("content-type", b"application/json"),
        ),
    )
