"""Settings that every service shares, from `GOODWORD_*` environment variables or files.

A service's own `settings.py` extends these with its limits under `GOODWORD_<SERVICE>_*`. A value may also come
from a file: `GOODWORD_SECRETS_DIR` names a folder whose files are called like the settings (Docker secrets).
"""

from __future__ import annotations

import os
from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.bus.retention import Retention
from runtime.bus.security import KafkaSecurity, Mechanism

PARTITIONS_DEFAULT = 8


class Settings(BaseSettings):
    """Where the servers are and how to say things."""

    model_config = SettingsConfigDict(
        env_prefix="GOODWORD_", extra="ignore", frozen=True, secrets_dir=os.environ.get("GOODWORD_SECRETS_DIR")
    )

    port_default: ClassVar[int] = 0
    """The service's own port."""

    kafka: str | None = None
    """Bootstrap servers of Apache Kafka; None means the log in PostgreSQL."""
    kafka_tls: bool = False
    """Speak TLS to Kafka and verify its certificates."""
    kafka_tls_ca: str | None = None
    """File of the authorities that Kafka's certificates are verified with; None means the system's."""
    kafka_tls_certificate: str | None = None
    """File of our own certificate, where Kafka asks for one."""
    kafka_tls_key: str | None = None
    """File of its key, unless that is in the certificate's file."""
    kafka_sasl: Mechanism | None = None
    """`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; None means that we do not say who we are."""
    kafka_user: str = ""
    """Who we are to Kafka."""
    kafka_password: SecretStr = SecretStr("")
    """Its password; PLAIN without TLS sends it in the clear."""
    postgres: str = "postgresql://goodword@127.0.0.1:5432/goodword"
    """URL as libpq reads it; TLS by `?sslmode=verify-full&sslrootcert=FILE`, several hosts by commas."""
    redis: str = "redis://127.0.0.1:6379/0"
    """`redis://[user:password@]host:port/number` of Redis or Valkey; `rediss://` for TLS."""
    smtp: str = "smtp://127.0.0.1:1025"
    """`smtp://[user:password@]host:port`; `smtps://` for TLS from the start, `?starttls=1` for an upgrade."""
    admin_key: SecretStr | None = None
    """The operator's bearer key; it may do everything."""

    host: str = "127.0.0.1"
    """The address that this service's HTTP listens on; 0.0.0.0 in a container."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Its port; 0 means the service's own: tracking 8710, rules 8711, rewards 8712, notify 8713."""

    partitions: Annotated[int, Field(ge=1, le=1024)] = PARTITIONS_DEFAULT
    """Partitions of a topic when it is created; cannot be changed later without a rebuild."""
    batch_records_max: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    """Records of one batch, and so of one partition, in hand."""
    batch_bytes_max: Annotated[int, Field(ge=1_024, le=256 * 1024 * 1024)] = 8 * 1024 * 1024
    """Bytes of one batch; a single larger record is a batch of its own."""

    log_retention_days: Annotated[float, Field(gt=0)] | None = None
    """Records of the log in PostgreSQL that are older go, once every group has handled them; None keeps them. Never
    those of `goodword.referrals`, which states are rebuilt from, nor dead letters. Kafka has settings of its own."""
    log_partition_bytes_max: Annotated[int, Field(ge=1_048_576)] | None = None
    """Of such a topic's partition, the oldest records beyond this go likewise; None keeps them."""
    log_maintenance_every_s: Annotated[float, Field(gt=0)] = 3_600.0
    """How often one of the processes drops them, and compacts `goodword.partners`."""

    retry_wait_ms_max: Annotated[int, Field(ge=1)] = 5_000
    """The longest pause between two tries of a batch; pauses double from 50 ms up to it."""
    retries_max: Annotated[int, Field(ge=0)] = 20
    """How often a batch is tried again before the service stops and pages."""
    dlq_share_max_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 100_000
    """More dead letters than this share of the recent records stop the service: it looks like a bad deploy."""
    dlq_run_max: Annotated[int, Field(ge=1)] = 100
    """More dead letters than this in a row stop the service."""

    gauges_every_s: Annotated[float, Field(gt=0)] = 5.0
    """How often gauges that must be asked for are renewed: lag, outbox, cache."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    log_json: bool = True
    """One JSON object a line; false for eyes."""

    @model_validator(mode="after")
    def _kafka_settings_belong_together(self) -> Self:
        if self.kafka_sasl and not (self.kafka_user and self.kafka_password.get_secret_value()):
            raise ValueError("GOODWORD_KAFKA_SASL needs GOODWORD_KAFKA_USER and GOODWORD_KAFKA_PASSWORD")
        if self.kafka_user and not self.kafka_sasl:
            raise ValueError("GOODWORD_KAFKA_USER needs GOODWORD_KAFKA_SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
        if not self.kafka_tls and (self.kafka_tls_ca or self.kafka_tls_certificate):
            raise ValueError("GOODWORD_KAFKA_TLS_CA and GOODWORD_KAFKA_TLS_CERTIFICATE need GOODWORD_KAFKA_TLS=true")
        return self

    @property
    def http_port(self) -> int:
        return self.port or self.port_default

    @property
    def kafka_security(self) -> KafkaSecurity:
        return KafkaSecurity(
            is_tls=self.kafka_tls,
            ca_file=self.kafka_tls_ca,
            certificate_file=self.kafka_tls_certificate,
            key_file=self.kafka_tls_key,
            mechanism=self.kafka_sasl,
            user=self.kafka_user,
            password=self.kafka_password.get_secret_value(),
        )

    @property
    def retention(self) -> Retention:
        return Retention(self.log_retention_days, self.log_partition_bytes_max, self.log_maintenance_every_s)
