"""Mail addresses and names: what may stand in an envelope or a header. Pure.

Promises: nothing that passes here can end a header line or an SMTP command, whatever a sender of events put
into a name or an address; an address that no relay could take counts as none.
"""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

ADDRESS_LENGTH_MAX: Final = 254
"""RFC 5321, section 4.5.3.1.3, without the brackets."""
LOCAL_PART_LENGTH_MAX: Final = 64
TEXT_LENGTH_MAX: Final = 200
"""Longer names are cut in mails; nobody reads further, and headers stay short."""

# Control characters end lines (CR, LF, NEL, the Unicode separators), are forbidden in XML, or turn text around
# (the bidirectional overrides), which makes one name look like another.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]+")
_LOCAL_PART: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\.]+(\.[^\s@\"(),:;<>\[\]\\.]+)*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)


def one_line(text: str) -> str:
    """The text on one line without control characters, at most TEXT_LENGTH_MAX characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= TEXT_LENGTH_MAX else line[: TEXT_LENGTH_MAX - 1] + "…"


def usable_address(text: str | None) -> str | None:
    """The address as a relay takes it (domain in ASCII, RFC 5891), or None when none would.

    The local part may hold letters of any script (RFC 6531); quoted local parts and address literals, which
    are legal and never real, are refused.
    """
    if text is None:
        return None
    local, _, domain = text.strip().rpartition("@")
    if not _LOCAL_PART.fullmatch(local) or _UNPRINTABLE.search(local):
        return None
    if len(local.encode()) > LOCAL_PART_LENGTH_MAX:
        return None
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not all(_LABEL.fullmatch(label) for label in ascii_domain.split(".")):
        return None
    address = f"{local}@{ascii_domain}"
    return address if len(address.encode()) <= ADDRESS_LENGTH_MAX else None


def is_international(address: str) -> bool:
    """Whether the relay must know SMTPUTF8 (RFC 6531) to take this address."""
    return not address.isascii()


def parse_mailbox(text: str) -> Address:
    """`Name <address>` or `address`. Raises ValueError when the address is not usable."""
    name, spec = parseaddr(text)
    address = usable_address(spec)
    if address is None:
        raise ValueError(f"{text!r} has no usable mail address; write it as `Name <name@example.com>`")
    return mailbox(name, address)


def mailbox(name: str, address: str) -> Address:
    """A display name, made harmless, and an address that `usable_address` gave."""
    # Given in parts: parsing the whole would call a local part beyond ASCII a defect, which RFC 6531 allows.
    local, _, domain = address.rpartition("@")
    return Address(display_name=one_line(name), username=local, domain=domain)
