"""What a run ended in: everything that must not depend on what was killed on the way."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import httpx

from contracts.decisions import Decision
from services.rewards.archive import unpack
from tests.support.stack import UpStack

MAILS_S_MAX = 120.0


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes:
        balances: (account, unit) to minor.
        tiers: Partner to tier.
        decisions: Id to decision, granted and denied, as the ledger's archive keeps them.
        mails: Outcome to how many.
        letters: Message-ID to how often the sink got it.
    """

    balances: dict[tuple[str, str], int]
    tiers: dict[str, str | None]
    decisions: dict[str, Decision]
    mails: dict[str, int]
    letters: Counter[str]

    @classmethod
    def of(cls, stack: UpStack) -> Outcome:
        """Read it from a stack that was drained; waits for the mails."""
        wait_for_mails(stack)
        page = stack.state.mail_page
        assert page is not None
        letters = Counter(
            mail["message_id"]
            for mail in httpx.get(f"{page}/api/mails", params={"limit": 1_000}, timeout=60).json()["mails"]
        )
        return cls(stack.balances(), stack.tiers(), decisions(stack), mails(stack), letters)


def decisions(stack: UpStack) -> dict[str, Decision]:
    found: dict[str, Decision] = {}
    for format, body in stack.query("SELECT format, body FROM rewards.decision_blobs ORDER BY id"):
        for decision in unpack(format, bytes(body)):
            assert found.setdefault(decision.id, decision) == decision, f"{decision.id} was decided twice, differently"
    return found


def mails(stack: UpStack) -> dict[str, int]:
    counts = dict(stack.query("SELECT state, count(*) FROM notify.mails GROUP BY state"))
    return Counter({str(state): int(count) for state, count in counts.items()})


def wait_for_mails(stack: UpStack) -> None:
    """Until notify has nothing left to send and has taken all facts, twice in a row."""
    deadline = time.monotonic() + MAILS_S_MAX
    calm = 0
    while calm < 2:
        counts, behind = mails(stack), -1
        if not counts["pending"] and not counts["sending"]:
            behind = sum(group["lag"] for service in stack.json("status")["services"] for group in service["groups"])
        calm = calm + 1 if behind == 0 else 0
        assert time.monotonic() < deadline, (
            f"mails do not end: {dict(counts)}, {behind} records behind\n{stack.words()}"
        )
        time.sleep(0.3)
