"""A process that posts, to be killed: `python -m tests.integration.rewards.posting_process URL SEED`.

It posts `stream(SEED)` from the beginning, in batches whose sizes it draws anew, through the real writer, keeps every
decision in the archive, and relays facts to the bus. After each batch it prints how many decisions are durable.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from contracts.decisions import Decision, encode_decision
from contracts.topics import TOPICS
from runtime.bus.open import open_bus
from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.archive import ArchiveOwner
from services.rewards.outbox import Relay
from services.rewards.store import SETUP
from tests.support.decisions import decided, denied
from tests.support.ledger import transfers, writer_on

DECISIONS = 3_000


def stream(seed: int) -> list[Decision]:
    """Grants and denials of a few partners, a tenth of them twice in another place."""
    draw = random.Random(seed)
    made: list[Decision] = []
    for number in range(DECISIONS):
        partner = f"p{draw.randrange(20)}"
        if draw.random() < 0.3:
            made.append(denied(number, partner=partner))
        else:
            made.append(decided(number, partner=partner, amount_minor=draw.randrange(1, 10**6)))
    for decision in draw.sample(made, DECISIONS // 10):
        made.insert(draw.randrange(len(made)), decision)
    return made


async def main(url: str, seed: int) -> None:
    decisions = stream(seed)
    sizes = random.Random(os.getpid())
    bus = open_bus(kafka=None, postgres=url, client="posting-process")
    await bus.start()
    await bus.ensure_topics(TOPICS, 4)
    database = Database(url, application="rewards", setup=SETUP)
    await database.start()
    relay = Relay(url, bus, setup=SETUP, poll_s=0.05, transfers_max=500)
    await relay.start()
    writer = writer_on(database, posting_transfers_max=500, on_posted=lambda posted: relay.wake())
    archive = ArchiveOwner(database=database, clock=SystemClock())
    done = 0
    while done < len(decisions):
        batch = decisions[done : done + sizes.randrange(1, 120)]
        middle = len(batch) // 2
        await asyncio.gather(
            writer.post(transfers(*batch[:middle])),
            writer.post(transfers(*batch[middle:])),
            archive.keep([encode_decision(decision) for decision in batch]),
        )
        done += len(batch)
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
    while await database.fetch_all("SELECT 1 FROM rewards.outbox LIMIT 1"):  # noqa: ASYNC110 - another process's work
        await asyncio.sleep(0.02)
    await relay.stop()
    await database.stop()
    await bus.close()
    sys.stdout.write("all\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
