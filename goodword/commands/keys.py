"""`goodword keys create|list|revoke`: keys of those who send events, who work on rule sets, or with the ledger.

A key opens one service, and its roles say which: editor is of the rules, viewer and finance of the ledger. Both have
approvers; whether one may let rules into force or money out is never guessed, so `--for` says it.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from goodword.commands.who import WhoOption, name_of
from goodword.terminal import (
    EXIT_NO,
    EXIT_USAGE,
    DataOption,
    JsonOption,
    emit_json,
    fail,
    out,
    print_table,
    problems_shown,
    say,
)


class Service(StrEnum):
    """What a key with roles opens."""

    RULES = "rules"
    LEDGER = "ledger"


app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Keys of those who send events (--source), and of people who work with rule sets or the ledger (--role)."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is; with --role, the person who acts with it.")],
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="A source it may speak for, or the beginning of one and *: crm/*."),
    ] = None,
    may_name_partner: Annotated[
        bool, typer.Option("--may-name-partner", help="Its events may say whose they are: for a trusted CRM.")
    ] = False,
    type: Annotated[list[str] | None, typer.Option("--type", help="Only these event types. [default: all]")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            help="With rule sets: editor, approver; with the ledger: viewer, finance, approver. May be given again.",
        ),
    ] = None,
    service: Annotated[
        Service | None,
        typer.Option("--for", help="Which of the two, where the roles do not say it: an approver of what?"),
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once and stored nowhere: only its hash is."""
    from contracts.errors import Problem
    from goodword.target import find_target

    if bool(source) == bool(role) or (role and (type or may_name_partner)) or (source and service):
        message = "a key is either for events (--source, and if need be --type) or for people (--role)"
        fail(Problem(code="bad-key", message=message, help="make two keys"), EXIT_USAGE)
    with problems_shown():
        postgres = find_target(data).postgres
        if not role:
            made = _for_events(postgres, name, source or [], type, may_name_partner=may_name_partner)
        elif _service_of(role, service) is Service.RULES:
            made = _for_rules(postgres, name, role, name_of(who))
        else:
            made = _for_ledger(postgres, name, role, name_of(who))
    if as_json:
        emit_json(made)
    else:
        out.print(made["token"], markup=False)
        say(f"key {made['key_id']}, shown this once: send it as `Authorization: Bearer …`")


@app.command("list")
def list_keys(data: DataOption = None, as_json: JsonOption = False) -> None:
    """All keys, revoked ones too."""
    from goodword.target import find_target

    with problems_shown():
        rows = asyncio.run(_listed(find_target(data).postgres))
    if as_json:
        emit_json(rows)
    else:
        columns = ("key_id", "name", "for", "sources", "may_name_partner", "types", "roles", "created_at", "revoked_at")
        print_table(columns, [[row.get(column) for column in columns] for row in rows])


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID")],
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a key from now on, for ever; one for events may work for some seconds yet where it is cached."""
    from contracts.errors import Problem
    from goodword.target import find_target

    with problems_shown():
        is_revoked = asyncio.run(_revoke(find_target(data).postgres, key_id, name_of(who)))
    if not is_revoked:
        fail(Problem(code="unknown-key", message=f"there is no key {key_id}", help="`goodword keys list`"), EXIT_NO)
    if as_json:
        emit_json({"key_id": key_id, "revoked": True})
    else:
        out.print(f"key {key_id} is revoked")


def _for_events(
    postgres: str, name: str, sources: list[str], types: list[str] | None, *, may_name_partner: bool
) -> dict[str, Any]:
    from services.tracking.admin import create_key

    key, token = asyncio.run(
        create_key(
            postgres,
            name=name,
            sources=tuple(sources),
            may_name_partner=may_name_partner,
            types=tuple(types) if types else None,
        )
    )
    return {"key_id": key.key_id, "name": key.name, "sources": list(key.sources), "token": token}


def _for_rules(postgres: str, owner: str, roles: list[str], who: str) -> dict[str, Any]:
    from runtime.clock import SystemClock
    from services.rules.lifecycle.keys import create_rules_key

    made = create_rules_key(postgres, owner=owner, roles=tuple(roles), who=who, clock=SystemClock())
    key_id, token = asyncio.run(made)
    return {"key_id": key_id, "name": owner, "for": "rules", "roles": sorted(set(roles)), "token": token}


def _for_ledger(postgres: str, owner: str, roles: list[str], who: str) -> dict[str, Any]:
    from goodword.rewarding import with_rewards
    from services.rewards.keys import create_ledger_key

    made = with_rewards(
        postgres, lambda rewards: create_ledger_key(rewards.database, owner=owner, roles=tuple(roles), who=who)
    )
    return {"key_id": made.key_id, "name": owner, "for": "ledger", "roles": made.roles, "token": made.token}


def _service_of(roles: list[str], said: Service | None) -> Service:
    """What the roles open. Raises PermanentError."""
    from contracts.errors import PermanentError, Problem
    from services.rewards.keys import ROLES as LEDGER_ROLES
    from services.rules.lifecycle.keys import ROLES as RULES_ROLES

    known: dict[Service, tuple[str, ...]] = {Service.RULES: RULES_ROLES, Service.LEDGER: LEDGER_ROLES}
    fitting = [each for each in Service if said in (None, each) and set(roles) <= set(known[each])]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        message, help = f"both have the role {roles[0]}", "say --for rules or --for ledger"
    else:
        message = f"no key has the roles {', '.join(roles)}" + (f" for {said}" if said else "")
        help = "; ".join(f"{each}: {', '.join(names)}" for each, names in known.items()) + "; make two keys"
    raise PermanentError(Problem(code="unknown-role", message=message, where="--role", help=help))


async def _listed(postgres: str) -> list[dict[str, Any]]:
    from goodword.rewarding import rewards_at
    from services.rewards.keys import list_ledger_keys
    from services.rules.lifecycle.keys import list_rules_keys
    from services.tracking.admin import keys

    rows = [row | {"for": "events"} for row in await keys(postgres)]
    rows += [row | {"name": row["owner"], "for": "rules"} for row in await list_rules_keys(postgres)]
    async with rewards_at(postgres) as rewards:
        of_ledger = await list_ledger_keys(rewards.database)
    return rows + [row | {"name": row["owner"], "for": "ledger"} for row in of_ledger]


async def _revoke(postgres: str, key_id: str, who: str) -> bool:
    from goodword.rewarding import rewards_at
    from runtime.clock import SystemClock
    from services.rewards.keys import revoke_ledger_key
    from services.rules.lifecycle.keys import revoke_rules_key
    from services.tracking.admin import revoke_key

    if await revoke_key(postgres, key_id):
        return True
    if await revoke_rules_key(postgres, key_id, who=who, clock=SystemClock()):
        return True
    async with rewards_at(postgres) as rewards:
        return await revoke_ledger_key(rewards.database, key_id, who=who)
