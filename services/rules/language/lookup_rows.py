"""Lookups by several paths: rows, of which the first that matches is taken."""

from __future__ import annotations

from itertools import product
from typing import Final

from contracts.ruleset import Given, Row, Rows
from services.rules.language.checks import missing_otherwise, shadowed_row, unknown_tier, wrong_lookup
from services.rules.language.fields import Fields, expect_list, expect_text, limited, texts_of
from services.rules.language.lookup_paths import ENTRIES_MAX, ReadGiven, check_tiers, text_path
from services.rules.language.scope import Scope
from services.rules.language.source import Node

BY_MAX: Final = 4
ANY: Final = "any"


def read_rows(
    by: Node, fields: Fields, on: tuple[str, ...], scope: Scope, read_given: ReadGiven, otherwise: Given | None
) -> Rows | None:
    paths = texts_of(by, scope, '"by"')
    if len(paths) > BY_MAX:
        scope.add(paths[BY_MAX].span, wrong_lookup.too_many_paths(BY_MAX))
        return None
    known = [text_path(each, on, scope) for each in paths]
    node = fields.get("rows")
    items = expect_list(node, scope, '"rows"', "write [[gold, GTX Pro, 12], [gold, any, 9]]") if node else None
    rows: list[Row] = []
    lines: dict[tuple[str | None, ...], int] = {}
    for item in limited(items, scope, "rows of a lookup", ENTRIES_MAX):
        entries = expect_list(item, scope, "a row", "write it as [gold, GTX Pro, 12]")
        if entries is None:
            continue
        if len(entries.items) != len(paths) + 1:
            scope.add(entries.span, wrong_lookup.row_length(len(entries.items), len(paths) + 1))
            continue
        values = tuple(_row_value(entry, path, scope) for entry, path in zip(entries.items[:-1], known, strict=True))
        given = read_given(entries.items[-1])
        before = _line_of_wider(values, lines)
        if before is not None:
            scope.add(entries.span, shadowed_row.fault(before))
        lines.setdefault(values, entries.span.line)
        if given is not None:
            rows.append(Row(values, given))
    if None in known or items is None:
        return None
    whole = lines.get((None,) * len(paths))
    if "otherwise" not in fields.keys:
        _check_rows_cover(tuple(each for each in known if each), lines, fields, scope)
    elif whole is not None:
        scope.add(fields.keys["otherwise"].span, shadowed_row.otherwise(whole))
    return Rows(by=tuple(each for each in known if each), rows=tuple(rows), otherwise=otherwise)


def _row_value(node: Node, path: str | None, scope: Scope) -> str | None:
    """The text of one place of a row; None for a bare `any`."""
    text = expect_text(node, scope, "a value of a row")
    if text is None or (text.is_plain and text.text == ANY):
        return None
    if path == "tier" and not scope.may_be_tier(text.text):
        scope.add(text.span, unknown_tier.fault(text.text, scope.tiers))
    return text.text


def _line_of_wider(values: tuple[str | None, ...], lines: dict[tuple[str | None, ...], int]) -> int | None:
    """The line of an earlier row that takes all this one could."""
    wider = product(*({value, None} for value in values))
    return min((lines[each] for each in wider if each in lines), default=None)


def _check_rows_cover(
    by: tuple[str, ...], lines: dict[tuple[str | None, ...], int], fields: Fields, scope: Scope
) -> None:
    if (None,) * len(by) in lines:
        return
    if "tier" not in by:
        scope.add(fields.keys["by"].span, missing_otherwise.fault(" and ".join(by)))
        return
    place = by.index("tier")
    # A tier is covered by a row that says nothing of the other paths.
    covered = {row[place] for row in lines if all(each is None for at, each in enumerate(row) if at != place)}
    check_tiers({each for each in covered if each is not None}, fields, "rows", scope)
