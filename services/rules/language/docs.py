"""The generated parts of docs/rules.md: paths, operators and checks. Each comes from where the reader has it.

`python -m goodword.generate` writes them into the page; a test proves the page fresh.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.checks import all_pages
from services.rules.language.conditions import OPERATORS_OF
from services.rules.language.paths import CATALOGUE, TYPE_WORDS


def paths_table() -> str:
    rows = [(f"`{each.name}`", TYPE_WORDS[each.type], each.meaning) for each in CATALOGUE.values()]
    rows += [
        ("a metric's name", "an amount, or a number", "the metric as it was before the event"),
        ("`attributes.<key>`", TYPE_WORDS["attribute"], "fields that senders add themselves"),
    ]
    return _table(("path", "is", "meaning"), rows)


def operators_table() -> str:
    rows = [(TYPE_WORDS[type], "  ".join(f"`{each}`" for each in fitting)) for type, fitting in OPERATORS_OF.items()]
    return _table(("a path that is", "takes"), rows)


def checks_table() -> str:
    rows = []
    for page in all_pages():
        why = page.page.partition("## Why that is bad")[2].partition("## ")[0]
        rows.append((f"`{page.code}`", page.sentence, " ".join(why.split())))
    return _table(("code", "finds", "why that is bad"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n" for cells in lines)
