"""Telling an outage, which passes, from a refusal, which stays until somebody changes a setting.

Client libraries wrap what happened, some of them twice; so all of a chain of causes is looked at. Both are asked when a
service starts: what is away is waited for, what refuses us is told at once.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from typing import Final

import psycopg

from contracts.errors import Problem, TransientError

_PASSING: Final = (
    TransientError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
"""A name that does not resolve yet belongs here: containers start in any order."""

# libpq gives no SQLSTATE for a connection that never came to be, only the server's words.
_POSTGRES_REFUSES: Final = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "certificate verify failed",
    "does not support SSL",
    "permission denied for",
)
_POSTGRES_HAS_NO: Final = ("role ", "database ")
_REFUSALS_BY_MODULE: Final = {
    "redis.exceptions": ("AuthenticationError", "AuthenticationWrongNumberOfArgsError", "NoPermissionError"),
    "aiokafka.errors": (
        "AuthenticationFailedError",
        "AuthenticationMethodNotSupported",
        "ClusterAuthorizationFailedError",
        "GroupAuthorizationFailedError",
        "IllegalSaslStateError",
        "SaslAuthenticationFailed",
        "TopicAuthorizationFailedError",
        "UnsupportedSaslMechanismError",
    ),
}
_NAMES: Final = {
    "redis.exceptions": ("Redis", "GOODWORD_REDIS"),
    "aiokafka.errors": ("Kafka", "GOODWORD_KAFKA and GOODWORD_KAFKA_*"),
}


def is_outage(error: BaseException) -> bool:
    """Whether trying again later may help."""
    return refusal_of(error) is None and any(isinstance(one, _PASSING) for one in _chain(error))


def refusal_of(error: BaseException) -> Problem | None:
    """What to tell when a server refuses us: user, password, database, certificate or rights; None for all else."""
    for one in _chain(error):
        if isinstance(one, psycopg.OperationalError) and _is_refusal_of_postgres(str(one)):
            return _refused("PostgreSQL", "GOODWORD_POSTGRES", one)
        for module, names in _REFUSALS_BY_MODULE.items():
            # A library that this process has not loaded has raised nothing.
            loaded = sys.modules.get(module)
            kinds = tuple(kind for name in names if isinstance(kind := getattr(loaded, name, None), type))
            if isinstance(one, kinds):
                return _refused(*_NAMES[module], one)
        if isinstance(one, ssl.SSLCertVerificationError):
            return Problem(
                code="server-refused",
                message=f"we do not trust a server: {_first_line(one)}",
                where="GOODWORD_KAFKA_TLS_CA, or the URL of the server",
                help="name the file of the authority that signed its certificate; waiting would not help",
            )
    return None


def reason_of(error: BaseException) -> str:
    """The first line of what stands at the beginning of the chain, without what libraries wrapped round it."""
    *_, first = _chain(error)
    return _first_line(first)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_refusal_of_postgres(text: str) -> bool:
    if any(words in text for words in _POSTGRES_REFUSES):
        return True
    return "does not exist" in text and any(f'{what}"' in text for what in _POSTGRES_HAS_NO)


def _refused(server: str, setting: str, error: BaseException) -> Problem:
    return Problem(
        code="server-refuses",
        message=f"{server} refuses us: {_first_line(error)}",
        where=setting,
        help=f"check user, password, rights, name and TLS in {setting}; waiting would not help",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the last one being where it began."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
