"""Posts what waits together: many small batches from many partitions become few large postings.

Postings of one programme wait for each other's commit on the programme's balance row anyway, so while one is in
the database the next one gathers. A batch is posted as a whole, and `post` returns when its posting is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from contracts.facts import TransferPosted
from runtime.clock import Clock
from runtime.together import Together
from services.rewards.lives.settling import Settler
from services.rewards.postings import Careful
from services.rewards.store import Ledger, Posted


class Writer:
    """Posts for many tasks.

    Args:
        ledger, settler: Where to post, and where to settle.
        writers_max: Postings in the database at once.
        posting_transfers_max: Transfers of one posting; a single larger batch is posted alone.
        on_posted: Told what became of each posting, once durable.
    """

    def __init__(
        self,
        ledger: Ledger,
        settler: Settler,
        *,
        clock: Clock,
        writers_max: int,
        posting_transfers_max: int,
        on_posted: Callable[[Posted], None] = lambda posted: None,
    ) -> None:
        self._ledger = ledger
        self._settler = settler
        self._clock = clock
        self._on_posted = on_posted
        self._posted = Together(
            self._post_all, name="writer", at_once_max=writers_max, weight=len, weight_max=posting_transfers_max
        )

        self._settled = Together(
            self._settle_all, name="settler", at_once_max=writers_max, weight=len, weight_max=posting_transfers_max
        )

    async def post(self, transfers: Sequence[TransferPosted]) -> None:
        """Post a batch; durable when it returns.

        Raises:
            TransientError: The database is away; give the same batch again.
        """
        if transfers:
            await self._posted.call(transfers)

    async def settle(self, careful: Sequence[Careful]) -> None:
        """Settle a batch in its order; durable when it returns.

        Raises:
            TransientError: The database is away; give the same batch again.
        """
        if careful:
            await self._settled.call(careful)

    async def _settle_all(self, batches: list[Sequence[Careful]]) -> list[None]:
        careful = [one for batch in batches for one in batch]
        self._on_posted(await self._settler.settle(careful, at_ms=self._clock.now_ms()))
        return [None] * len(batches)

    async def _post_all(self, batches: list[Sequence[TransferPosted]]) -> list[None]:
        self._on_posted(await self._ledger.post([transfer for batch in batches for transfer in batch]))
        return [None] * len(batches)
