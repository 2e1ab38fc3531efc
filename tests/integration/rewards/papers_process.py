"""A process that issues papers, to be killed: `python -m tests.integration.rewards.papers_process URL SEED`.

It issues `references(SEED)` in batches of random sizes, shuffled, with credit notes in between; after each batch it
prints how many references it has seen issued.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.papers.store import Papers
from services.rewards.store import SETUP
from tests.support.papers import ISSUER, drafted

PAPERS = 160


async def main(url: str, seed: int) -> None:
    draw = random.Random(f"{seed}/{os.getpid()}")
    references = [f"payout/{number}" for number in range(PAPERS)]
    draw.shuffle(references)
    database = Database(url, application="rewards", setup=SETUP)
    await database.start()
    papers = Papers(database, clock=SystemClock())
    done = 0
    while done < PAPERS:
        batch = references[done : done + draw.randrange(1, 9)]
        issued = await papers.issue(ISSUER.issuer, [drafted(reference) for reference in batch])
        if draw.random() < 0.3:
            (invoice, _) = issued[0]
            await papers.correct(invoice.number, gross_minor=None, reference=f"back/{invoice.number}", reason="back")
        done += len(batch)
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
    await database.stop()
    sys.stdout.write("all\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
