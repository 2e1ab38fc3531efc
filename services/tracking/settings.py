"""Settings of the tracking service: what every service shares, and its own limits under `GOODWORD_TRACKING_*`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field, SecretStr

from runtime.settings import Settings

PORT_DEFAULT: Final = 8710

DAY_S: Final = 24 * 3600


class TrackingSettings(Settings):
    """Where the servers are, and how much the front door takes, keeps and remembers."""

    port_default: ClassVar[int] = PORT_DEFAULT

    tracking_body_bytes_max: Annotated[int, Field(ge=1024)] = 5 * 1024 * 1024
    """The largest request body; larger ones are answered 413."""
    tracking_events_max: Annotated[int, Field(ge=1)] = 5_000
    """Events in one request; more are answered 413."""
    tracking_body_seconds_max: Annotated[float, Field(gt=0)] = 30.0
    """A sender that takes longer to send its body is answered 408."""
    tracking_inflight_bytes_max: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    """Bytes of bodies in hand at one time; beyond it, 503 with `Retry-After`. Memory used is some times as much."""
    tracking_retry_after_s: Annotated[int, Field(ge=1)] = 2
    """`Retry-After` of a 503, in seconds."""
    tracking_redis_seconds_max: Annotated[float, Field(gt=0)] = 3.0
    """Redis not answering for this long counts as away."""

    tracking_seen_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """How long an id is remembered at least; each costs about 60 bytes in Redis. Later repeats are dropped by rules."""
    tracking_future_s_max: Annotated[int, Field(ge=0)] = 300
    """How far in the future an event's time may be."""

    tracking_partners_cached_max: Annotated[int, Field(ge=1)] = 100_000
    """Partners that this process remembers to be registered; beyond it, the oldest are asked for again."""
    tracking_keys_cached_s: Annotated[float, Field(ge=0)] = 5.0
    """How long a key is trusted without asking PostgreSQL again: a revoked key works at most this much longer."""
    tracking_links_cached_s: Annotated[float, Field(ge=0)] = 30.0
    """How long a link is used without asking PostgreSQL again."""
    tracking_cached_max: Annotated[int, Field(ge=1)] = 10_000
    """Keys, and links, cached in this process."""

    tracking_click_secret: SecretStr | None = None
    """Signs click ids. None: a secret made at the first start and kept in PostgreSQL, the same for all processes."""
    tracking_click_days_max: Annotated[int, Field(ge=1, le=3650)] = 90
    """A click this long before the event attributes it no more; also `Max-Age` of the cookie."""
    tracking_cookie_secure: bool = False
    """Whether the click cookie is for HTTPS only; set it wherever links are served over HTTPS."""
    tracking_clicks_waiting_max: Annotated[int, Field(ge=1)] = 10_000
    """Clicks kept in memory while the log is away; beyond it they are counted as lost. The redirect works anyway."""
