"""`goodword keys create|list|revoke`: keys of those who send events, and of those who work on rule sets."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer

from goodword.commands.rules.who import WhoOption, name_of
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

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Keys of those who send events (--source), and of those who work on rule sets over HTTP (--role)."""


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
        typer.Option("--role", help="editor or approver: what the person may do with rule sets. May be given twice."),
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once and stored nowhere: only its hash is."""
    from contracts.errors import Problem
    from goodword.target import find_target

    if bool(source) == bool(role) or (role and (type or may_name_partner)):
        message = "a key is either for events (--source, and if need be --type) or for rule sets (--role)"
        fail(Problem(code="bad-key", message=message, help="make two keys"), EXIT_USAGE)
    with problems_shown():
        postgres = find_target(data).postgres
        made = _for_rules(postgres, name, role, name_of(who)) if role else None
        made = made or _for_events(postgres, name, source or [], type, may_name_partner=may_name_partner)
    if as_json:
        emit_json(made)
    else:
        out.print(made["token"], markup=False)
        say(f"key {made['key_id']}, shown this once: send it as `Authorization: Bearer …`")


@app.command("list")
def list_keys(data: DataOption = None, as_json: JsonOption = False) -> None:
    """All keys, revoked ones too."""
    from goodword.target import find_target
    from services.rules.lifecycle.keys import list_rules_keys
    from services.tracking.admin import keys

    with problems_shown():
        postgres = find_target(data).postgres
        rows = asyncio.run(keys(postgres)) + [
            row | {"name": row["owner"]} for row in asyncio.run(list_rules_keys(postgres))
        ]
    if as_json:
        emit_json(rows)
    else:
        columns = ("key_id", "name", "sources", "may_name_partner", "types", "roles", "created_at", "revoked_at")
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
    return {"key_id": key_id, "name": owner, "roles": sorted(set(roles)), "token": token}


async def _revoke(postgres: str, key_id: str, who: str) -> bool:
    from runtime.clock import SystemClock
    from services.rules.lifecycle.keys import revoke_rules_key
    from services.tracking.admin import revoke_key

    if await revoke_key(postgres, key_id):
        return True
    return await revoke_rules_key(postgres, key_id, who=who, clock=SystemClock())
