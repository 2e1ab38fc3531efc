"""The topics of the bus: name, key, and who writes and reads each.

Everything about one partner is in one partition, in order, because the topics that rules and rewards work
on are keyed by partner and partitioned alike (Kafka's murmur2, the same on both buses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the bus.

    Attributes:
        name: As it stands on the bus.
        key: What the record key is.
        is_compacted: Whether only the newest record of a key is kept.
        is_rebuilt_from: Whether states are rebuilt from it, so that nothing of it is ever dropped.
        written_by, read_by: Services.
    """

    name: str
    key: str
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    is_compacted: bool = False
    is_rebuilt_from: bool = False

    @property
    def dlq(self) -> str:
        """The name of the topic's dead-letter queue."""
        return f"{self.name}.dlq"


CLICKS: Final = Topic("goodword.clicks", "link", ("tracking",), ())
REFERRALS: Final = Topic(
    "goodword.referrals", "partner", ("tracking", "rules", "rewards"), ("rules",), is_rebuilt_from=True
)
# Not by partner alone: a partner has a profile in each programme, and compaction would keep only the newest of them.
PARTNERS: Final = Topic("goodword.partners", "programme:partner", ("tracking",), ("notify",), is_compacted=True)
DECISIONS: Final = Topic("goodword.decisions", "partner", ("rules",), ("rewards", "notify", "rules"))
LEDGER: Final = Topic("goodword.ledger", "partner", ("rewards",), ("notify",))
# For whoever converts money that is earned; the rules have the same rates in the log of each partition, in their order.
RATES: Final = Topic("goodword.rates", "programme:day:pair", ("rules",), ("rewards",), is_compacted=True)

TOPICS: Final = (CLICKS, REFERRALS, PARTNERS, DECISIONS, LEDGER, RATES)

UNATTRIBUTED: Final = "unattributed"
"""The key of events that no partner could be named for; kept with the reason, claimable later."""
