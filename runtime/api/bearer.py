"""Who asks: the bearer key of a request to a caller, who must have the role that the question needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from contracts.errors import PermanentError, Problem
from runtime.http import bearer_key, same_secret
from runtime.keys import Caller


class Unauthenticated(PermanentError):
    """No key, or one that is not valid: 401."""


class Bearer:
    """Finds the caller of a key. Nothing is cached, so a revoked key is refused at once.

    An application has it as `api.state.bearer`.
    """

    def __init__(
        self,
        find: Callable[[str], Awaitable[Caller | None]],
        *,
        admin_key: SecretStr | None,
        operator: Caller,
        help: str,
    ) -> None:
        self._find = find
        self._admin_key = admin_key.get_secret_value() if admin_key else None
        self._operator = operator
        self._help = help

    async def caller(self, request: Request) -> Caller:
        """Raises Unauthenticated, or one of `runtime.database.OUTAGES`."""
        token = bearer_key(request)
        if self._admin_key is not None and token and same_secret(token, self._admin_key):
            return self._operator
        caller = await self._find(token) if token else None
        if caller is None:
            message = "this key is not known" if token else "this needs a key"
            raise Unauthenticated(
                Problem(
                    code="key-refused",
                    message=message,
                    help=f"send it as Authorization: Bearer …; {self._help} makes one",
                )
            )
        return caller


_scheme = HTTPBearer(auto_error=False, description="A key of `goodword keys create NAME --role …`, or the admin key.")


async def _caller(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_scheme)]) -> Caller:
    bearer: Bearer = request.app.state.bearer
    return await bearer.caller(request)


AnyCaller = Annotated[Caller, Depends(_caller)]
"""Whoever has a valid key."""


def needs(*roles: str) -> Any:
    """A dependency: the caller, who has one of these roles. Raises PermanentError(`role-missing`)."""

    async def dependency(caller: AnyCaller) -> Caller:
        if caller.roles.isdisjoint(roles):
            raise PermanentError(
                Problem(
                    code="role-missing",
                    message=f"this is for {' or '.join(roles)}; {caller.who} is {' and '.join(sorted(caller.roles))}",
                    help="`goodword keys create NAME --role …` makes a key with other roles",
                )
            )
        return caller

    return Depends(dependency)
