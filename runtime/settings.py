"""Settings that every service shares, from `GOODWORD_*` environment variables or files.

A service's own `settings.py` extends these with its limits under `GOODWORD_<SERVICE>_*`. A value may also come
from a file: `GOODWORD_SECRETS_DIR` names a folder whose files are called like the settings (Docker secrets).
"""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PARTITIONS_DEFAULT = 8


class Settings(BaseSettings):
    """Where the servers are and how to say things."""

    model_config = SettingsConfigDict(
        env_prefix="GOODWORD_", extra="ignore", frozen=True, secrets_dir=os.environ.get("GOODWORD_SECRETS_DIR")
    )

    kafka: str | None = None
    """Bootstrap servers of Apache Kafka; None means the log in PostgreSQL."""
    postgres: str = "postgresql://goodword@127.0.0.1:5432/goodword"
    redis: str = "redis://127.0.0.1:6379/0"
    smtp: str = "smtp://127.0.0.1:1025"
    """`smtp://[user:password@]host:port`; `smtps://` for TLS from the start, `?starttls=1` for an upgrade."""
    admin_key: SecretStr | None = None
    """The operator's bearer key; it may do everything."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where this service's HTTP listens; 0 means its own default port."""

    partitions: Annotated[int, Field(ge=1, le=1024)] = PARTITIONS_DEFAULT
    """Partitions of a topic when it is created; cannot be changed later without a rebuild."""
    batch_records_max: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    batch_bytes_max: Annotated[int, Field(ge=1_024, le=256 * 1024 * 1024)] = 8 * 1024 * 1024

    retry_wait_ms_max: Annotated[int, Field(ge=1)] = 5_000
    retries_max: Annotated[int, Field(ge=0)] = 20
    """How often a batch is tried again before the service stops and pages."""
    dlq_share_max_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 100_000
    """More dead letters than this share of the recent records stop the service: it looks like a bad deploy."""
    dlq_run_max: Annotated[int, Field(ge=1)] = 100
    """More dead letters than this in a row stop the service."""

    gauges_every_s: Annotated[float, Field(gt=0)] = 5.0
    """How often gauges that must be asked for are renewed: lag, outbox, cache."""

    log_level: str = "INFO"
    log_json: bool = True
