"""The ledger's tables: one round trip posts a batch, all or none, whatever was posted before.

Promises: a transfer is posted once, however often and by however many processes it is given; balances and the
outbox change in the same transaction; an id given again with other data is kept as a conflict and moves nothing.
What the server's absence raises is TransientError, and then nothing is known: give the same transfers again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

import psycopg

from contracts.errors import InvariantBroken, TransientError
from contracts.facts import Fact, RewardNotice, TransferPosted, encode_fact
from runtime import log
from runtime.database import OUTAGES, Connection, Connections
from services.rewards.bulk.rows import bulk_of
from services.rewards.bulk.store import copy_new
from services.rewards.columns import post_columns
from services.rewards.facts import pack_facts
from services.rewards.partitions.store import Months

ROLE: Final = "goodword_rewards"
SETUP: Final = (
    # Everything here is a few short statements; compiling them takes longer than running them.
    "SET jit = off",
    # Takes the role where the migration could make it, and is no error where it could not.
    (
        "SELECT set_config('role', 'goodword_rewards', false) FROM pg_roles"
        " WHERE rolname = 'goodword_rewards' AND pg_has_role(session_user, oid, 'MEMBER')"
    ),
)
"""What each connection of the service runs first."""
ACCOUNTS_CACHE_MAX: Final = 500_000
COPIED_MIN: Final = 500
"""From so many transfers on they are copied, and it pays to pack their facts in another thread."""

_POST: Final = (
    "SELECT posted, inserted, refused, conflicting FROM rewards.post("
    "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of given transfers. `by_stage` counts the posted ones."""

    by_stage: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0

    @property
    def count(self) -> int:
        return self.by_stage.total()

    def __add__(self, other: Posted) -> Posted:
        return Posted(
            self.by_stage + other.by_stage,
            self.duplicates + other.duplicates,
            self.conflicts + other.conflicts,
            self.refused + other.refused,
        )


@contextmanager
def outages_are_transient() -> Iterator[None]:
    """What psycopg raises when the server is away, deadlocked or going down becomes TransientError."""
    try:
        yield
    except OUTAGES as error:
        raise TransientError(f"PostgreSQL: {type(error).__name__}: {error}") from error


