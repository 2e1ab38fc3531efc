"""Which bus: Kafka when it is named, else the log in PostgreSQL. The only place that knows both."""

from __future__ import annotations

from runtime.bus.port import PUBLISH_WAIT_S_MAX, Bus
from runtime.bus.retention import Retention
from runtime.bus.security import IN_THE_CLEAR, KafkaSecurity
from runtime.settings import Settings


def bus_of(settings: Settings, *, client: str) -> Bus:
    """The bus that the settings name, not started yet. `client` is the name of the service; see `open_bus`."""
    return open_bus(
        kafka=settings.kafka,
        postgres=settings.postgres,
        client=client,
        security=settings.kafka_security,
        retention=settings.retention,
    )


def open_bus(
    *,
    kafka: str | None,
    postgres: str,
    client: str,
    security: KafkaSecurity = IN_THE_CLEAR,
    retention: Retention | None = None,
    publish_wait_s_max: float = PUBLISH_WAIT_S_MAX,
) -> Bus:
    """A bus that is not started yet.

    Args:
        kafka: Bootstrap servers, `host:port,host:port`; None means the log in PostgreSQL.
        postgres: URL of the database that keeps the log; unused with Kafka.
        client: The name of the service, for the server's own logs and views.
        security: How Kafka is spoken to; unused with the log.
        retention: How the log is looked after by this process; None leaves that to the services. Unused with Kafka.
        publish_wait_s_max: How long a publish waits in an outage before it raises BusUnavailable.
    """
    # Imported here, so that a process on one bus does not load the other's libraries (80 ms, 25 MB).
    if kafka:
        from runtime.bus.kafka import KafkaBus

        return KafkaBus(kafka, client=client, security=security, publish_wait_s_max=publish_wait_s_max)
    from runtime.bus.postgres import PostgresBus

    return PostgresBus(postgres, client=client, retention=retention, publish_wait_s_max=publish_wait_s_max)
