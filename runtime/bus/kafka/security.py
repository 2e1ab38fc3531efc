"""TLS and SASL of every client that the adapter makes: producer, consumers, admin, and FastStream's broker.

aiokafka hides in a log line why it could not connect; `probe` asks once more and raises it, so that a service that is
refused can say so instead of waiting.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from aiokafka.conn import create_conn
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from contracts.errors import PermanentError, Problem
from runtime.bus.security import KafkaSecurity

PROBE_MS_MAX: Final = 5_000
_SASL: Final = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def client_options(security: KafkaSecurity) -> dict[str, Any]:
    """What aiokafka's clients take. Raises PermanentError(`kafka-tls-unusable`) for files that cannot be used."""
    options: dict[str, Any] = {
        "security_protocol": ("SASL_" if security.mechanism else "") + ("SSL" if security.is_tls else "PLAINTEXT"),
        "ssl_context": _context(security),
    }
    if security.mechanism:
        options |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.user,
            "sasl_plain_password": security.password,
        }
    return options


def broker_security(security: KafkaSecurity) -> BaseSecurity:
    """The same for FastStream's broker."""
    context = _context(security)
    if security.mechanism:
        return _SASL[security.mechanism](security.user, security.password, ssl_context=context, use_ssl=security.is_tls)
    return BaseSecurity(ssl_context=context, use_ssl=security.is_tls)


async def probe(servers: str, options: dict[str, Any]) -> None:
    """Connect to one of the brokers, and close. Raises what stands in the way at the last of them."""
    last: Exception | None = None
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            connection = await create_conn(host.strip("[]"), int(port), request_timeout_ms=PROBE_MS_MAX, **options)
        except Exception as error:  # noqa: BLE001 - told to the caller, whatever it is
            last = error
        else:
            connection.close()
            return
    if last is not None:
        raise last


def _context(security: KafkaSecurity) -> ssl.SSLContext | None:
    if not security.is_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
        if security.certificate_file:
            context.load_cert_chain(security.certificate_file, security.key_file)
    except OSError as error:  # ssl.SSLError is one.
        raise PermanentError(
            Problem(
                code="kafka-tls-unusable",
                message=f"the files for TLS to Kafka cannot be used: {error}",
                where=", ".join(
                    name for name in (security.ca_file, security.certificate_file, security.key_file) if name
                ),
                help="check GOODWORD_KAFKA_TLS_CA, GOODWORD_KAFKA_TLS_CERTIFICATE and GOODWORD_KAFKA_TLS_KEY",
            )
        ) from error
    return context