class Ledger:
    """Posts transfers. Safe to use from several tasks and processes at once.

    Args:
        on_posted_within: Told what `post_within` has posted, before the caller commits it, or rolls it back.
    """

    def __init__(
        self, database: Connections, *, on_posted_within: Callable[[Posted], None] = lambda posted: None
    ) -> None:
        self._database = database
        self._on_posted_within = on_posted_within
        self._accounts: dict[str, int] = {}
        self._months = Months()

    async def post(self, transfers: Sequence[TransferPosted]) -> Posted:
        """Post what is not posted yet; durable when it returns.

        Raises:
            TransientError: The database is away; give the same transfers again.
        """
        if not transfers:
            return Posted()
        # Sorted by id, so that two writers with the same ids never wait for each other in a circle.
        batch = sorted(transfers, key=attrgetter("id"))
        try:
            with outages_are_transient():
                async with self._database.connection() as connection:
                    await self.open_accounts(connection, {a for t in batch for a in (t.debit, t.credit)})
                    await self.open_months(connection, [t.time_ms for t in batch])
                    return await self._post(connection, batch)
        except TransientError:
            self.forget()
            raise

    async def post_within(
        self,
        connection: Connection,
        transfers: Sequence[TransferPosted],
        notices: Sequence[RewardNotice] = (),
        *,
        only_whole: bool = False,
    ) -> Posted:
        """Post as a part of the caller's transaction, between accounts that are open.

        An amount that would overflow a balance raises. With `only_whole`, the caller takes the transaction back unless
        all of it is new: then what differs is not kept, so nobody is alarmed.

        Raises:
            psycopg.Error: The transaction is over; call `forget` in an outage.
        """
        if transfers:
            told: tuple[Fact, ...] = (*transfers, *notices)
            posted = await self._post_all(
                connection, sorted(transfers, key=attrgetter("id")), told, alarms=not only_whole
            )
            self._on_posted_within(posted)
            return posted
        if notices:
            await connection.execute("SELECT rewards.tell(%s)", (pack_facts(notices),))
        return Posted()

    def forget(self) -> None:
        """The server may have been restored to a time when accounts had no ids yet."""
        self._accounts.clear()
        self._months.forget()

    async def _post(self, connection: Connection, batch: Sequence[TransferPosted]) -> Posted:
        try:
            return await self._post_all(connection, batch)
        except psycopg.errors.NumericValueOutOfRange as error:
            # Some balance would not fit 64 bits any more. Halving finds the posting that does it, so that one
            # absurd amount does not stop everybody's money. The legs of a group stay together.
            groups = sorted({transfer.group for transfer in batch})
            if len(groups) == 1:
                return await self.refuse(connection, batch, "balance-out-of-range", message_of(error))
            first = set(groups[: len(groups) // 2])
            done = await self._post(connection, [t for t in batch if t.group in first])
            return done + await self._post(connection, [t for t in batch if t.group not in first])

    async def _post_all(
        self,
        connection: Connection,
        batch: Sequence[TransferPosted],
        told: Sequence[Fact] | None = None,
        *,
        alarms: bool = True,
    ) -> Posted:
        """Post a batch sorted by id; its facts leave in the order of `told`, where several are of one story."""
        accounts = await self._account_ids(connection, batch)
        if len(batch) < COPIED_MIN:
            facts = pack_facts(told or batch)
        else:
            # Compressing lets go of the interpreter, so it runs beside the packing of the rows and the copying.
            packing_facts = asyncio.create_task(asyncio.to_thread(pack_facts, told or batch))
            if await copy_new(connection, bulk_of(batch, accounts), packing_facts):
                return Posted(Counter(transfer.stage for transfer in batch))
            facts = await packing_facts
        parameters = (*post_columns(batch, accounts), facts)
        cursor = await connection.execute(_POST, parameters, prepare=True, binary=True)
        row = await cursor.fetchone()
        if row is None:
            raise InvariantBroken("rewards.post gave no answer")
        posted, inserted, refused, conflicting = row
        if refused:
            stored = {str(id) for id in refused}
            rest = [transfer for transfer in batch if transfer.id not in stored]
            done = await self._post_all(connection, rest, alarms=alarms) if rest else Posted()
            # Refused long ago and counted then: this delivery is a duplicate.
            return done + Posted(duplicates=len(batch) - len(rest))
        if inserted is None:
            return Posted(Counter(transfer.stage for transfer in batch))
        new = {str(id) for id in inserted}
        stages = {transfer.id: transfer.stage for transfer in batch if transfer.id in new}
        for conflict in conflicting["new"] if alarms else ():
            logger.error("transfer id came again with other data", **conflict)
        differing = conflicting["rows"]
        return Posted(
            Counter(stages.values()), duplicates=len(batch) - posted - differing, conflicts=len(conflicting["new"])
        )

    async def refuse(self, connection: Connection, legs: Sequence[TransferPosted], reason: str, message: str) -> Posted:
        """Keep the refusal under the ids of all legs, unless they were posted or refused meanwhile."""
        cursor = await connection.execute(
            "INSERT INTO rewards.refusals (id, reason, message, fact, refused_at)"
            " SELECT l.id, %(reason)s, %(message)s, l.fact, to_timestamp(%(at_ms)s / 1000.0)"
            " FROM unnest(%(ids)s::uuid[], %(facts)s::bytea[]) AS l (id, fact)"
            " WHERE NOT EXISTS (SELECT FROM rewards.transfers t WHERE t.id = l.id) ON CONFLICT DO NOTHING",
            {
                "ids": [leg.id for leg in legs],
                "reason": reason,
                "message": message,
                "facts": [encode_fact(leg) for leg in legs],
                "at_ms": legs[0].posted_at_ms,
            },
        )
        logger.error("posting refused", transfers=[leg.id for leg in legs], reason=reason, message=message)
        return Posted(refused=cursor.rowcount, duplicates=len(legs) - cursor.rowcount)

    async def open_accounts(self, connection: Connection, addresses: AbstractSet[str]) -> None:
        """Make the accounts that are not there, outside of any transaction; one that stays empty does no harm.

        In a transaction that is rolled back, they would be gone again, while their ids are remembered here.
        """
        known = self._accounts
        missing = sorted(addresses - known.keys())
        if not missing:
            return
        if len(known) + len(missing) > ACCOUNTS_CACHE_MAX:
            known.clear()
            missing = sorted(addresses)
        await connection.execute(
            "INSERT INTO rewards.accounts (address) SELECT a FROM unnest(%s::text[]) a ORDER BY a"
            " ON CONFLICT DO NOTHING",
            (missing,),
        )
        # A second statement, because the first does not see what another process made meanwhile.
        await self._look_up(connection, missing)

    async def open_months(self, connection: Connection, times_ms: Iterable[int]) -> None:
        """Make the partitions of the months of these events, outside of any transaction."""
        await self._months.open(connection, times_ms)

    async def _account_ids(self, connection: Connection, batch: Sequence[TransferPosted]) -> dict[str, int]:
        """Ids of all accounts of the batch; they are open."""
        known = self._accounts
        missing = {a for t in batch for a in (t.debit, t.credit) if a not in known}
        if missing:
            await self._look_up(connection, sorted(missing))
        return known

    async def _look_up(self, connection: Connection, addresses: list[str]) -> None:
        cursor = await connection.execute(
            "SELECT address, id FROM rewards.accounts WHERE address = ANY (%s)", (addresses,)
        )
        self._accounts.update(await cursor.fetchall())


def message_of(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__
