"""Relay URLs, as a table."""

from __future__ import annotations

import pytest

from contracts.errors import PermanentError
from services.notify.relay import Relay, parse_relay


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://127.0.0.1:1025", Relay(host="127.0.0.1", port=1025)),
        ("smtp://mail.example.com", Relay(host="mail.example.com", port=25)),
        ("smtps://mail.example.com", Relay(host="mail.example.com", port=465, is_tls=True)),
        (
            "smtp://me%40example.com:p%3Ass@mail.example.com:587?starttls=1",
            Relay(host="mail.example.com", port=587, user="me@example.com", password="p:ss", is_starttls=True),
        ),
    ],
)
def test_a_url_names_a_relay(url: str, relay: Relay) -> None:
    assert parse_relay(url) == relay


@pytest.mark.parametrize("url", ["", "mail.example.com", "http://mail.example.com", "smtp://me:hunter2@:x", "smtp://"])
def test_another_url_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_relay(url)
    assert refused.value.problem.code == "smtp-url"
    assert "hunter2" not in str(refused.value)
