"""`goodword rules schema`: the rule language for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of rule files, with which editors complete names and paths (docs/rules.md#editors)."""
    from services.rules.language.schema import rule_file_schema

    typer.echo(json.dumps(rule_file_schema(), indent=1, ensure_ascii=False))
