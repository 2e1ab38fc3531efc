"""Settings of the rules service: what every service shares, and its own limits under `GOODWORD_RULES_*`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field

from runtime.settings import Settings
from services.rules.lifecycle.policy import Policy

PORT_DEFAULT: Final = 8711
NAME: Final = "rules"
GROUP: Final = "rules"
"""The consumer group that decides."""
GROUP_CONTESTS: Final = "contests"
"""The group that keeps the standings."""
GROUP_HISTORY: Final = "rules-history"
"""The group that keeps events by partner, for explanations."""
GROUP_SHADOW: Final = "rules-shadow"
"""The group that decides a draft beside what is in force, while somebody wants that."""


class RulesSettings(Settings):
    """Where the servers are, and how much the rules service may hold in memory."""

    port_default: ClassVar[int] = PORT_DEFAULT

    rules_cache_bytes_max: Annotated[int, Field(ge=1024 * 1024)] = 256 * 1024 * 1024
    """Partner states kept in this process, all partitions together; beyond it, the least recently used are dropped."""
    rules_rule_labels_max: Annotated[int, Field(ge=1)] = 500
    """Distinct (programme, rule) labels of `decisions_total`; any further rule is counted as `other`."""
    rules_require_approval: bool = False
    """Somebody other than its author must approve a revision before it is activated, on the command line too."""
    rules_require_backtest: bool = False
    """A revision must have been back-tested against the active one before it is activated."""
    rules_gc_busy_s_max: Annotated[float, Field(gt=0)] = 60.0
    """Garbage is collected when the service is idle, and at the latest after this long under load."""
    rules_explain_events_max: Annotated[int, Field(ge=1)] = 50_000
    """Events of one partner that are played again to explain one; more are refused over HTTP."""
    rules_shadow_cache_bytes_max: Annotated[int, Field(ge=1024 * 1024)] = 64 * 1024 * 1024
    """Partner states that a shadow keeps in this process, both sides of all partitions together."""
    rules_shadow_every_s: Annotated[float, Field(gt=0)] = 5.0
    """Between two looks at whether a shadow was started or ended, and between two times that it keeps what it found."""
    rules_playground: bool = True
    """Serve the page /playground, on which rules are tried out; it never touches what is live."""

    @property
    def policy(self) -> Policy:
        """What these settings ask of a publication."""
        return Policy(require_approval=self.rules_require_approval, require_backtest=self.rules_require_backtest)

    rules_day_close_delay_s: Annotated[float, Field(ge=0)] = 900.0
    """How long after local midnight a day closes, for programmes with inactivity or contests."""
    rules_clock_every_s: Annotated[float, Field(gt=0)] = 60.0
    """Between two looks at whether a day or a contest is to be closed."""
