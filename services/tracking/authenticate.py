"""Who sends: the bearer key of a request to what it may do. The admin key needs no database."""

from __future__ import annotations

from pydantic import SecretStr

from contracts.errors import PermanentError, Problem
from runtime.http import same_secret
from runtime.tokens import is_secret, parse_token
from services.tracking.keys import OPERATOR, Grant, Key, grant_of
from services.tracking.store import TrackingStore

_HELP = "send it as Authorization: Bearer gw_…; `goodword keys create` makes one"


class Unauthenticated(PermanentError):
    """No key, or one that is not valid: 401."""


class Authenticator:
    """Finds the grant of a key; keeps one grant per key, which remembers what fitted before."""

    def __init__(self, store: TrackingStore, admin_key: SecretStr | None, *, grants_max: int) -> None:
        self._store = store
        self._admin_key = admin_key.get_secret_value() if admin_key else None
        self._grants_max = grants_max
        self._grants: dict[str, tuple[Key, Grant]] = {}

    async def grant(self, token: str) -> Grant:
        """What the bearer may do.

        Raises:
            Unauthenticated: No key, an unknown one, or one that was revoked.
            TransientError: PostgreSQL is away and the key is not cached.
        """
        if not token:
            raise Unauthenticated(Problem(code="key-missing", message="this needs a bearer key", help=_HELP))
        if self._admin_key is not None and same_secret(token, self._admin_key):
            return OPERATOR
        parsed = parse_token(token)
        key = await self._store.key(parsed[0]) if parsed else None
        if parsed is None or key is None or not is_secret(key.secret_sha256, parsed[1]):
            raise Unauthenticated(Problem(code="key-unknown", message="this key is not known", help=_HELP))
        if key.is_revoked:
            raise Unauthenticated(Problem(code="key-revoked", message="this key was revoked", help=_HELP))
        known = self._grants.get(key.key_id)
        if known is None or known[0] != key:
            while len(self._grants) >= self._grants_max:
                del self._grants[next(iter(self._grants))]
            known = self._grants[key.key_id] = (key, grant_of(key))
        return known[1]
