"""Tables of settings for the docs, from the settings classes themselves: variable, default, limits, and what it means.

What a setting means is the text under it in its class; Python does not keep such texts, so the source is read.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from runtime.settings import Settings

ENVIRONMENT_PREFIX: Final = "GOODWORD_"
_LIMITS: Final = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_FOR_READERS: Final = re.compile(r"\bNone\b")
HEAD: Final = ("variable", "default", "limits", "what it means")


def rows(kind: type[Settings]) -> list[tuple[str, str, str, str]]:
    """One row for each setting that the class itself declares; inherited ones belong to the class above."""
    meanings = meanings_of(kind)
    return [
        (
            f"`{ENVIRONMENT_PREFIX}{name.upper()}`",
            _default(field.get_default(call_default_factory=True)),
            ", ".join(_limits(field)),
            meanings.get(name, ""),
        )
        for name, field in kind.model_fields.items()
        if name in inspect.get_annotations(kind)
    ]


def meanings_of(kind: type[Settings]) -> Mapping[str, str]:
    """Setting to the text under it, on one line; settings without a text are absent."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for statement, below in zip(tree.body, tree.body[1:], strict=False):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = _FOR_READERS.sub("unset", " ".join(text.split())).replace("|", "\\|")
    return found


def _default(value: Any) -> str:
    match value:
        case None:
            return "unset"
        case SecretStr():
            return _default(value.get_secret_value() or None)
        case bool():
            return f"`{str(value).lower()}`"
        case "":
            return "unset"
        case str():
            return f"`{value}`"
        case int():
            return f"{value:,}"
        case _:
            return f"{value:g}" if value < 1_000 else f"{value:,.0f}"


def _limits(field: FieldInfo) -> Iterator[str]:
    for limit in field.metadata:
        for name, sign in _LIMITS.items():
            if (bound := getattr(limit, name, None)) is not None:
                yield f"{sign} {bound:,}"
