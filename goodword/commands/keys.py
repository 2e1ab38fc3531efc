"""`goodword keys create|list|revoke`: keys of those who send events."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, fail, out, print_table, problems_shown, say

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Keys of those who send events."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, in your words.")],
    source: Annotated[
        list[str], typer.Option("--source", help="A source it may speak for, or the beginning of one and *: crm/*.")
    ],
    may_name_partner: Annotated[
        bool, typer.Option("--may-name-partner", help="Its events may say whose they are: for a trusted CRM.")
    ] = False,
    type: Annotated[list[str] | None, typer.Option("--type", help="Only these event types. [default: all]")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once and stored nowhere: only its hash is."""
    from goodword.target import find_target
    from services.tracking.admin import create_key

    with problems_shown():
        key, token = asyncio.run(
            create_key(
                find_target(data).postgres,
                name=name,
                sources=tuple(source),
                may_name_partner=may_name_partner,
                types=tuple(type) if type else None,
            )
        )
    if as_json:
        emit_json({"key_id": key.key_id, "name": key.name, "sources": list(key.sources), "token": token})
    else:
        out.print(token, markup=False)
        say(f"key {key.key_id}, shown this once: send it as `Authorization: Bearer …`")


@app.command("list")
def list_keys(data: DataOption = None, as_json: JsonOption = False) -> None:
    """All keys, revoked ones too."""
    from goodword.target import find_target
    from services.tracking.admin import keys

    with problems_shown():
        rows = asyncio.run(keys(find_target(data).postgres))
    if as_json:
        emit_json(rows)
    else:
        columns = ("key_id", "name", "sources", "may_name_partner", "types", "created_at", "revoked_at")
        print_table(columns, [[row[column] for column in columns] for row in rows])


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID")], data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Refuse a key from now on, for ever; it may work for some seconds yet where it is cached."""
    from contracts.errors import Problem
    from goodword.target import find_target
    from services.tracking.admin import revoke_key

    with problems_shown():
        is_revoked = asyncio.run(revoke_key(find_target(data).postgres, key_id))
    if not is_revoked:
        fail(Problem(code="unknown-key", message=f"there is no key {key_id}", help="`goodword keys list`"), EXIT_NO)
    if as_json:
        emit_json({"key_id": key_id, "revoked": True})
    else:
        out.print(f"key {key_id} is revoked")
