"""Who asks, and where the answers are: callers by role, and the desk."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from runtime.api.bearer import Bearer, needs
from runtime.keys import Caller
from services.rules.lifecycle import Desk
from services.rules.lifecycle.keys import OPERATOR, ROLES, rules_caller


def bearer_of(postgres: str, admin_key: SecretStr | None) -> Bearer:
    """Finds whose key of the rules it is."""

    async def find(token: str) -> Caller | None:
        return await rules_caller(postgres, token)

    return Bearer(find, admin_key=admin_key, operator=OPERATOR, help="`goodword keys create NAME --role editor`")


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
Reader = Annotated[Caller, needs(*ROLES)]
Editor = Annotated[Caller, needs("editor")]
Approver = Annotated[Caller, needs("approver")]
