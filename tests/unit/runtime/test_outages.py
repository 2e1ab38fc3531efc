"""What passes, what stays until somebody changes a setting, and what is neither."""

from __future__ import annotations

import socket

import psycopg
import pytest
import redis.exceptions
import sqlalchemy.exc
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from contracts.errors import PermanentError, Problem, TransientError
from runtime.bus.port import BusUnavailable
from runtime.outages import is_outage, reason_of, refusal_of


def caused_by(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


REFUSED = psycopg.OperationalError('connection failed: FATAL:  password authentication failed for user "goodword"')
AWAY = psycopg.OperationalError("connection refused\n\tIs the server running?")


@pytest.mark.parametrize(
    "error",
    [
        TransientError("later"),
        AWAY,
        psycopg.errors.CannotConnectNow("the database system is starting up"),
        caused_by(sqlalchemy.exc.OperationalError("SELECT 1", {}, AWAY), AWAY),
        caused_by(BusUnavailable("Kafka"), KafkaConnectionError("Unable to bootstrap")),
        ConnectionRefusedError(),
        TimeoutError(),
        socket.gaierror(-2, "Name or service not known"),
    ],
)
def test_an_outage_is_waited_for(error: Exception) -> None:
    assert is_outage(error)
    assert refusal_of(error) is None


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (REFUSED, "GOODWORD_POSTGRES"),
        (caused_by(BusUnavailable("PostgreSQL"), REFUSED), "GOODWORD_POSTGRES"),
        (caused_by(sqlalchemy.exc.OperationalError("SELECT 1", {}, REFUSED), REFUSED), "GOODWORD_POSTGRES"),
        (psycopg.OperationalError('FATAL:  role "nobody" does not exist'), "GOODWORD_POSTGRES"),
        (psycopg.OperationalError('FATAL:  database "nowhere" does not exist'), "GOODWORD_POSTGRES"),
        (
            caused_by(TransientError("Redis"), redis.exceptions.AuthenticationError("WRONGPASS invalid")),
            "GOODWORD_REDIS",
        ),
        (caused_by(BusUnavailable("Kafka"), SaslAuthenticationFailed("no")), "GOODWORD_KAFKA"),
    ],
)
def test_a_refusal_is_told_with_the_setting_to_look_at(error: Exception, setting: str) -> None:
    assert not is_outage(error)
    refusal = refusal_of(error)
    assert refusal is not None
    assert refusal.code == "server-refuses"
    assert setting in refusal.where
    assert refusal.help


@pytest.mark.parametrize("error", [PermanentError(Problem(code="x", message="x")), ValueError(), KeyError("x")])
def test_a_mistake_is_neither(error: Exception) -> None:
    assert not is_outage(error)
    assert refusal_of(error) is None


def test_the_reason_is_the_first_line_of_where_it_began() -> None:
    assert reason_of(caused_by(BusUnavailable("PostgreSQL: away"), AWAY)) == "connection refused"
    assert reason_of(TimeoutError()) == "TimeoutError"
