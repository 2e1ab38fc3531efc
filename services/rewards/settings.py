"""Settings of the rewards service: what every service shares, and its own limits under `GOODWORD_REWARDS_*`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, SecretStr

from runtime.settings import Settings
from services.rewards.gifts.giving import Limits, read_limits

NAME: Final = "rewards"
"""The service, its schema and its place in metrics."""
PORT_DEFAULT: Final = 8712
GROUP: Final = "rewards"
"""The consumer group that posts."""
GROUP_RATES: Final = "rewards-rates"
"""The consumer group that keeps exchange rates, for payouts."""
GROUP_ARCHIVE: Final = "rewards-archive"
"""The consumer group that keeps decisions for explanations."""


def _checked_limits(text: str) -> str:
    read_limits(text)
    return text


class RewardsSettings(Settings):
    """Where the servers are, and how much the ledger does at once."""

    port_default: ClassVar[int] = PORT_DEFAULT

    rewards_writers_max: Annotated[int, Field(ge=1, le=16)] = 2
    """Postings of one process that are in the database at the same time."""
    rewards_posting_transfers_max: Annotated[int, Field(ge=1, le=20_000)] = 4_000
    """Transfers of one posting; what waits meanwhile is posted together."""
    rewards_clock_every_ms: Annotated[int, Field(ge=10)] = 1_000
    """How often to look for holds that are over, and for what else has become due."""
    rewards_expiry_notice_days: Annotated[int, Field(ge=1, le=366)] = 30
    """How long before points expire their owner is told; what goes within twice that time is told together."""
    rewards_reserved_days_max: Annotated[int, Field(ge=1, le=366)] = 14
    """How long a redemption may stay reserved before it is cancelled by itself."""
    rewards_require_approval: bool = False
    """Somebody other than who prepared a payout run must approve it, on the command line too."""
    rewards_payouts_every_s: Annotated[float, Field(gt=0)] = 60.0
    """How often to look for payout runs that are due by their schedules."""
    rewards_gift_max: Annotated[str, AfterValidator(_checked_limits)] = ""
    """The most of one gift: `500 EUR, 10_000 POINTS`, what is no currency in minor units. Empty: no limit."""
    rewards_gift_person_year_max: Annotated[str, AfterValidator(_checked_limits)] = ""
    """The most that one person may be given within 365 days, written likewise. Empty: no limit."""
    rewards_archive_linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 200
    """How long the archive of decisions waits for more: nobody needs an explanation within that time."""
    rewards_relay_poll_ms: Annotated[int, Field(ge=10)] = 200
    """How often the relay looks for facts that another process has posted."""
    rewards_relay_transfers_max: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Facts that the relay has in hand."""
    rewards_http_connections_max: Annotated[int, Field(ge=4, le=64)] = 8
    """Requests over HTTP that change something, or whose key is looked up, at the same time."""
    rewards_requests_days: Annotated[int, Field(ge=1, le=366)] = 7
    """How long the answer to a request is kept for whoever sends it again under the same Idempotency-Key."""
    rewards_write_off_minor_max: Annotated[int, Field(ge=0)] = 100_000
    """The most, in minor units, that a key of finance writes off over HTTP; beyond it takes an approver's."""
    rewards_snapshots_every_s: Annotated[float, Field(gt=0)] = 10.0
    """How often snapshots of balances are brought up to date, and made where they are due."""
    rewards_snapshot_transfers: Annotated[int, Field(ge=1_000)] = 25_000
    """Transfers between two snapshots, from which any instant is read; each account has a row for those it has postings
    between.
    """
    rewards_trial_balance_every_s: Annotated[float, Field(gt=0)] = 30.0
    """How often the trial balance is drawn."""
    rewards_signing_key: SecretStr | None = None
    """The Ed25519 key that signs heads of the hash chain, as 64 hexadecimal digits or PEM. With neither this nor a
    file, none is signed."""
    rewards_signing_key_file: str | None = None
    """File of that key."""
    rewards_sign_every_s: Annotated[float, Field(gt=0)] = 10.0
    """How often the newest head is signed and told, when it has moved."""
    rewards_audit_every_s: Annotated[float, Field(gt=0)] = 3_600.0
    """How often balances are compared with the sum of all transfers, which reads the whole ledger."""

    @property
    def gift_limits(self) -> Limits:
        return Limits(read_limits(self.rewards_gift_max), read_limits(self.rewards_gift_person_year_max))
