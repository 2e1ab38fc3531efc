"""Who asks: the bearer key of a request to a caller, who must have the role that the question needs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from contracts.errors import PermanentError, Problem
from runtime.http import bearer_key, same_secret
from services.rules.lifecycle import Desk
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.keys import OPERATOR, ROLES, Caller, Role, caller_of


class Unauthenticated(PermanentError):
    """No key, or one that is not valid: 401."""


class Bearer:
    """Finds the caller of a key. Nothing is cached, so a revoked key is refused at once."""

    def __init__(self, postgres: str, admin_key: SecretStr | None) -> None:
        self._postgres = postgres
        self._admin_key = admin_key.get_secret_value() if admin_key else None

    async def caller(self, request: Request) -> Caller:
        """Raises Unauthenticated, or one of `runtime.database.OUTAGES`."""
        token = bearer_key(request)
        if self._admin_key is not None and token and same_secret(token, self._admin_key):
            return OPERATOR
        if token:
            async with connect(self._postgres) as connection:
                caller = await caller_of(connection, token)
            if caller is not None:
                return caller
        raise Unauthenticated(
            Problem(
                code="key-refused",
                message="this needs the key of an editor or of an approver" if not token else "this key is not known",
                help="send it as Authorization: Bearer …; `goodword keys create NAME --role editor` makes one",
            )
        )


_scheme = HTTPBearer(auto_error=False, description="A key of `goodword keys create NAME --role …`, or the admin key.")


async def _caller(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_scheme)]) -> Caller:
    bearer: Bearer = request.app.state.bearer
    return await bearer.caller(request)


def _needs(*roles: Role) -> object:
    async def dependency(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if caller.roles.isdisjoint(roles):
            raise PermanentError(
                Problem(
                    code="role-missing",
                    message=f"{caller.who} is not {' or '.join(f'an {role}' for role in roles)}",
                    help="`goodword keys create NAME --role …` makes a key with other roles",
                )
            )
        return caller

    return Depends(dependency)


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
Reader = Annotated[Caller, _needs(*ROLES)]
Editor = Annotated[Caller, _needs("editor")]
Approver = Annotated[Caller, _needs("approver")]
