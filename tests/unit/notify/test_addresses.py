"""What may stand in an envelope or a header, as tables; and for any text at all, as a property."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.addresses import TEXT_LENGTH_MAX, mailbox, one_line, parse_mailbox, usable_address

ADDRESSES = [
    ("moses@example.com", "moses@example.com"),
    (" moses@example.com ", "moses@example.com"),
    ("o'neil+tag@sub.example.co.uk", "o'neil+tag@sub.example.co.uk"),
    ("łukasz@bücher.example", "łukasz@xn--bcher-kva.example"),
    ("moses@localhost", "moses@localhost"),
    (None, None),
    ("", None),
    ("moses", None),
    ("@example.com", None),
    ("moses@", None),
    ("moses@example..com", None),
    ("moses@-example.com", None),
    ("moses@exa mple.com", None),
    ("moses@example.com\r\nBcc: evil@example.com", None),
    ("mo\nses@example.com", None),
    ("mo\u2028ses@example.com", None),
    ("moses@example.com, evil@example.com", None),
    ("<moses@example.com>", None),
    ('"moses frase"@example.com', None),
    (".moses@example.com", None),
    ("mo..ses@example.com", None),
    ("moses@[127.0.0.1]", None),
    ("m" * 65 + "@example.com", None),
    ("moses@" + "a." * 130 + "com", None),
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_an_address_is_usable_or_none(text: str | None, address: str | None) -> None:
    assert usable_address(text) == address


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Moses\r\nBcc: evil@example.com", "Moses Bcc: evil@example.com"),
        ("a\x00b\x1bc\x85d\u2028e", "a b c d e"),
        ("  many   spaces ", "many spaces"),
        ("user\u202egpj.exe", "user gpj.exe"),
        ("Łódź 東京 🎉", "Łódź 東京 🎉"),
        ("x" * 500, "x" * (TEXT_LENGTH_MAX - 1) + "…"),
    ],
)
def test_text_becomes_one_printable_line(text: str, line: str) -> None:
    assert one_line(text) == line


@settings(deadline=None)
@given(name=st.text(), address=st.emails())
def test_no_name_or_address_adds_a_header(name: str, address: str) -> None:
    usable = usable_address(address)
    if usable is None:
        return
    message = EmailMessage(policy=SMTPUTF8)
    message["To"] = mailbox(name, usable)
    message["Subject"] = one_line(name)
    message.set_content("text")
    read = message_from_bytes(message.as_bytes(), policy=SMTPUTF8)
    assert [key.lower() for key in read.keys()] == [  # noqa: SIM118 - a message's keys repeat, a set of them does not
        "to",
        "subject",
        "content-type",
        "content-transfer-encoding",
        "mime-version",
    ]
    assert read.get_content().strip() == "text"


def test_a_sender_without_a_usable_address_is_refused() -> None:
    assert str(parse_mailbox("Goodword <goodword@example.org>")) == "Goodword <goodword@example.org>"
    with pytest.raises(ValueError, match="no usable mail address"):
        parse_mailbox("Goodword")
