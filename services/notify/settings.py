"""Settings of the notify service: what every service shares, and its own limits under `GOODWORD_NOTIFY_*`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field, field_validator

from runtime.settings import Settings
from services.notify.addresses import parse_mailbox

PORT_DEFAULT: Final = 8713
GROUP_DECISIONS: Final = "notify-decisions"
GROUP_LEDGER: Final = "notify-ledger"
GROUP_PARTNERS: Final = "notify-partners"


class NotifySettings(Settings):
    """Where the servers are, who the mails come from, and how fast and how long we try."""

    port_default: ClassVar[int] = PORT_DEFAULT

    notify_from: str = "Goodword <goodword@localhost>"
    """The From header; its address is also the envelope's sender, its domain ends our Message-IDs."""
    notify_facts_age_max_days: Annotated[int, Field(ge=1)] = 7
    """Facts of events older than this are recorded as `too-old`, not mailed: importing history mails nobody."""
    notify_address_grace_s: Annotated[float, Field(ge=0)] = 10.0
    """How long a mail waits for its partner's address, which travels on another topic and may come later."""

    notify_linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 200
    """How long a fact may wait for more, so that the mails of many partitions are recorded at once."""

    notify_connections_max: Annotated[int, Field(ge=1, le=100)] = 4
    """Connections to the relay, and so mails in hand, of one process: a kill makes at most this many `unknown`."""
    notify_mails_per_second_max: Annotated[float, Field(gt=0)] = 100.0
    """Of one process; ask the relay's operator."""
    notify_answer_s_max: Annotated[float, Field(gt=0)] = 60.0
    """How long the relay may take to connect and to answer any command but the last."""
    notify_acceptance_s_max: Annotated[float, Field(gt=0)] = 600.0
    """How long it may take to confirm a mail it has all of (RFC 5321, section 4.5.3.2.6). After that the mail is
    `unknown`, so a short limit here makes unknown mails out of slow ones."""

    notify_retry_wait_s_min: Annotated[float, Field(gt=0)] = 5.0
    """How long a mail waits that the relay put off for the first time; twice as long each time after."""
    notify_retry_wait_s_max: Annotated[float, Field(gt=0)] = 900.0
    """The longest such wait."""
    notify_relay_wait_s_max: Annotated[float, Field(gt=0)] = 30.0
    """While the relay is away, it is tried again at most this long after the last time."""
    notify_give_up_hours: Annotated[float, Field(gt=0)] = 120.0
    """A mail put off for longer than this has failed (RFC 5321, section 4.5.4.1, asks for four to five days)."""

    notify_poll_s: Annotated[float, Field(gt=0)] = 0.5
    """How often an idle sender looks for mails that other processes wrote or whose time has come."""
    notify_recover_every_s: Annotated[float, Field(gt=0)] = 5.0
    """How often the mails that dead processes had in hand are looked for."""
    notify_stop_s_max: Annotated[float, Field(gt=0)] = 20.0
    """How long a stopping process waits for the mails in hand."""

    @field_validator("notify_from")
    @classmethod
    def _is_a_mailbox(cls, text: str) -> str:
        parse_mailbox(text)
        return text
