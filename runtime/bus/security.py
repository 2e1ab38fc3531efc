"""How Kafka is spoken to: in the clear or over TLS, and as whom. Plain values; the adapter makes use of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """See the settings `GOODWORD_KAFKA_*`, where these come from.

    Attributes:
        is_tls: Whether connections are encrypted and the brokers' certificates verified.
        ca_file: What the brokers' certificates are verified with; None means the system's own authorities.
        certificate_file, key_file: Ours, where the brokers ask for one.
        mechanism: How we say who we are; None means not at all, or by certificate.
        user, password: For the mechanism.
    """

    is_tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    mechanism: Mechanism | None = None
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without the password: this ends up in logs."""
        return f"KafkaSecurity(is_tls={self.is_tls}, mechanism={self.mechanism}, user={self.user!r})"


IN_THE_CLEAR = KafkaSecurity()
