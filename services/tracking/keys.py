"""Bearer keys and their scope: which sources a sender may speak for, and whether it may name the partner.

Pure. What a token looks like is `runtime.tokens`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.events import EVENT_TYPES
from services.tracking.envelope import Envelope
from services.tracking.faults import Fault

SYSTEM_SOURCE: Final = "goodword/"
"""Sources that begin like this are the system's own; no scoped key may use them, whatever its patterns say."""
TRACKING_SOURCE: Final = "goodword/tracking"

_PATTERN: Final = re.compile(r"[A-Za-z0-9._~/@+\-]{0,128}\*?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored.

    Attributes:
        key_id: Public; names the key in lists and logs.
        secret_sha256: What the secret is compared with.
        name: Whose it is, in the operator's words.
        sources: Patterns: a source, or the beginning of one followed by `*`.
        may_name_partner: Whether events may say whose they are.
        types: Event types it may send; None means all.
        is_revoked: Refused since then, for ever.
    """

    key_id: str
    secret_sha256: bytes
    name: str
    sources: tuple[str, ...]
    may_name_partner: bool
    types: frozenset[str] | None
    is_revoked: bool = False


class Grant:
    """What the bearer of a key may do. Remembers which sources fitted, as there are few and they repeat."""

    __slots__ = ("_known", "_patterns", "is_operator", "key_id", "may_name_partner", "types")

    def __init__(
        self,
        key_id: str,
        sources: tuple[str, ...],
        *,
        may_name_partner: bool,
        types: frozenset[str] | None = None,
        is_operator: bool = False,
    ) -> None:
        self.key_id = key_id
        self.may_name_partner = may_name_partner
        self.types = types
        self.is_operator = is_operator
        self._patterns = sources
        self._known: set[str] = set()

    def fits_source(self, source: str) -> bool:
        if source in self._known:
            return True
        if self.is_operator:
            fits = source != TRACKING_SOURCE
        else:
            fits = not source.startswith(SYSTEM_SOURCE) and any(_fits(source, pattern) for pattern in self._patterns)
        if fits and len(self._known) < 1_000:
            self._known.add(source)
        return fits


OPERATOR: Final = Grant("operator", ("*",), may_name_partner=True, is_operator=True)
"""The bearer of the admin key."""


def grant_of(key: Key) -> Grant:
    return Grant(key.key_id, key.sources, may_name_partner=key.may_name_partner, types=key.types)


def scope_fault(grant: Grant, envelope: Envelope) -> Fault | None:
    """Why this key may not send this event; None when it may."""
    if not grant.fits_source(envelope.source):
        return Fault("source-outside-scope", "source", f'this key may not speak for the source "{envelope.source}"')
    if grant.types is not None and envelope.type not in grant.types:
        return Fault("type-outside-scope", "type", f"this key may not send {envelope.type}")
    if envelope.data.partner is not None and not grant.may_name_partner:
        return Fault(
            "may-not-name-partner", "data.partner", "this key may not name the partner; send a click or a code"
        )
    return None


FORBIDDEN: Final = frozenset({"source-outside-scope", "type-outside-scope", "may-not-name-partner"})
"""Codes of faults that lie in the key, not in the event."""


def check_scope(sources: tuple[str, ...], types: tuple[str, ...] | None) -> None:
    """Raises PermanentError when a key with this scope could not work."""
    if not sources:
        raise PermanentError(Problem(code="no-source", message="a key needs at least one source", where="sources"))
    for pattern in sources:
        if not pattern or _PATTERN.fullmatch(pattern) is None:
            raise PermanentError(
                Problem(
                    code="bad-source-pattern",
                    message=f'"{pattern}" is no source pattern',
                    where="sources",
                    help="a source such as crm/acme, or the beginning of one and *: crm/*",
                )
            )
    for type in types or ():
        if type not in EVENT_TYPES:
            raise PermanentError(Problem(code="unknown-type", message=f'there is no type "{type}"', where="types"))


def _fits(source: str, pattern: str) -> bool:
    return source.startswith(pattern[:-1]) if pattern.endswith("*") else source == pattern
