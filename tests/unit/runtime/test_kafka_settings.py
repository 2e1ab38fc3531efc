"""Settings of Kafka's security that belong together, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.errors import PermanentError
from runtime.bus.open import bus_of
from runtime.settings import Settings


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KAFKA_SASL": "PLAIN", "KAFKA_USER": "u"}, "GOODWORD_KAFKA_PASSWORD"),
        ({"KAFKA_USER": "u", "KAFKA_PASSWORD": "p"}, "needs GOODWORD_KAFKA_SASL"),
        ({"KAFKA_TLS_CA": "/ca.pem"}, "GOODWORD_KAFKA_TLS=true"),
        ({"KAFKA_SASL": "GSSAPI"}, "SCRAM-SHA-512"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"GOODWORD_{name}", value)
    with pytest.raises(ValidationError, match=words):
        Settings()


def test_a_certificate_file_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOODWORD_KAFKA", "localhost:9092")
    monkeypatch.setenv("GOODWORD_KAFKA_TLS", "true")
    monkeypatch.setenv("GOODWORD_KAFKA_TLS_CA", str(tmp_path / "ca.pem"))
    with pytest.raises(PermanentError) as error:
        bus_of(Settings(), client="test")
    assert error.value.problem.code == "kafka-tls-unusable"
    assert "ca.pem" in error.value.problem.where


def test_the_password_is_in_no_text_that_ends_up_in_logs() -> None:
    settings = Settings(kafka_sasl="PLAIN", kafka_user="u", kafka_password="tell-nobody")
    assert "tell-nobody" not in f"{settings!r} {settings.kafka_security!r}"
