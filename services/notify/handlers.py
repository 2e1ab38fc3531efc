"""What happens to a batch of each topic: read, record the mails, commit; nothing is sent from here.

A mail is a durable row before the position moves on, so a fact that was handled has its mail, and a fact
delivered again finds it there. The sender works from the rows and is only woken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from runtime.bus.dead_letters import DeadLetters
from runtime.bus.port import Batch, Received
from runtime.clock import Clock
from runtime.database import OUTAGES, Database
from runtime.metrics import Metrics
from runtime.together import Together
from services.notify.decode import Unreadable, entries_of_partners
from services.notify.messages import Mail, is_too_old
from services.notify.settings import NotifySettings
from services.notify.store import add_mails, put_partners

Read = Callable[[Sequence[Received]], tuple[list[Mail], list[Unreadable]]]
"""Records to mails, and what could not be read (`services.notify.decode`)."""


TOGETHER_MAX: Final = 4_000
"""Mails of batches of several partitions that are recorded by one statement."""


class _Mails(NamedTuple):
    """The mails of one batch: those to be sent, and those that are too old to tell."""

    told: list[Mail]
    untold: list[Mail]


class _Owner:
    """What both kinds of owners share: partitions start where the group committed."""

    async def assigned(self, topic: str, partition: int) -> None:
        return None

    async def revoked(self, topic: str, partition: int) -> None:
        """Nothing is kept of a partition."""


class FactsOwner(_Owner):
    """Owner of partitions of decisions or of ledger facts.

    Args:
        wake: Called when there is something to send.
    """

    def __init__(
        self,
        read: Read,
        *,
        settings: NotifySettings,
        database: Database,
        dead_letters: DeadLetters,
        clock: Clock,
        metrics: Metrics,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._dead_letters = dead_letters
        self._clock = clock
        self._read = read
        self._age_max_days = settings.notify_facts_age_max_days
        self._grace_ms = round(settings.notify_address_grace_s * 1000)
        self._mails_total = metrics.counter("mails_total")
        self._wake = wake
        self._recorded = Together(
            self._record,
            name="mails",
            weight=lambda mails: len(mails.told) + len(mails.untold),
            weight_max=TOGETHER_MAX,
            is_shared=lambda error: isinstance(error, OUTAGES),
        )

    async def handle(self, batch: Batch) -> None:
        mails, unreadable = self._read(batch.records)
        await self._dead_letters.reject_all(batch.topic, batch.partition, unreadable)
        now_ms = self._clock.now_ms()
        told: list[Mail] = []
        untold: list[Mail] = []
        for mail in mails:
            is_old = is_too_old(mail.time_ms, now_ms=now_ms, age_max_days=self._age_max_days)
            (untold if is_old else told).append(mail)
        if mails:
            await self._recorded.call(_Mails(told, untold))
        await batch.commit()
        if told:
            self._wake()

    async def _record(self, batches: list[_Mails]) -> list[None]:
        added = await add_mails(
            self._database,
            [mail for batch in batches for mail in batch.told],
            [mail for batch in batches for mail in batch.untold],
            now_ms=self._clock.now_ms(),
            grace_ms=self._grace_ms,
        )
        for one in added:
            if one.state != "pending":
                self._mails_total.labels(one.kind, one.state).inc(one.count)
        return [None] * len(batches)


class PartnersOwner(_Owner):
    """Owner of partitions of partner snapshots: keeps the address book."""

    def __init__(
        self,
        *,
        database: Database,
        dead_letters: DeadLetters,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._dead_letters = dead_letters
        self._clock = clock
        self._wake = wake

    async def handle(self, batch: Batch) -> None:
        entries, unreadable = entries_of_partners(batch.records)
        await self._dead_letters.reject_all(batch.topic, batch.partition, unreadable)
        await put_partners(self._database, entries, now_ms=self._clock.now_ms())
        await batch.commit()
        self._wake()
